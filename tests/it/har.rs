//! Archives of developer tools as traces, and the other way; `fixtures/har/chromium.har` is Chromium's, by Playwright.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use protocol::encoders;
use rtm::value::Value;
use serde_json::{Value as Json, json};
use tables::Tables;
use trace::har::{HarError, Imported, export, import};
use trace::{Dir, Leg, Record, Scope, diff, read, replay, replay_embedded};

fn tables() -> Arc<Tables> {
    Arc::new(Tables::built_in().expect("the built-in tables"))
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/har/chromium.har")
}

fn imported(har: &Json) -> Result<Imported, HarError> {
    import(&tables(), har.to_string().as_bytes())
}

/// An archive with a socket for each list of messages.
fn har(sockets: &[&[Json]]) -> Json {
    let entry = |messages: &&[Json]| {
        json!({
            "request": { "url": "wss://sig.example.com/?x=SECRET" },
            "response": { "content": { "text": "passed over" } },
            "_resourceType": "websocket",
            "_webSocketMessages": messages,
        })
    };
    json!({ "log": { "version": "1.2", "entries": sockets.iter().map(entry).collect::<Vec<_>>() } })
}

fn sent(kind: &str, time: f64, data: impl Into<String>) -> Json {
    json!({ "type": kind, "time": time, "opcode": 1, "data": data.into() })
}

fn login(time: f64, device: &str) -> Json {
    let fields = json!({ "vid": "app", "account": "al", "token": "SECRET", "device": device });
    sent("send", time, json!(["login", fields]).to_string())
}

fn login_ret(time: f64) -> Json {
    let reply = json!({ "result": "ok", "uid": 7, "line": "L" }).to_string();
    sent("receive", time, json!(["login_ret", ["", reply]]).to_string())
}

fn records(imported: &Imported) -> impl Iterator<Item = &Record> {
    imported.trace.records.iter().map(|(_, record)| record)
}

/// `1000000 1 legacy in {…}` for each record.
fn shown(imported: &Imported) -> Vec<String> {
    let show = |record: &Record| {
        let name = |json: Json| json.as_str().unwrap_or_default().to_owned();
        let leg = name(serde_json::to_value(record.leg).expect("a leg"));
        let dir = name(serde_json::to_value(record.dir).expect("a direction"));
        let data = match record.data.get("frame") {
            Some(frame) => format!(
                "{} {}",
                record.data.get("socket").expect("a socket"),
                frame.clone().into_text()
            ),
            None if record.data.get("begin").is_some() => {
                let begin = record.data.get("begin").expect("it has");
                format!(
                    "begin {} {}",
                    begin.get("profile").expect("a profile"),
                    begin.get("account").expect("an account")
                )
            }
            None => record.data.to_json(),
        };
        format!("{} {} {leg} {dir} {data}", record.t_us, record.session)
    };
    records(imported).map(show).collect()
}

