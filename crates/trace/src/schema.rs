//! JSON Schema (2020-12) of the trace format, generated from the code. <https://json-schema.org/draft/2020-12>
//!
//! It describes one line. Contents of frames and arguments of the tables are not described.

mod rtm_schema;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use engine::SessionLimits;
use rtm::schema::{self, DRAFT, closed, constant, described, list, members, named, names, of, one_of, text, with};
use rtm::value::{Text, Value};

use crate::event::GRACE;
use crate::record::VERSION;
use crate::session_context::{ATTACH, Begin};
use crate::timer_name;

/// Returns the schema as indented JSON.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&value()).expect("JSON has only text keys");
    text.push('\n');
    text
}

fn value() -> Json {
    let own = [
        ("header", header()),
        ("record", record()),
        ("count", with(of("integer"), "minimum", 0)),
        ("lines", lines()),
        ("begin", begin()),
    ];
    let data = data();
    let data = data.iter().map(|(name, schema)| (&**name, schema.clone()));
    let definitions = own.into_iter().chain(data).chain(rtm_schema::definitions());
    let document = members([
        ("$schema", DRAFT.into()),
        ("$id", "urn:sigbridge:trace:1".into()),
        ("title", "a line of a sigbridge trace".into()),
        (
            "description",
            "The first line is a header, every other one a record.".into(),
        ),
        ("oneOf", Value::List(vec![reference("header"), reference("record")])),
        ("$defs", named(definitions)),
    ]);
    serde_json::to_value(document).expect("a Value has only text keys")
}

fn header() -> Value {
    let properties = [
        ("sigbridge_trace", constant(i64::from(VERSION))),
        (
            "started_ms",
            described(count(), "when the trace began, milliseconds since the UNIX epoch"),
        ),
        ("program", described(text(), "the version that wrote it")),
        ("redaction", described(text(), "what was replaced when it was written")),
        (
            "source",
            described(text(), "where the lines come from, when it was no recording"),
        ),
        (
            "missing",
            described(list(leg()), "legs of which the source knew nothing"),
        ),
    ];
    schema::record(properties, ["sigbridge_trace", "started_ms", "program"], true)
}

fn record() -> Value {
    let properties = [
        ("t_us", described(count(), "microseconds since the trace began")),
        (
            "session",
            described(count(), "the session, numbered within the trace; 0 is none"),
        ),
        ("leg", leg()),
        ("dir", names(["in", "out"])),
        ("row", described(text(), "the row that an output is from")),
        ("data", of("object")),
    ];
    let record = schema::record(properties, ["t_us", "session", "leg", "dir", "data"], true);
    let sides = SIDES.iter().map(|(leg, dir)| side(leg, dir));
    with(record, "oneOf", Value::List(sides.collect()))
}

/// Legs with their directions.
const SIDES: &[(&str, &str)] = &[
    ("legacy", "in"),
    ("legacy", "out"),
    ("rtm", "in"),
    ("rtm", "out"),
    ("timer", "in"),
    ("timer", "out"),
    ("env", "in"),
    ("env", "out"),
];

fn side(leg: &str, dir: &str) -> Value {
    let properties = [
        ("leg", constant(leg)),
        ("dir", constant(dir)),
        ("data", reference(&format!("{leg}-{dir}"))),
    ];
    members([("properties", named(properties))])
}

fn leg() -> Value {
    names(["legacy", "rtm", "http", "timer", "env"])
}

