//! Schemas of RTM calls, replies, errors and events, from the canonical vocabulary.

use serde_json::{Map, Value as Json, json};

use rtm::{CallKind, ChannelAttribute, EventKind, FieldSpec, FieldType, LocalInvitation, RemoteInvitation};

use crate::schema::{count, names, object, reference, text};

/// Returns shared definitions.
pub fn definitions() -> Vec<(&'static str, Json)> {
    vec![
        ("rtm-message", message()),
        (
            "rtm-call",
            by_name(CallKind::ALL.iter().map(|kind| (kind.name(), kind.fields()))),
        ),
        (
            "rtm-event",
            by_name(EventKind::ALL.iter().map(|kind| (kind.name(), kind.fields()))),
        ),
        ("rtm-calls", json!({ "type": "array", "items": kinds() })),
        ("rtm-reply", reply()),
        ("rtm-error", error()),
    ]
}

/// Returns the schemas of RTM inputs.
pub fn told() -> Vec<Json> {
    vec![
        object(&[("request", count()), ("reply", reference("rtm-reply"))]),
        object(&[("request", count()), ("error", reference("rtm-error"))]),
        object(&[("event", reference("rtm-event"))]),
        object(&[("up", json!({ "type": "boolean" }))]),
        object(&[("lacks", reference("rtm-calls"))]),
    ]
}

/// Returns the schemas of RTM calls.
pub fn asked() -> Vec<Json> {
    let call = ("call", reference("rtm-call"));
    vec![
        object(&[("request", count()), call.clone()]),
        object(&[("request", count()), call, ("via", text())]),
    ]
}

/// Returns the schema of an object with one member, whose name selects the members of its value.
fn by_name(all: impl Iterator<Item = (&'static str, &'static [FieldSpec])>) -> Json {
    let properties: Map<String, Json> = all.map(|(name, specs)| (name.to_owned(), fields(specs))).collect();
    json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn fields(specs: &[FieldSpec]) -> Json {
    let members: Vec<(&str, Json)> = specs.iter().map(|spec| (spec.name, field(spec.ty))).collect();
    object(&members)
}

fn field(ty: FieldType) -> Json {
    let list = || json!({ "type": "array", "items": text() });
    let map = |of: Json| json!({ "type": "object", "additionalProperties": of });
    match ty {
        FieldType::Bool => json!({ "type": "boolean" }),
        FieldType::Int | FieldType::Invitation => count(),
        FieldType::Text | FieldType::UserId | FieldType::ChannelId | FieldType::Name => text(),
        FieldType::OptionalText => json!({ "type": ["string", "null"] }),
        FieldType::Texts | FieldType::UserIds | FieldType::ChannelIds => list(),
        FieldType::Message => reference("rtm-message"),
        FieldType::Attributes | FieldType::OnlineStates => map(text()),
        FieldType::ChannelAttributes => map(fields(ChannelAttribute::FIELDS)),
        FieldType::Online => map(json!({ "type": "boolean" })),
        FieldType::Counts => map(count()),
        FieldType::LocalInvitation => fields(LocalInvitation::FIELDS),
        FieldType::RemoteInvitation => fields(RemoteInvitation::FIELDS),
        FieldType::Nothing => json!({ "type": "object", "maxProperties": 0 }),
    }
}

fn message() -> Json {
    let kind = |name: &str| ("messageType", json!({ "const": name }));
    let plain = object(&[kind("TEXT"), ("text", text())]);
    let raw = object(&[kind("RAW"), ("rawMessage", text()), ("description", text())]);
    json!({ "oneOf": [plain, raw] })
}

fn kinds() -> Json {
    names(CallKind::ALL.iter().map(|kind| kind.name()))
}

/// The call, in another line, determines the form.
fn reply() -> Json {
    let mut schemas: Vec<Json> = Vec::new();
    for kind in CallKind::ALL {
        let schema = field(kind.reply().field_type());
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    json!({ "anyOf": schemas })
}

/// Returns the names of all errors, as `ENUM.MEMBER`.
fn error() -> Json {
    let mut found: Vec<String> = Vec::new();
    for of in CallKind::ALL.iter().flat_map(|kind| kind.errors()) {
        let members = of.members().into_iter();
        let members = members.map(|member| format!("{}.{}", of.name(), member.name()));
        for name in members {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    names(found.iter().map(|name| &**name))
}
