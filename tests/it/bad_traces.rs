//! Traces that cannot be played are refused at their line, and nothing is written.

use std::fs;
use std::process::Command;

use crate::support::{folder, tables};
use trace::{read, replay, replay_embedded};

const HEADER: &str = r#"{"sigbridge_trace":1,"started_ms":5,"program":"0.1.0"}"#;
const BEGIN: &str = r#"{"begin":{"profile":"web","account":"alice","offlineMessages":false,"lacks":[],"limits":{"login":4000,"grace":30000,"rejoin":10000,"invite":20000,"mailbox":200,"mailbox_ttl":3600000,"messages_per_second":60,"discard_over_rate":false,"empty_attributes":false,"strict_reinvite":false}}}"#;
const LOGIN: &str =
    r#"{"socket":1,"frame":"[\"login\",{\"vid\":\"app\",\"account\":\"alice\",\"token\":\"<token>\"}]"}"#;
const ADMITTED: &str = r#"{"admitted":{"socket":1,"line":"l"}}"#;

fn line(t_us: u64, leg: &str, dir: &str, data: &str) -> String {
    format!(r#"{{"t_us":{t_us},"session":1,"leg":"{leg}","dir":"{dir}","data":{data}}}"#)
}

/// A client that has logged in, and what follows.
fn begun(more: &[String]) -> String {
    let mut lines = vec![
        HEADER.to_owned(),
        line(0, "env", "in", BEGIN),
        line(1000, "legacy", "in", LOGIN),
        line(1000, "env", "in", ADMITTED),
        line(1000, "timer", "out", r#"{"set":"login","at_ms":4006}"#),
        line(
            1000,
            "rtm",
            "out",
            r#"{"request":1,"call":{"login":{"uid":"alice","token":null}}}"#,
        ),
    ];
    lines.extend_from_slice(more);
    lines.join("\n") + "\n"
}

/// Errors of the replay, with recorded or live RTM.
fn refused(text: &str, live: bool) -> Option<String> {
    let (tables, encoders) = tables();
    let trace = match read(text.as_bytes()) {
        Ok(trace) => trace,
        Err(error) => return Some(error.to_string()),
    };
    let played = if live {
        replay_embedded(&tables, &encoders, &trace, 1)
    } else {
        replay(&tables, &encoders, &trace)
    };
    played.err().map(|error| error.to_string())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    for live in [false, true] {
        let got = refused(text, live).unwrap_or_default();
        assert!(
            got.starts_with(expected) && got.is_empty() == expected.is_empty(),
            "{got:?}, expected {expected:?}"
        );
    }
}

/// Errors that are independent of RTM.
#[track_caller]
fn check_recorded(text: &str, expected: &str) {
    let got = refused(text, false).unwrap_or_default();
    assert!(got.starts_with(expected), "{got:?}, expected {expected:?}");
    assert_eq!(refused(text, true), None);
}

#[test]
fn files_that_are_no_traces() {
    check("", "line 1: missing header: the file is empty");
    check("\n", "line 1: missing header: the file is empty");
    check("hello\n", "line 1: invalid trace header: expected value");
    check("{}\n", "line 1: invalid trace header: missing field `sigbridge_trace`");
    check(&line(0, "env", "in", BEGIN), "line 1: truncated trace");
    check(
        &(line(0, "env", "in", BEGIN) + "\n"),
        "line 1: invalid trace header: missing field",
    );
    check("{\"log\":{\"entries\":[]}}\n", "line 1: invalid trace header");
    check("\u{feff}{}\n", "line 1: invalid trace header");
    let other = r#"{"sigbridge_trace":2,"begun":"today"}"#.to_owned() + "\n";
    check(
        &other,
        "line 1: unsupported trace version 2; this program reads version 1",
    );
    check(&format!("{HEADER}\n"), "");
}

#[test]
fn lines_that_are_no_records() {
    check(&begun(&[]), "");
    let whole = begun(&[]);
    check(
        &whole[..whole.len() - 1],
        "line 6: truncated trace: the line has no end",
    );
    check(
        &whole[..whole.len() - 9],
        "line 6: truncated trace: the line has no end",
    );
    check(&begun(&["".into()]), "");
    check(
        &begun(&["".into(), "{}".into()]),
        "line 8: invalid record: missing field",
    );
    check(&begun(&["{}".into()]), "line 7: invalid record: missing field");
    check(
        &begun(&[line(1, "sky", "in", "{}")]),
        "line 7: invalid record: unknown variant `sky`",
    );
    check(
        &begun(&[line(1, "env", "up", "{}")]),
        "line 7: invalid record: unknown variant `up`",
    );
    check(&begun(&[line(1, "env", "in", "{")]), "line 7: invalid record: ");
    let more = line(1, "env", "in", "{}").replace("\"data\"", "\"date\"");
    check(&begun(&[more]), "line 7: invalid record: unknown field `date`");
    let negative = line(1, "env", "in", "{}").replace("\"t_us\":1", "\"t_us\":-1");
    check(&begun(&[negative]), "line 7: invalid record: ");
    check(&begun(&["x".repeat(5 << 20)]), "line 7: line longer than 4194304 bytes");
    check(
        &begun(&[line(1, "env", "in", &"[".repeat(1 << 20))]),
        "line 7: invalid record: ",
    );
    check(&begun(&["{\"t_us\":\0}".into()]), "line 7: invalid record: ");
    let bytes = [begun(&[]).as_bytes(), b"\xff\n"].concat();
    let error = read(&*bytes).expect_err("it is not UTF-8").to_string();
    assert_eq!(error, "line 7: invalid record: it is not UTF-8");
}

#[test]
fn impossible_records_are_refused() {
    check(
        &begun(&[line(999, "env", "in", r#"{"cut":true}"#)]),
        "line 7: t_us decreases",
    );
    let of_another = |data: &str| line(1000, "env", "in", data).replace("\"session\":1", "\"session\":2");
    check(
        &begun(&[of_another(r#"{"admitted":{"socket":1,"line":"l"}}"#)]),
        "line 7: session 2 did not begin",
    );
    check_recorded(
        &begun(&[of_another(r#"{"end":true}"#).replace("\"in\"", "\"out\"")]),
        "line 7: session 2 did not begin",
    );
    check(
        &begun(&[line(1000, "env", "in", BEGIN)]),
        "line 7: session 1 began already",
    );
    let unknown = BEGIN.replace("\"web\"", "\"bew\"");
    check(&begun(&[of_another(&unknown)]), "line 7: unknown profile `bew`");
    check(
        &begun(&[of_another(r#"{"begin":{}}"#)]),
        "line 7: begin lacks the string `profile`",
    );
    check(
        &begun(&[of_another(&BEGIN.replace("\"grace\":30000", "\"grace\":\"x\""))]),
        "line 7: limits lack `grace`",
    );
    check(
        &begun(&[line(1000, "env", "in", r#"{"admitted":{"socket":2,"line":"l"}}"#)]),
        "line 7: the socket 2 sent no login",
    );
    check(
        &begun(&[line(1000, "env", "in", r#"{"alive":1}"#)]),
        r#"line 7: {"alive":1} is not an input"#,
    );
    check(
        &begun(&[line(1000, "env", "in", r#"{"attached":{"socket":1,"how":"so"}}"#)]),
        "line 7: ",
    );
    check(
        &begun(&[line(1000, "legacy", "in", r#"{"socket":1}"#)]),
        "line 7: a frame must be a string",
    );
    check(
        &begun(&[line(1000, "legacy", "in", r#"{"frame":"x"}"#)]),
        "line 7: a socket must be a number",
    );
    check(
        &begun(&[line(1000, "legacy", "in", r#"{"socket":1,"frame":"x"}"#)]),
        "line 7: x is not a frame",
    );
    let rtm = |data: &str| begun(&[line(1000, "rtm", "in", data)]);
    check_recorded(
        &rtm(r#"{"request":7,"reply":{}}"#),
        "line 7: a reply to the unknown call 7",
    );
    check_recorded(&rtm(r#"{"request":1,"reply":7}"#), "line 7: an empty result");
    check_recorded(
        &rtm(r#"{"request":1,"error":"LOGIN.NONE"}"#),
        "line 7: a member of an RTM error enum",
    );
    check_recorded(&rtm(r#"{"event":{"Dance":{}}}"#), "line 7: an RTM event, not Dance");
    check_recorded(&rtm("{}"), "line 7: {} is not a reply or an event");
    let due = |t_us, data: &str| begun(&[line(t_us, "timer", "in", data)]);
    check_recorded(&due(1000, r#"{"due":"grace"}"#), "line 7: the timer grace is not set");
    check_recorded(
        &due(1000, r#"{"due":"login"}"#),
        "line 7: the timer login is due at 4006 ms",
    );
    check_recorded(
        &due(1000, r#"{"due":"sleep"}"#),
        r#"line 7: {"due":"sleep"} is not a fired timer"#,
    );
}

#[test]
fn the_commands_say_so_and_write_nothing() {
    let folder = folder("bad");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("bad.jsonl");
    fs::write(&path, begun(&["{}".into()])).expect("writable");
    let before = fs::read(&path).expect("it is there");
    let path = path.display().to_string();
    let check = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sigbridge")).args(args).output();
        let output = output.expect("the program runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(
            text.contains("bad.jsonl") && text.contains("line 7: invalid record"),
            "{args:?}: {text}"
        );
    };
    check(&["replay", &path]);
    check(&["replay", "--update", &path]);
    check(&["replay", "--against", "embedded", &path]);
    check(&["coverage", &path]);
    check(&["diff", &path, &path]);
    check(&[
        "trace",
        "export",
        &path,
        "-o",
        &folder.join("bad.har").display().to_string(),
    ]);
    assert_eq!(fs::read(&path).expect("it is there"), before);
    assert_eq!(fs::read_dir(&folder).expect("readable").count(), 1);
    fs::remove_dir_all(&folder).expect("it can be removed");
}
