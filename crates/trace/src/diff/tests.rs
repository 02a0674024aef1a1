use crate::read;

use crate::diff::*;

/// Lines `leg dir data` of one session of alice, with increasing times.
fn trace(program: &str, lines: &str) -> Trace {
    let mut text = format!("{{\"sigbridge_trace\":1,\"started_ms\":5,\"program\":\"{program}\"}}\n");
    let begin = r#"env in {"begin":{"account":"alice"}}"#;
    for (at, line) in [begin].into_iter().chain(lines.lines()).enumerate() {
        let mut words = line.trim().splitn(3, ' ');
        let mut next = || words.next().expect("leg, dir and data");
        let (leg, dir, data) = (next(), next(), next());
        let row = if (leg, dir) == ("legacy", "out") {
            r#""row":"r","#
        } else {
            ""
        };
        text.push_str(&format!(
            "{{\"t_us\":{at},\"session\":3,\"leg\":\"{leg}\",\"dir\":\"{dir}\",{row}\"data\":{data}}}\n"
        ));
    }
    read(text.as_bytes()).expect("a trace")
}

fn compared(a: &Trace, b: &Trace) -> Diff {
    diff(a, b, Scope::of([a, b]))
}

/// Each different output: cause, output, path; `-` marks a missing one.
fn shown(found: &Diff) -> Vec<String> {
    let causes = found.sessions.iter().flat_map(|session| &session.causes);
    let outputs = causes.flat_map(|cause| cause.outputs.iter().map(move |output| (cause, output)));
    let shown = outputs.map(|(cause, output)| {
        let places = match (&output.expected, &output.got) {
            (None, _) => "-A".into(),
            (_, None) => "-B".into(),
            _ => output
                .changes
                .iter()
                .map(|c| c.path.clone())
                .collect::<Vec<_>>()
                .join(" "),
        };
        format!("{} > {} {places}", cause.kind, output.kind)
    });
    shown.collect()
}

fn check(a: &str, b: &str, expected: &[&str]) {
    let found = compared(&trace("1", a), &trace("1", b));
    assert_eq!(shown(&found), expected, "{found}");
    assert_eq!(found.is_empty(), expected.is_empty());
}

const CALL: &str = r#"legacy in {"socket":1,"frame":"[\"call2\",[\"f\",7,{\"line\":\"LLL\"}]]"}"#;

