//! The published schema of traces is the program's, holds of every trace, and of nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{ApiClient, exercise_all_calls, folder, recording_with, tables, traces};
use jsonschema::Validator;
use serde_json::Value as Json;
use trace::{Policy, schema};

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/trace.schema.json")
}

fn validator() -> Validator {
    let schema: Json = serde_json::from_str(&schema()).expect("it is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("it is a schema of 2020-12");
    jsonschema::validator_for(&schema).expect("its references lead somewhere")
}

#[test]
fn it_is_not_stale() {
    let published = fs::read_to_string(published()).expect("it is there");
    let hint = "write it with: cargo run -- trace schema > fixtures/trace.schema.json";
    assert!(published == schema(), "fixtures/trace.schema.json is stale; {hint}");
}

fn check_lines(validator: &Validator, name: &str, text: &str) -> usize {
    for (at, line) in text.lines().enumerate() {
        let json: Json = serde_json::from_str(line).expect("it is JSON");
        if let Err(error) = validator.validate(&json) {
            panic!("{name}, line {}: {error} at {}: {line}", at + 1, error.instance_path());
        }
    }
    text.lines().count()
}

/// The traces of a folder and of those in it.
fn all_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all_in(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "jsonl") {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn every_line_that_is_recorded_is_valid() {
    let validator = validator();
    let mut found = Vec::new();
    all_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &mut found);
    for (name, policy) in [("schema-kept", Policy::Keep), ("schema-redacted", Policy::Placeholder)] {
        let folder = folder(name);
        let running = recording_with(&folder, policy).await;
        exercise_all_calls(&running).await;
        if policy == Policy::Keep {
            let mut carol = ApiClient::login(running.http, "carol").await;
            carol.call("channelJoin", serde_json::json!(["room"])).await;
        }
        traces(running, &folder).await;
        all_in(&folder, &mut found);
    }
    let mut lines = 0;
    for path in &found {
        let text = fs::read_to_string(path).expect("UTF-8");
        lines += check_lines(&validator, &path.display().to_string(), &text);
    }
    assert!(found.len() >= 2 && lines > 150, "{lines} lines of {found:?}");
}

#[test]
fn an_imported_trace_is_valid() {
    let har = fs::read(published().with_file_name("har/chromium.har")).expect("the fixture");
    let imported = trace::har::import(&tables().0, &har).expect("it is Chromium's");
    let (mut text, trace) = (Vec::new(), &imported.trace);
    let written = trace.write(&mut text, trace.records.iter().map(|(_, record)| record));
    written.expect("there is room");
    check_lines(&validator(), "chromium.har", &String::from_utf8(text).expect("UTF-8"));
}

fn check(validator: &Validator, line: &str, valid: bool) {
    let json: Json = serde_json::from_str(line).expect("it is JSON");
    assert_eq!(validator.is_valid(&json), valid, "{line}");
}

#[test]
fn a_line_of_another_form_is_not() {
    let validator = validator();
    let record = |leg: &str, dir: &str, data: &str| {
        format!(r#"{{"t_us":1,"session":1,"leg":"{leg}","dir":"{dir}","data":{data}}}"#)
    };
    let good = |leg, dir, data| check(&validator, &record(leg, dir, data), true);
    let bad = |leg, dir, data| check(&validator, &record(leg, dir, data), false);
    good("legacy", "in", r#"{"socket":1,"frame":"x"}"#);
    bad("legacy", "in", r#"{"socket":"1","frame":"x"}"#);
    bad("legacy", "in", r#"{"socket":-1,"frame":"x"}"#);
    bad("legacy", "in", r#"{"socket":1}"#);
    bad("legacy", "in", r#"{"socket":1,"frame":"x","more":1}"#);
    good("legacy", "in", r#"{"closed":1}"#);
    good("legacy", "in", r#"{"closed":1,"grace_ms":5000}"#);
    bad("legacy", "out", r#"{"closed":1}"#);
    good("legacy", "out", r#"{"close":1}"#);
    bad("legacy", "in", r#"{"close":1}"#);
    bad("legacy", "in", r#"[1]"#);
    good("rtm", "out", r#"{"request":1,"call":{"join":{"channelId":"r"}}}"#);
    good(
        "rtm",
        "out",
        r#"{"request":1,"call":{"getMembers":{"channelId":"r"}},"via":"r"}"#,
    );
    bad("rtm", "out", r#"{"request":1,"call":{"join":{}}}"#);
    bad("rtm", "out", r#"{"request":1,"call":{"dance":{}}}"#);
    bad(
        "rtm",
        "out",
        r#"{"request":1,"call":{"logout":{},"join":{"channelId":"r"}}}"#,
    );
    bad("rtm", "out", r#"{"call":{"logout":{}}}"#);
    good("rtm", "in", r#"{"request":1,"reply":{}}"#);
    good("rtm", "in", r#"{"request":1,"reply":["a","b"]}"#);
    good("rtm", "in", r#"{"request":1,"reply":{"a":"b"}}"#);
    bad("rtm", "in", r#"{"request":1,"reply":7}"#);
    good("rtm", "in", r#"{"request":1,"error":"JOIN_CHANNEL.TOO_OFTEN"}"#);
    bad("rtm", "in", r#"{"request":1,"error":"JOIN_CHANNEL.TOO_LATE"}"#);
    good(
        "rtm",
        "in",
        r#"{"event":{"MemberLeft":{"channelId":"r","memberId":"a"}}}"#,
    );
    bad(
        "rtm",
        "in",
        r#"{"event":{"MemberLeft":{"channelId":"r","memberId":7}}}"#,
    );
    good("rtm", "in", r#"{"up":false}"#);
    good("rtm", "in", r#"{"lacks":["getMembers"]}"#);
    bad("rtm", "in", r#"{"lacks":["dance"]}"#);
    good("timer", "out", r#"{"set":"invite:3","at_ms":7}"#);
    bad("timer", "out", r#"{"set":"sleep","at_ms":7}"#);
    bad("timer", "in", r#"{"set":"grace","at_ms":7}"#);
    good("timer", "in", r#"{"due":"gather:getChannelMemberCount"}"#);
    good("env", "in", r#"{"name":{"uid":["alice",7]}}"#);
    bad("env", "in", r#"{"name":{"uid":["alice","7"]}}"#);
    bad("env", "in", r#"{"name":{"userId":["alice"]}}"#);
    good("env", "in", r#"{"attached":{"socket":1,"line":"l","how":"twin"}}"#);
    bad("env", "in", r#"{"attached":{"socket":1,"line":"l","how":"so"}}"#);
    bad("env", "in", r#"{"begin":{"profile":"web"}}"#);
    good("env", "out", r#"{"note":{"row":"r","code":"C"}}"#);
    bad("env", "out", r#"{"end":false}"#);
    good("env", "in", r#"{"cut":true}"#);
    bad("http", "in", r#"{}"#);
    let header = r#"{"sigbridge_trace":1,"started_ms":5,"program":"0.1.0"}"#;
    check(&validator, header, true);
    check(&validator, &header.replace(":1,", ":2,"), false);
    check(&validator, &header.replace("started_ms", "started"), false);
    check(&validator, &header.replace('}', r#","missing":["rtm"]}"#), true);
    check(&validator, &header.replace('}', r#","missing":["rtn"]}"#), false);
    let session = record("env", "out", r#"{"end":true}"#);
    check(&validator, &session.replace("\"session\":1,", ""), false);
    check(
        &validator,
        &session.replace("\"session\":1,", "\"session\":1,\"row\":\"r\","),
        true,
    );
    check(
        &validator,
        &session.replace("\"session\":1,", "\"session\":1,\"sass\":1,"),
        false,
    );
    check(&validator, "{}", false);
    check(&validator, "7", false);
}
