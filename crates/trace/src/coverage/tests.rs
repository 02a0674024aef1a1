use crate::read;

use crate::coverage::*;

/// Counts lines `leg dir row data` of one session with this profile.
fn counted(profile: &str, lines: &[(&str, &str, &str, &str)]) -> Coverage {
    let mut text = String::from("{\"sigbridge_trace\":1,\"started_ms\":5,\"program\":\"1\"}\n");
    let begin = format!(r#"{{"begin":{{"account":"alice","profile":"{profile}"}}}}"#);
    for (leg, dir, row, data) in [("env", "in", "", &*begin)].iter().chain(lines) {
        let is_frame = data.starts_with(['[', 'c', 'n', 'l']) || data.starts_with("{\"jsonrpc");
        let data = match is_frame {
            true => serde_json::json!({"socket": 1, "frame": data}).to_string(),
            false => (*data).to_owned(),
        };
        let row = if row.is_empty() {
            String::new()
        } else {
            format!("\"row\":\"{row}\",")
        };
        text.push_str(&format!(
            "{{\"t_us\":7,\"session\":1,\"leg\":\"{leg}\",\"dir\":\"{dir}\",{row}\"data\":{data}}}\n"
        ));
    }
    let mut coverage = Coverage::default();
    coverage.add(&tables(), &read(text.as_bytes()).expect("a trace"));
    coverage
}

fn tables() -> Tables {
    Tables::built_in().expect("the built-in tables")
}

/// Expected calls and events: name, row, count, class.
fn check(profile: &str, lines: &[(&str, &str, &str, &str)], expected: &[&str]) -> Report {
    let report = counted(profile, lines).report(&tables());
    let shown = report.calls.iter().chain(&report.events).map(|used| {
        let class = used.class.name();
        format!(
            "{} {} {} {class} {}",
            used.name,
            used.row,
            used.count,
            used.failures.values().sum::<u64>()
        )
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected, "{report}");
    report
}

const SEND: &str = r#"["call2",["user_sendmsg",7,{"line":"l","peer":"bob","content":"hi"}]]"#;
const LEAVE: &str = r#"["call2",["channel_leave",8,{"line":"l","name":"r"}]]"#;
const OK: &str = r#"["call2-ret",[7,"","{\"result\":\"ok\"}"]]"#;
const OFFLINE: &str = r#"{"note":{"row":"peer.send","code":"PEER-OFFLINE"}}"#;

#[test]
fn calls_are_counted_by_their_rows() {
    check(
        "web",
        &[("legacy", "in", "", SEND), ("legacy", "out", "peer.send", OK)],
        &["messageInstantSend peer.send 1 emulated 0"],
    );
    let report = check(
        "web",
        &[
            ("legacy", "in", "", LEAVE),
            ("legacy", "in", "", SEND),
            ("legacy", "in", "", SEND),
            ("env", "out", "", OFFLINE),
        ],
        &[
            "messageInstantSend peer.send 2 inexact 0",
            "channelLeave channel.leave 1 exact 0",
        ],
    );
    let s = &report.summary;
    assert_eq!((s.calls, s.exact, s.emulated, s.inexact, s.refused), (3, 1, 1, 1, 0));
    let first = &report.look_at_first[0];
    assert_eq!((&*first.code, first.count, first.always), ("PEER-OFFLINE", 1, false));
    assert_eq!(first.used_by, ["messageInstantSend".into()]);
}

#[test]
fn native_frames_are_counted_as_well() {
    check(
        "native",
        &[
            ("legacy", "in", "", r#"login {"account":"alice"}"#),
            (
                "legacy",
                "out",
                "login.login",
                r#"login_res failed {"result":"failed","reason":"timeout"}"#,
            ),
            ("legacy", "in", "", r#"call channel_leave 8 0 {"line":"l","name":"r"}"#),
            (
                "legacy",
                "out",
                "channel.leave",
                r#"call_ret channel_leave 8 0 {"result":"ok"}"#,
            ),
            ("legacy", "out", "login.logout-event", "notify kick"),
        ],
        &[
            // Different uids always apply.
            "channelLeave channel.leave 1 exact 0",
            "login login.login 1 inexact 1",
        ],
    );
}

#[test]
fn requests_of_json_rpc_are_counted_as_well() {
    check(
        "api",
        &[
            (
                "legacy",
                "in",
                "",
                r#"{"jsonrpc":"2.0","id":1,"method":"channelLeave","params":["r"]}"#,
            ),
            (
                "legacy",
                "out",
                "",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":100,"message":"timeout"}}"#,
            ),
            (
                "legacy",
                "in",
                "",
                r#"[{"jsonrpc":"2.0","id":2,"method":"channelLeave"},{"jsonrpc":"2.0","method":"nonsense"}]"#,
            ),
            (
                "legacy",
                "out",
                "peer.received",
                r#"{"jsonrpc":"2.0","method":"onMessageInstantReceive","params":{"account":"b"}}"#,
            ),
        ],
        &[
            "channelLeave channel.leave 2 exact 1",
            "onMessageInstantReceive peer.received 1 inexact 0",
        ],
    );
}

#[test]
fn refusals_by_reason_and_by_limitation() {
    let lines = [
        (
            "legacy",
            "in",
            "",
            r#"["call2",["channel_set_attr",7,{"channel":"r","name":"n","value":"v"}]]"#,
        ),
        (
            "legacy",
            "out",
            "channel-attr.set",
            r#"["call2-ret",[7,"not supported","{\"result\":\"failed\",\"reason\":\"not supported\"}"]]"#,
        ),
        (
            "env",
            "out",
            "",
            r#"{"note":{"row":"channel-attr.set","code":"ATTR-UPSTREAM"}}"#,
        ),
    ];
    let report = check("web", &lines, &["channelSetAttr channel-attr.set 1 refused 1"]);
    assert_eq!((report.summary.refused, report.summary.inexact), (1, 0));
    assert_eq!(report.look_at_first[0].class, Class::Refused);
    assert_eq!(report.calls[0].failures, BTreeMap::from([("not supported".into(), 1)]));
    // Without a limitation it is an ordinary failure.
    let report = check("web", &lines[..2], &["channelSetAttr channel-attr.set 1 emulated 1"]);
    assert_eq!((report.summary.refused, report.summary.failed), (0, 1));
}

#[test]
fn lines_are_events_once_and_control_frames_are_one() {
    let line = |version: u32| format!(r#"["notify","notify recvmsg [{version},\"msg-v2 bob alice f instant 5 hi\"]"]"#);
    let poll = r#"["call2",["user_getmsg",7,{"line":"l"}]]"#;
    let polled = r#"["call2-ret",[7,"","{\"result\":\"ok\",\"msgs\":[[2,\"msg-v2 bob alice f instant 5 hi\"],[3,\"msg-v2 bob alice f instant 5 hi\"]]}"]]"#;
    let report = check(
        "web",
        &[
            ("legacy", "out", "peer.received", &line(1)),
            ("legacy", "out", "peer.received", &line(2)),
            ("legacy", "in", "", poll),
            ("legacy", "out", "", polled),
            ("timer", "in", "", r#"{"due":"grace"}"#),
            ("legacy", "out", "login.logout", r#"["kick",""]"#),
            ("legacy", "out", "login.logout", r#"["close",""]"#),
        ],
        &[
            "onMessageInstantReceive peer.received 3 inexact 0",
            "onLogout login.logout 1 exact 0",
        ],
    );
    assert_eq!(report.wire[0].name, "user_getmsg".into());
    assert_eq!(report.summary.calls, 0);
}

#[test]
fn unknown_names_are_counted() {
    let report = check(
        "web",
        &[
            ("legacy", "in", "", r#"["call2",["nonsense",7,{"line":"l"}]]"#),
            ("legacy", "in", "", r#"["call2"]"#),
        ],
        &[],
    );
    assert_eq!(
        (report.summary.unknown, report.summary.calls, report.summary.unreadable),
        (1, 1, 1)
    );
    assert_eq!(&*report.unknown[0].name, "nonsense");
    check("no such profile", &[("legacy", "in", "", SEND)], &[]);
    let mut names = BTreeMap::new();
    for n in 0..MAX_NAMES + 5 {
        Coverage::function(&mut names, &n.to_string().into());
    }
    assert_eq!((names.len(), names[OTHERS]), (MAX_NAMES + 1, 5));
}
