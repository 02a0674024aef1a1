//! The types of documented arguments as JSON schemas.

use identity::MAX_NAME_BYTES;
use protocol::args::{MAX_KEY_BYTES, MAX_TEXT_BYTES, MAX_VALUE_BYTES};
use rtm::schema;
use rtm::value::Value;
use tables::ty::SigType;

use crate::openrpc::{object, reference as of};

/// All of them, by name.
pub fn all() -> Value {
    let schemas = SigType::NAMES.iter().map(|(_, ty)| (key(*ty).into(), schema(*ty)));
    Value::Map(schemas.collect())
}

/// A reference to the schema of a type.
pub fn reference(ty: SigType) -> Value {
    of("schemas", key(ty))
}

/// Names of components have no brackets.
fn key(ty: SigType) -> &'static str {
    match ty {
        SigType::Accounts => "accounts",
        SigType::Ints => "ints",
        other => other.name(),
    }
}

/// Limits are bytes of UTF-8; a schema counts characters, which are never more.
fn schema(ty: SigType) -> Value {
    match ty {
        SigType::Account => name("an account: visible characters, at most 128 bytes"),
        SigType::Channel => name("a channel's name: visible characters, at most 128 bytes"),
        SigType::Text => text("text, at most 8 KiB", 0, MAX_TEXT_BYTES),
        SigType::Json => text("JSON as text, at most 8 KiB", 0, MAX_TEXT_BYTES),
        SigType::Key => text("an attribute's name, at most 128 bytes", 1, MAX_KEY_BYTES),
        SigType::Value => text("an attribute's value, at most 8096 bytes", 0, MAX_VALUE_BYTES),
        SigType::Digits => with_pattern(text("digits for DTMF", 1, MAX_KEY_BYTES), "^[0-9*#]+$"),
        SigType::Int => number("a whole number"),
        SigType::Seconds => number("whole seconds"),
        SigType::Flag => schema::described(schema::of("boolean"), "a truth"),
        SigType::Accounts => list(SigType::Account),
        SigType::Ints => list(SigType::Int),
    }
}

fn name(what: &str) -> Value {
    with_pattern(text(what, 1, MAX_NAME_BYTES), r"^\S+$")
}

fn text(what: &str, min: i64, max: usize) -> Value {
    object([
        ("type", "string".into()),
        ("description", what.into()),
        ("minLength", min.into()),
        ("maxLength", i64::try_from(max).unwrap_or(i64::MAX).into()),
    ])
}

fn with_pattern(schema: Value, pattern: &str) -> Value {
    schema::with(schema, "pattern", pattern)
}

fn number(what: &str) -> Value {
    schema::described(schema::of("integer"), what)
}

fn list(of: SigType) -> Value {
    schema::list(reference(of))
}