#[test]
fn sockets_that_log_in_are_sessions() {
    let lost = [sent("receive", 99.0, "x")];
    let other = [sent("send", 5.0, r#"{"jsonrpc":"2.0"}"#)];
    let web = [
        login(100.0005, "websdk"),
        login_ret(100.25),
        sent("send", 100.2, r#"["set_flag",1]"#),
        sent("send", 100.2, r#"["ping",1]"#),
        sent("receive", 100.2, r#"["pong",1]"#),
    ];
    let java = [login(101.0, "javasdk")];
    let found = imported(&har(&[&lost, &[], &other, &web, &java])).expect("two sessions");
    let expected = [
        r#"500 1 env in begin "web" "al""#,
        r#"500 1 legacy in 4 ["login",{"account":"al","device":"websdk","token":"<token>","vid":"app"}]"#,
        r#"500 1 env in {"name":{"uid":["al",7]}}"#,
        r#"500 1 env in {"admitted":{"socket":4,"line":"L"}}"#,
        r#"250000 1 legacy out 4 ["login_ret",["","{\"line\":\"L\",\"result\":\"ok\",\"uid\":7}"]]"#,
        r#"250000 1 legacy in 4 ["set_flag",1]"#,
        // It gets no more output after the account's next login.
        r#"999999 1 legacy in {"closed":4}"#,
        r#"1000000 2 env in begin "java-python" "al""#,
        r#"1000000 2 legacy in 5 ["login",{"account":"al","device":"javasdk","token":"<token>","vid":"app"}]"#,
    ];
    assert_eq!(shown(&found), expected);
    let counts = (
        found.sessions,
        found.frames,
        found.not_admitted,
        found.silent,
        found.others,
    );
    assert_eq!(counts, (2, 4, 1, 2, 1));
    assert_eq!(found.trace.header.started_ms, 100_000);
    assert_eq!(found.trace.header.missing, [Leg::Rtm]);
}

/// The app's entries are imported, however invalid the others are.
#[test]
fn odd_entries_of_others_are_left_out() {
    let own = har(&[&[login(1.0, "websdk"), login_ret(1.1)]]);
    let other =
        |messages: Json| json!({ "request": { "url": "wss://other.example/" }, "_webSocketMessages": messages });
    let message = |key: &str, value: Json| {
        let mut message = sent("send", 1.0, "x");
        message[key] = value;
        other(json!([message]))
    };
    let check = |entry: Json, (silent, others, odd): (usize, usize, usize)| {
        let mut har = own.clone();
        har["log"]["entries"]
            .as_array_mut()
            .expect("a list")
            .insert(0, entry.clone());
        let found = imported(&har).unwrap_or_else(|error| panic!("{entry}: {error}"));
        assert_eq!(found.sessions, 1, "{entry}");
        assert_eq!(
            (found.silent, found.others, found.odd),
            (silent, others, odd),
            "{entry}"
        );
    };
    for time in [json!("2019-05-24T20:41:22Z"), json!(null), json!({}), json!(-1)] {
        check(message("time", time), (0, 1, 0));
    }
    for data in [json!(null), json!({ "a": 1 }), json!(7), json!([])] {
        check(message("data", data), (0, 1, 0));
    }
    for opcode in [json!("text"), json!(null), json!(1.0), json!(1e300)] {
        check(message("opcode", opcode), (0, 1, 0));
    }
    for kind in [json!(5), json!(null)] {
        check(message("type", kind), (0, 1, 0));
    }
    check(other(json!([null, 7, "x"])), (0, 1, 0));
    check(other(json!([{ "type": "receive", "data": null }])), (1, 0, 0));
    check(other(json!({})), (0, 0, 1));
    check(other(json!("x")), (0, 0, 1));
    for entry in [json!(null), json!(7), json!([]), json!("x")] {
        check(entry, (0, 0, 1));
    }
    for entry in [
        json!({ "request": null }),
        json!({ "request": 7 }),
        json!({ "request": { "url": null } }),
        json!({ "request": {}, "_resourceType": 5 }),
        json!({}),
    ] {
        check(entry, (0, 0, 0));
    }
    // Half a character, as developer tools write it.
    let text = own.to_string().replace("\"log\":{", r#""log":{"comment":"\ud83d","#);
    import(&tables(), text.as_bytes()).expect("comments are ignored");
}

/// Tools differ in more than names.
#[test]
fn messages_are_taken_as_tools_write_them() {
    let call = r#"["call2",["f",1,{"line":"L"}]]"#;
    let mut messages = vec![login(1.0, "websdk"), login_ret(1.1), sent("send", 1.2, call)];
    let expected = frames(&imported(&har(&[&messages])).expect("a session"));
    assert_eq!(expected.len(), 3);
    let same = |messages: &[Json], what: &str| {
        let found = imported(&har(&[messages])).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(frames(&found), expected, "{what}");
    };
    let newest_first: Vec<Json> = messages.iter().rev().cloned().collect();
    same(&newest_first, "the newest first");
    let mut early = vec![sent("send", 0.5, "no frame"), sent("receive", 0.6, "x")];
    early.extend(messages.iter().cloned());
    same(&early, "frames before the login");
    assert_eq!(imported(&har(&[&early])).expect("a session").early, 2);
    for message in &mut messages {
        let is_sent = message["type"] == "send";
        message["type"] = json!(if is_sent { "OUTGOING" } else { "Received" });
        message["opcode"] = json!(0.0);
    }
    same(&messages, "other words");

    // Half a character becomes the character for it in the archive's own JSON; that of the frame stays as it is.
    let half = |text: &str| {
        let har = har(&[&[login(1.0, "websdk"), login_ret(1.1), sent("send", 1.2, "HALF")]]).to_string();
        let found = import(&tables(), har.replace("HALF", text).as_bytes()).expect("a session");
        frames(&found).pop().expect("a frame").2
    };
    assert_eq!(
        half(r#"[\"call2\",[\"f\",1,\"\ud83d\"]]"#),
        "[\"call2\",[\"f\",1,\"\u{fffd}\"]]"
    );
    assert_eq!(
        half(r#"[\"call2\",[\"f\",1,\"\\ud83d\"]]"#),
        r#"["call2",["f",1,"\ud83d"]]"#
    );
}

#[test]
fn invalid_entries_are_refused_at_their_place() {
    let check = |bytes: &[u8], expected: &str| {
        let error = import(&tables(), bytes).expect_err("it cannot be imported");
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
        assert!(!error.hint().is_empty());
    };
    let check_har = |har: Json, expected: &str| check(har.to_string().as_bytes(), expected);
    check(b"", "line 1, column 0: invalid or truncated JSON");
    check(b"{\"log\":\n{", "line 2, column 1: invalid or truncated JSON");
    check(b"\xef\xbb\xbf[]", "not a HAR file");
    check(b"\xff\xfe", "line 1, column 1: invalid or truncated JSON");
    check_har(json!({ "log": {} }), "not a HAR file: missing field `entries`");
    check_har(json!({ "log": { "entries": 7 } }), "not a HAR file");
    check_har(json!({ "log": { "entries": [] } }), "none of 0 entries");
    check_har(json!({ "log": { "entries": [{}] } }), "none of 1 entries");
    check_har(har(&[&[], &[]]), "none of 2 entries has WebSocket messages");
    check_har(
        har(&[&[sent("send", 1.0, "x")], &[sent("receive", 1.0, r#"["login",{}]"#)]]),
        "none of 2 WebSockets sent a legacy Web login",
    );
    let mut binary = sent("receive", 2.0, "AAAA");
    binary["opcode"] = json!(2);
    check_har(
        har(&[&[], &[login(1.0, "websdk"), binary]]),
        "entry 1 (wss://sig.example.com/), message 1: its binary data",
    );
    check_har(
        har(&[&[login(-1.0, "websdk")]]),
        "entry 0 (wss://sig.example.com/), message 0: its time is out of range",
    );
    let mut odd = sent("send", 2.0, r#"["set_flag",1]"#);
    odd["time"] = json!("2019-05-24T20:41:22Z");
    check_har(
        har(&[&[], &[login(1.0, "websdk"), odd]]),
        "entry 1 (wss://sig.example.com/), message 1: its time is not a number",
    );
    check_har(
        har(&[&[login(1.0, "websdk"), sent("send", 2.0, "no JSON")]]),
        "entry 0 (wss://sig.example.com/), message 1: not a frame of the Web wire",
    );
    // More than a line of a trace holds, once it is escaped.
    check_har(
        har(&[&[login(1.0, "websdk"), sent("receive", 2.0, "\u{1}".repeat(1_000_000))]]),
        "entry 0 (wss://sig.example.com/): line 4: line longer",
    );
}

/// The frames of the legacy leg.
fn frames(imported: &Imported) -> Vec<(u64, Dir, String)> {
    let legacy = records(imported).filter(|record| record.leg == Leg::Legacy);
    let first = imported.trace.records[0].1.t_us;
    let frame = |record: &Record| {
        let text = record.data.get("frame").cloned().unwrap_or_default().into_text();
        (record.t_us - first, record.dir, text.to_string())
    };
    legacy.map(frame).collect()
}

#[test]
fn a_browsers_archive_is_imported_exported_and_imported_again() {
    let bytes = std::fs::read(fixture()).expect("the fixture");
    let first = import(&tables(), &bytes).expect("it is Chromium's");
    let counts = (first.sessions, first.not_admitted, first.silent, first.others);
    assert_eq!(counts, (2, 0, 2, 1));
    assert!(first.frames > 30, "{}", first.frames);
    let har = export(&first.trace);
    let again = imported(&har).expect("what is exported is imported");
    assert_eq!(frames(&again), frames(&first));
    assert_eq!((again.silent, again.others), (0, 0));
    let entry = &har["log"]["entries"][0];
    assert_eq!(entry["response"]["status"], 101);
    assert_eq!(entry["_resourceType"], "websocket");
    assert_eq!(entry["request"]["url"], "wss://sigbridge.invalid/session/1/socket/2");
    let started = entry["startedDateTime"].as_str().expect("a date");
    assert!(
        started.starts_with("2026-11-21T") && started.ends_with('Z'),
        "{started}"
    );
}

#[test]
fn replay_reports_a_missing_half() {
    let found = imported(&har(&[&[login(1.0, "websdk"), login_ret(1.0)]])).expect("a session");
    let tables = tables();
    let encoders = Arc::new(encoders(&tables).expect("a wire for each profile"));
    let error = replay(&tables, &encoders, &found.trace).expect_err("it has no RTM");
    assert!(
        error.to_string().starts_with("line 1: the trace has no leg `rtm`"),
        "{error}"
    );
}

/// A server's recording, and the archive that developer tools would have of its clients.
#[test]
fn an_archive_and_a_recording_of_one_session_do_not_differ() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
    let names = [
        "peer.send",
        "channel.join.switch",
        "invite.send",
        "login.login.resumed",
        "channel-attr.set",
    ];
    for name in names {
        let text = std::fs::read_to_string(folder.join(format!("{name}.web.jsonl"))).expect("a fixture");
        let recording = read(text.as_bytes()).expect("a trace");
        let archive = imported(&export(&recording)).expect("it has sessions").trace;
        for (a, b) in [(&recording, &archive), (&archive, &recording)] {
            assert_eq!(Scope::of([a, b]), Scope::Frames);
            let found = diff(a, b, Scope::Frames);
            assert!(found.is_empty() && found.compared > 0, "{name}: {found}");
        }
        let mut other = archive.clone();
        let answer = other.records.iter_mut().find(|(_, record)| {
            let frame = record.data.get("frame").cloned().unwrap_or_default().into_text();
            record.dir == Dir::Out && frame.starts_with(r#"["call2-ret""#)
        });
        let (_, record) = answer.expect("an answer");
        let text = record.data.to_json().replace("ok", "KO");
        record.data = Value::from_json(&text).expect("JSON");
        let found = diff(&recording, &other, Scope::Frames);
        assert_eq!(found.sessions.len(), 1, "{name}: {found}");
        assert!(
            found.sessions[0].causes[0].kind.starts_with("legacy call "),
            "{name}: {found}"
        );
    }
}

/// The messages of two clients in a browser's HAR are those of a replay.
#[test]
fn the_legacy_side_of_an_archive_is_played_live() {
    let bytes = std::fs::read(fixture()).expect("the fixture");
    let found = import(&tables(), &bytes).expect("it is Chromium's");
    let tables = tables();
    let encoders = Arc::new(encoders(&tables).expect("a wire for each profile"));
    let outcome = replay_embedded(&tables, &encoders, &found.trace, 1).expect("it makes sense");
    assert!(outcome.differences.is_empty(), "{:#?}", outcome.differences);
    assert_eq!((outcome.sessions, outcome.passed_over), (2, 0));
}

/// Developer tools write half an emoji as the app has: a trace of it is as good as any.
#[test]
fn an_archive_with_texts_that_were_cut_is_played_live() {
    let call = r#"["call2",["user_sendmsg",1,{"line":"L","peer":"al","content":"cut \ud83d"}]]"#;
    let reply = r#"["call2-ret",[1,"","{\"result\":\"ok\"}"]]"#;
    let session = [
        login(1.0, "websdk"),
        login_ret(1.0),
        sent("send", 2.0, call),
        sent("receive", 2.1, reply),
    ];
    let mut inner = har(&[&session]).to_string();
    // And in a frame that the tool took apart itself.
    inner = inner.replace("passed over", "\\ud83d");
    let found = import(&tables(), inner.as_bytes()).expect("a session");
    assert!(frames(&found).iter().any(|(_, _, text)| text == call));
    let tables = tables();
    let encoders = Arc::new(encoders(&tables).expect("a wire for each profile"));
    let outcome = replay_embedded(&tables, &encoders, &found.trace, 1).expect("it can be played");
    assert_eq!(
        (outcome.sessions, outcome.passed_over),
        (1, 0),
        "{:#?}",
        outcome.differences
    );
}

#[test]
fn the_command_writes_a_file_or_nothing() {
    let folder = std::env::temp_dir().join(format!("sigbridge-har-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = |name: &str| folder.join(name).display().to_string();
    let run = |args: &[&str]| -> Output {
        let program = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
            .arg("trace")
            .args(args)
            .output();
        program.expect("the program runs")
    };
    let check = |args: &[&str], code: i32, start: &str| {
        let output = run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.starts_with(start), "{text}");
    };
    let fixture = fixture().display().to_string();
    let (trace, har) = (path("a.jsonl"), path("a.har"));
    check(&["import", &fixture, "-o", &trace], 0, "imported 2 sessions with ");
    check(&["export", &trace, "-o", &har], 0, "exported 2 sockets\n");
    let to_stdout = run(&["import", &fixture]).stdout;
    assert_eq!(to_stdout, std::fs::read(&trace).expect("the trace"));
    std::fs::write(path("bad.har"), "{").expect("writable");
    std::fs::write(
        path("empty.jsonl"),
        to_stdout.split_inclusive(|b| *b == b'\n').next().expect("a header"),
    )
    .expect("writable");
    let bad = format!("error: {}: ", path("bad.har"));
    check(&["import", &path("bad.har"), "-o", &path("b.jsonl")], 65, &bad);
    check(&["import", &path("none.har")], 65, "error: ");
    check(&["export", &har], 2, "error: ");
    check(&["export", &path("empty.jsonl")], 2, "error: ");
    check(&["import", &fixture, "-o", &path("none/b.jsonl")], 1, "error: ");
    // Under whatever name it is read.
    let same = format!("{}/./a.jsonl", folder.display());
    for from in ["import", "export"] {
        check(
            &[from, &trace, "-o", &trace],
            64,
            &format!("error: {trace} is an input"),
        );
        check(&[from, &trace, "-o", &same], 64, &format!("error: {same} is an input"));
    }
    assert_eq!(to_stdout, std::fs::read(&trace).expect("the trace is as it was"));
    let mut left: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["a.har", "a.jsonl", "bad.har", "empty.jsonl"]);
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}
