//! Schemas of RTM calls, replies, errors and events, from the canonical vocabulary.

use rtm::schema::{Dialect, any_of, closed, constant, list, one_of, record, with};
use rtm::value::Value;
use rtm::{CallKind, ChannelAttribute, EventKind, FieldSpec, LocalInvitation, RemoteInvitation};

use crate::schema::{count, names, object, reference, text};

const DIALECT: Dialect = Dialect {
    count,
    message: || reference("rtm-message"),
    channel_attribute: || closed(DIALECT.fields(ChannelAttribute::FIELDS)),
    local_invitation: || closed(DIALECT.fields(LocalInvitation::FIELDS)),
    remote_invitation: || closed(DIALECT.fields(RemoteInvitation::FIELDS)),
    nothing: || with(rtm::schema::of("object"), "maxProperties", 0),
};

/// Returns shared definitions.
pub fn definitions() -> Vec<(&'static str, Value)> {
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
        ("rtm-calls", list(kinds())),
        ("rtm-reply", reply()),
        ("rtm-error", error()),
    ]
}

/// Returns the schemas of RTM inputs.
pub fn emitted() -> Vec<Value> {
    vec![
        object(&[("request", count()), ("reply", reference("rtm-reply"))]),
        object(&[("request", count()), ("error", reference("rtm-error"))]),
        object(&[("event", reference("rtm-event"))]),
        object(&[("up", rtm::schema::of("boolean"))]),
        object(&[("lacks", reference("rtm-calls"))]),
    ]
}

/// Returns the schemas of RTM calls.
pub fn requested() -> Vec<Value> {
    let call = ("call", reference("rtm-call"));
    vec![
        object(&[("request", count()), call.clone()]),
        object(&[("request", count()), call, ("via", text())]),
    ]
}

/// Returns the schema of an object with one member, whose name selects the members of its value.
fn by_name(all: impl Iterator<Item = (&'static str, &'static [FieldSpec])>) -> Value {
    let properties = all.map(|(name, specs)| (name, closed(DIALECT.fields(specs))));
    let one = record(properties, [], true);
    with(with(one, "minProperties", 1), "maxProperties", 1)
}

fn message() -> Value {
    let kind = |name: &str| ("messageType", constant(name));
    let plain = object(&[kind("TEXT"), ("text", text())]);
    let raw = object(&[kind("RAW"), ("rawMessage", text()), ("description", text())]);
    one_of([plain, raw])
}

fn kinds() -> Value {
    names(CallKind::ALL.iter().map(|kind| kind.name()))
}

/// The call, in another line, determines the form.
fn reply() -> Value {
    let mut schemas: Vec<Value> = Vec::new();
    for kind in CallKind::ALL {
        let schema = DIALECT.field(kind.reply().field_type());
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    any_of(schemas)
}

/// Returns the names of all errors, as `ENUM.MEMBER`.
fn error() -> Value {
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
