//! The Web agent without its browser and without the vendor's SDK: its modules in Node, and its names against ours.
//!
//! Needs Node 20.11; without it it is skipped, except on CI.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::lane::{missing, skipped};
use rtm::value::Value;
use rtm::{CallKind, ErrorEnum, EventKind};
use tables::Tables;
use tables::platform::Platform;

#[test]
fn the_pages_modules_do_what_the_link_wants() {
    if skipped(missing("node", [20, 11])) {
        return;
    }
    let output = Command::new("node")
        .arg("--test")
        .arg(tests())
        .stdin(Stdio::null())
        .output();
    let output = output.expect("node runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let ran = stdout.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(ran > 100, "only {ran} tests:\n{stdout}");
}

#[test]
fn the_pages_names_are_those_of_the_table() {
    if skipped(missing("node", [20, 11])) {
        return;
    }
    let mut run = Command::new("node");
    let output = run.arg(tests().join("vocabulary.mjs")).stdin(Stdio::null()).output();
    let output = output.expect("node runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let page = Value::from_json(&String::from_utf8_lossy(&output.stdout)).expect("JSON");
    let tables = Tables::built_in().expect("the built-in tables");
    let web = tables.platforms.iter().find(|platform| &*platform.name == "web");
    let web = web.expect("the Web SDK's names");
    assert_eq!(calls(&page), expected_calls(web));
    let events: BTreeSet<String> = texts(&page, "events").collect();
    let expected = EventKind::ALL.iter().map(|kind| web.event_name(*kind).to_owned());
    assert_eq!(events, expected.collect());
    errors(&page, web);
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("agent/web/test")
}

/// Name, first error enum, parameters, true with a result.
type Call = (String, String, Vec<String>, bool);

fn calls(page: &Value) -> BTreeSet<Call> {
    let calls = page.get("calls").and_then(Value::as_list).expect("calls");
    let text = |call: &Value, key: &str| call.get(key).and_then(Value::as_text).expect("a text").to_string();
    calls
        .iter()
        .map(|call| {
            let has_result = call.get("hasResult") == Some(&Value::Bool(true));
            let params = texts(call, "params").collect();
            (text(call, "name"), text(call, "of"), params, has_result)
        })
        .collect()
}

fn expected_calls(web: &Platform) -> BTreeSet<Call> {
    let has = |kind: &&CallKind| !web.lacks.contains(kind);
    let calls = CallKind::ALL.iter().filter(has).map(|kind| {
        let name = web.call_name(*kind).to_owned();
        let of = kind.errors().first().expect("an enum").name().to_owned();
        let params = kind.fields().iter().map(|field| field.name.to_owned()).collect();
        let has_result = kind.reply() != rtm::ReplyKind::Void;
        (name, of, params, has_result)
    });
    calls.collect()
}

/// Each number that the Web SDK can give has the name of the table.
fn errors(page: &Value, web: &Platform) {
    let enums = page.get("errors").and_then(Value::as_map).expect("errors");
    for (name, members) in enums {
        let of = ErrorEnum::parse(name).expect("an enum of RTM");
        let members: BTreeSet<(String, String)> = members
            .as_map()
            .expect("members")
            .iter()
            .map(|(number, name)| (number.to_string(), name.as_text().expect("a name").to_string()))
            .collect();
        let expected = of.members().into_iter().filter(|error| error.number() != 101);
        let expected = expected.map(|error| (error.number().to_string(), web.error_name(error).to_owned()));
        assert_eq!(members, expected.collect(), "{name}");
    }
    let used = CallKind::ALL.iter().flat_map(|kind| kind.errors().first());
    for of in used {
        assert!(enums.iter().any(|(name, _)| &**name == of.name()), "{}", of.name());
    }
}

fn texts<'v>(of: &'v Value, key: &str) -> impl Iterator<Item = String> + 'v {
    let list = of.get(key).and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(Value::as_text).map(ToString::to_string)
}