#[test]
fn some_fields_are_never_compared() {
    let trace_text = format!(
        r#"env in {{"admitted":{{"socket":1,"line":"LLL"}}}}
        legacy out {{"socket":1,"frame":"[\"login_ret\",[\"\",\"{{\\\"line\\\":\\\"LLL\\\"}}\"]]"}}
        timer out {{"set":"grace","at_ms":5}}
        {CALL}
        rtm out {{"request":4,"call":{{"leave":{{}}}}}}
        rtm in {{"request":4,"reply":null}}
        legacy out {{"socket":1,"frame":"[\"call2-ret\",[7,\"\",\"{{}}\"]]"}}
        rtm in {{"event":{{"MessageFromPeer":{{"serverReceivedTs":9}}}}}}
        legacy out {{"socket":1,"frame":"[\"notify\",\"notify recvmsg [1,\\\"msg-v2 a b f t 100 hi\\\"]\"]"}}
        legacy in {{"closed":1}}"#
    );
    let others = [
        ("\"socket\":1", "\"socket\":8"),
        ("closed\":1", "closed\":8"),
        ("LLL", "MMM"),
        ("\"at_ms\":5", "\"at_ms\":6"),
        ("\"request\":4", "\"request\":5"),
        (",7,{", ",9,{"),
        ("[7,", "[9,"),
        ("Ts\":9", "Ts\":10"),
        (" 100 hi", " 200 hi"),
    ];
    let other = others.iter().fold(trace_text.clone(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    check(&trace_text, &other, &[]);
    check(
        &trace_text,
        &trace_text.replace(" 100 hi", " 100 ho"),
        &["rtm event MessageFromPeer > legacy notify t .frame[1][2].json[1].line.content"],
    );
    check(
        &trace_text,
        &trace_text.replace("\"set\":\"grace\"", "\"set\":\"names\""),
        &["env admitted > timer set grace -B", "env admitted > timer set names -A"],
    );
}

fn call(id: u32, arg: &str, answer: &str) -> String {
    format!(
        "legacy in {{\"socket\":1,\"frame\":\"[\\\"call2\\\",[\\\"f\\\",{id},{{\\\"a\\\":\\\"{arg}\\\"}}]]\"}}\n\
         legacy out {{\"socket\":1,\"frame\":\"[\\\"call2-ret\\\",[{id},\\\"{answer}\\\",\\\"{{}}\\\"]]\"}}\n"
    )
}

#[test]
fn causes_are_paired_whatever_their_order() {
    let a = call(1, "x", "") + &call(2, "y", "no") + &call(3, "z", "");
    check(&a, &(call(1, "y", "no") + &call(2, "z", "") + &call(3, "x", "")), &[]);
    check(
        &a,
        &(call(1, "x", "") + &call(2, "z", "")),
        &["legacy call f > legacy answer f -B"],
    );
    check(
        &a,
        &(call(1, "x", "") + &call(2, "y", "yes") + &call(3, "z", "")),
        &["legacy call f > legacy answer f .frame[1][1]"],
    );
    // A request is not an output.
    check(&a, &(call(1, "x", "") + &call(2, "w", "no") + &call(3, "z", "")), &[]);
    check(&a, &(a.clone() + "legacy in {\"closed\":1}"), &[]);
}

#[test]
fn requests_of_json_rpc_are_causes_as_well() {
    let output = |dir: &str, frame: &str| {
        let frame = serde_json::json!({"socket": 1, "frame": frame});
        format!("legacy {dir} {frame}\n")
    };
    let trace_text = |id: u32, result: &str| {
        output("in", &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"f"}}"#))
            + &output("out", &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"{result}"}}"#))
            + &output("in", &format!(r#"[{{"jsonrpc":"2.0","id":"x{id}","method":"g"}}]"#))
            + &output("out", &format!(r#"[{{"jsonrpc":"2.0","id":"x{id}","result":null}}]"#))
            + &output("out", r#"{"jsonrpc":"2.0","method":"onF","params":{}}"#)
    };
    check(&trace_text(1, "a"), &trace_text(2, "a"), &[]);
    check(
        &trace_text(1, "a"),
        &trace_text(2, "b"),
        &["legacy call f > legacy answer f .frame.result"],
    );
}

#[test]
fn sessions_are_paired_by_account() {
    let bob = |mut trace: Trace| {
        let begin = r#"{"begin":{"account":"bob"}}"#;
        trace.records[0].1.data = rtm::value::Value::from_json(begin).expect("JSON");
        trace
    };
    let found = compared(&trace("1", &call(1, "x", "")), &bob(trace("1", &call(1, "x", ""))));
    let sides: Vec<_> = found.sessions.iter().map(|s| (&*s.account, s.nth, s.only)).collect();
    assert_eq!(sides, [("alice", 1, Some(Side::A)), ("bob", 1, Some(Side::B))]);
    assert_eq!(found.compared, 0);
}

#[test]
fn numbers_of_accounts_are_the_programs() {
    let with = |uid: &str| {
        let name = format!("env in {{\"name\":{{\"uid\":[\"bob\",{uid}]}}}}\n");
        name + &call(1, "x", "").replace("{}", &format!("{{\\\\\\\"uid\\\\\\\":{uid}}}"))
    };
    let (a, b) = (with("1001"), with("2002"));
    check(&a, &b, &["legacy call f > legacy answer f .frame[1][2].json.uid"]);
    let found = compared(&trace("1", &a), &trace("2", &b));
    assert!(found.is_empty(), "{found}");
}

#[test]
fn noise_is_what_differs_on_one_side() {
    let a = call(1, "x", "n1") + &call(2, "y", "");
    let noise = |again: &str| Noise::of(&compared(&trace("1", &a), &trace("1", again)));
    let b = call(1, "x", "n2") + &call(2, "y", "");
    let check = |again: &str, b: &str, removed: usize, rest: &[&str]| {
        let mut found = compared(&trace("1", &a), &trace("1", b));
        assert_eq!(noise(again).remove_from(&mut found), removed, "{found}");
        assert_eq!(shown(&found), rest);
    };
    check(&a, &b, 0, &["legacy call f > legacy answer f .frame[1][1]"]);
    check(&(call(1, "x", "n3") + &call(2, "y", "")), &b, 1, &[]);
    check(&call(1, "x", "n1"), &call(1, "x", "n1"), 1, &[]);
    // Another output missing in the noise recording does not excuse this one.
    check(
        &call(1, "x", "n1"),
        &call(2, "y", ""),
        0,
        &["legacy call f > legacy answer f -B"],
    );
}
