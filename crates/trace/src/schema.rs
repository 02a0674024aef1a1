//! JSON Schema (2020-12) of the trace format, generated from the code. <https://json-schema.org/draft/2020-12>
//!
//! It describes one line. Contents of frames and arguments of the tables are not described.

mod rtm_schema;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value as Json, json};

use engine::SessionLimits;
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
    let mut definitions = Map::new();
    let mut define = |name: &str, schema: Json| {
        definitions.insert(name.into(), schema);
    };
    define("header", header());
    define("record", record());
    define("count", json!({ "type": "integer", "minimum": 0 }));
    define("lines", lines());
    define("begin", begin());
    for (name, data) in data() {
        define(&name, data);
    }
    for (name, schema) in rtm_schema::definitions() {
        define(name, schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:sigbridge:trace:1",
        "title": "a line of a sigbridge trace",
        "description": "The first line is a header, every other one a record.",
        "oneOf": [reference("header"), reference("record")],
        "$defs": definitions,
    })
}

fn header() -> Json {
    json!({
        "type": "object",
        "required": ["sigbridge_trace", "started_ms", "program"],
        "additionalProperties": false,
        "properties": {
            "sigbridge_trace": { "const": VERSION },
            "started_ms": described(count(), "when the trace began, milliseconds since the UNIX epoch"),
            "program": described(text(), "the version that wrote it"),
            "redaction": described(text(), "what was replaced when it was written"),
            "source": described(text(), "where the lines come from, when it was no recording"),
            "missing": { "type": "array", "items": leg(), "description": "legs of which the source knew nothing" },
        },
    })
}

fn record() -> Json {
    json!({
        "type": "object",
        "required": ["t_us", "session", "leg", "dir", "data"],
        "additionalProperties": false,
        "properties": {
            "t_us": described(count(), "microseconds since the trace began"),
            "session": described(count(), "the session, numbered within the trace; 0 is none"),
            "leg": leg(),
            "dir": { "enum": ["in", "out"] },
            "row": described(text(), "the row that an output is from"),
            "data": { "type": "object" },
        },
        "oneOf": SIDES.iter().map(|(leg, dir)| side(leg, dir)).collect::<Vec<_>>(),
    })
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

fn side(leg: &str, dir: &str) -> Json {
    json!({ "properties": {
        "leg": { "const": leg },
        "dir": { "const": dir },
        "data": reference(&format!("{leg}-{dir}")),
    } })
}

fn leg() -> Json {
    json!({ "enum": ["legacy", "rtm", "http", "timer", "env"] })
}

/// Returns the data schema of each leg and direction.
fn data() -> Vec<(String, Json)> {
    let frame = || object(&[("socket", count()), ("frame", text())]);
    let login = || [("socket", count()), ("line", text())];
    let attached = [
        login().as_slice(),
        &[("how", names(ATTACH.iter().map(|(name, _)| *name)))],
    ]
    .concat();
    let code = object(&[("row", text()), ("code", text())]);
    let always = json!({ "const": true });
    let one_of = |schemas: Vec<Json>| json!({ "oneOf": schemas });
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
        ("rtm-in", rtm_schema::told()),
        ("rtm-out", rtm_schema::asked()),
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
                object(&[(
                    "over_rate",
                    object(&[("socket", count()), ("call", json!({ "type": "integer" }))]),
                )]),
                object(&[("pressed", json!({ "type": "boolean" }))]),
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
fn begin() -> Json {
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
    let mut schema = like(&entries);
    schema["properties"]["lacks"] = reference("rtm-calls");
    // Missing unless the session is stored.
    schema["properties"]["durable"] = json!({ "type": "boolean" });
    // Missing if the upstream is not an SDK.
    schema["properties"]["platform"] = text();
    // Older traces may lack newer limits.
    schema["properties"]["limits"]["required"] = json!([]);
    schema
}

/// Builds an object schema from example values.
fn like(entries: &[(Text, Value)]) -> Json {
    let member = |(name, value): &(Text, Value)| {
        let schema = match value {
            Value::Map(entries) => like(entries),
            Value::List(_) => json!({ "type": "array" }),
            Value::Bool(_) => json!({ "type": "boolean" }),
            Value::Int(_) | Value::Number(_) => count(),
            Value::Text(_) | Value::Null => text(),
        };
        (name.to_string(), schema)
    };
    let members: Vec<(String, Json)> = entries.iter().map(member).collect();
    let members: Vec<(&str, Json)> = members.iter().map(|(name, schema)| (&**name, schema.clone())).collect();
    object(&members)
}

/// Returns the schema of a name translation.
fn name() -> Json {
    let pair = |answer: Json| {
        let pair = json!([text(), answer]);
        json!({ "type": "array", "prefixItems": pair, "items": false, "minItems": 2 })
    };
    let texts = ["userId", "account", "channelId", "channel"].map(|which| object(&[(which, pair(text()))]));
    let uid = object(&[("uid", pair(json!({ "type": "integer" })))]);
    json!({ "oneOf": texts.into_iter().chain([uid]).collect::<Vec<_>>() })
}

/// Returns the schema of mailbox lines with their times.
fn lines() -> Json {
    let line = object(&[
        ("event", text()),
        ("row", text()),
        ("args", json!({ "type": "array" })),
        ("at_ms", count()),
    ]);
    json!({ "type": "array", "items": line })
}

fn timer() -> Json {
    json!({ "type": "string", "pattern": timer_name::PATTERN })
}

/// Returns the schema of an object with exactly these members.
fn object(members: &[(&str, Json)]) -> Json {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Json> = members
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({ "type": "object", "required": names, "additionalProperties": false, "properties": properties })
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> Json {
    json!({ "enum": names.collect::<Vec<_>>() })
}

fn text() -> Json {
    json!({ "type": "string" })
}

fn count() -> Json {
    reference("count")
}

fn described(mut schema: Json, what: &str) -> Json {
    schema["description"] = what.into();
    schema
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}