/// Returns the data schema of each leg and direction.
fn data() -> Vec<(String, Value)> {
    let frame = || object(&[("socket", count()), ("frame", text())]);
    let login = || [("socket", count()), ("line", text())];
    let attached = [
        login().as_slice(),
        &[("how", names(ATTACH.iter().map(|(name, _)| *name)))],
    ]
    .concat();
    let code = object(&[("row", text()), ("code", text())]);
    let always = constant(true);
    let all = [
        (
            "legacy-in",
            vec![
                frame(),
                object(&[("rest", count())]),
                object(&[("closed", count())]),
                object(&[("closed", count()), (GRACE, count())]),
            ],
        ),
        ("legacy-out", vec![frame(), object(&[("close", count())])]),
        ("rtm-in", rtm_schema::emitted()),
        ("rtm-out", rtm_schema::requested()),
        ("timer-in", vec![object(&[("due", timer())])]),
        ("timer-out", vec![object(&[("set", timer()), ("at_ms", count())])]),
        (
            "env-in",
            vec![
                object(&[("begin", reference("begin"))]),
                object(&[("name", name())]),
                object(&[("admitted", object(&login()))]),
                object(&[("attached", object(&attached))]),
                object(&[("kept", reference("lines"))]),
                object(&[("over_rate", object(&[("socket", count()), ("call", of("integer"))]))]),
                object(&[("pressed", of("boolean"))]),
                object(&[("cut", always.clone())]),
                object(&[("lost", always.clone())]),
            ],
        ),
        (
            "env-out",
            vec![
                object(&[("note", code)]),
                object(&[("dropped", text())]),
                object(&[("keep", reference("lines"))]),
                object(&[("end", always)]),
            ],
        ),
    ];
    all.into_iter()
        .map(|(name, schemas)| (name.to_owned(), one_of(schemas)))
        .collect()
}

/// Returns the schema of a session's beginning with default limits.
fn begin() -> Value {
    let example = Begin {
        profile: "web".into(),
        account: "alice".into(),
        platform: None,
        offline_messages: false,
        durable: false,
        lacks: Vec::new(),
        limits: SessionLimits::default(),
    };
    let Value::Map(entries) = example.to_value() else {
        return object(&[]);
    };
    let properties = entries.iter().map(|(name, value)| {
        let schema = match (&**name, value) {
            ("lacks", _) => reference("rtm-calls"),
            // Older traces may lack newer limits.
            ("limits", Value::Map(limits)) => schema::record(like(limits), [], true),
            (_, value) => like_value(value),
        };
        (&**name, schema)
    });
    // Missing if the upstream is not an SDK, and unless the session is stored.
    let properties = properties.chain([("platform", text()), ("durable", of("boolean"))]);
    schema::record(properties, entries.iter().map(|(name, _)| &**name), true)
}

/// Returns the schemas of example values, by name.
fn like(entries: &[(Text, Value)]) -> impl Iterator<Item = (&str, Value)> {
    entries.iter().map(|(name, value)| (&**name, like_value(value)))
}

fn like_value(value: &Value) -> Value {
    match value {
        Value::Map(entries) => closed(like(entries)),
        Value::List(_) => of("array"),
        Value::Bool(_) => of("boolean"),
        Value::Int(_) | Value::Number(_) => count(),
        Value::Text(_) | Value::Null => text(),
    }
}

/// Returns the schema of a name translation.
fn name() -> Value {
    let pair = |answer: Value| {
        members([
            ("type", "array".into()),
            ("prefixItems", Value::List(vec![text(), answer])),
            ("items", false.into()),
            ("minItems", 2.into()),
        ])
    };
    let texts = ["userId", "account", "channelId", "channel"].map(|which| object(&[(which, pair(text()))]));
    let uid = object(&[("uid", pair(of("integer")))]);
    one_of(texts.into_iter().chain([uid]))
}

/// Returns the schema of mailbox lines with their times.
fn lines() -> Value {
    list(object(&[
        ("event", text()),
        ("row", text()),
        ("args", of("array")),
        ("at_ms", count()),
    ]))
}

fn timer() -> Value {
    with(text(), "pattern", timer_name::PATTERN)
}

/// Returns the schema of an object with exactly these members.
fn object(members: &[(&str, Value)]) -> Value {
    closed(members.iter().cloned())
}

fn count() -> Value {
    reference("count")
}

fn reference(name: &str) -> Value {
    schema::reference("#/$defs", name)
}
