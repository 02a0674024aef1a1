//! Parts of JSON Schema, for all documents that describe a format: the trace schema, OpenRPC documents, the schema of
//! the config.

use crate::value::{Text, Value};

/// Version of JSON Schema.
pub const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns a JSON object with these members, in their order.
pub fn members<const N: usize>(entries: [(&str, Value); N]) -> Value {
    named(entries)
}

/// Returns a JSON object with these members, in their order.
pub fn named<'n>(entries: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    let entries = entries.into_iter();
    Value::Map(entries.map(|(name, value)| (name.into(), value)).collect())
}

/// Returns the schema of a JSON type.
pub fn of(ty: &str) -> Value {
    members([("type", ty.into())])
}

/// Returns the schema of text.
pub fn text() -> Value {
    of("string")
}

/// Returns the schema of an array.
pub fn list(items: Value) -> Value {
    members([("type", "array".into()), ("items", items)])
}

/// Returns the schema of an object with any names.
pub fn map(values: Value) -> Value {
    members([("type", "object".into()), ("additionalProperties", values)])
}

/// Returns the schema of a choice of texts.
pub fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> Value {
    let names = names.into_iter().map(Value::text);
    members([("enum", Value::List(names.collect()))])
}

/// Returns the schema of a value that fits exactly one of several schemas.
pub fn one_of(schemas: impl IntoIterator<Item = Value>) -> Value {
    members([("oneOf", Value::List(schemas.into_iter().collect()))])
}

/// Returns the schema of one value.
pub fn constant(value: impl Into<Value>) -> Value {
    members([("const", value.into())])
}

/// Returns a reference to `base/name`.
pub fn reference(base: &str, name: &str) -> Value {
    members([("$ref", Value::text(format!("{base}/{name}")))])
}

/// Adds a member to a schema.
pub fn with(schema: Value, name: &str, value: impl Into<Value>) -> Value {
    match schema {
        Value::Map(mut entries) => {
            entries.push((name.into(), value.into()));
            Value::Map(entries)
        }
        other => other,
    }
}

/// Adds a description to a schema.
pub fn described(schema: Value, what: &str) -> Value {
    with(schema, "description", what)
}

/// Returns the schema of an object with these properties, of which `required` must be present. A closed one has no
/// others.
pub fn record<'n>(
    properties: impl IntoIterator<Item = (&'n str, Value)>,
    required: impl IntoIterator<Item = &'n str>,
    closed: bool,
) -> Value {
    let required: Vec<Value> = required.into_iter().map(Value::text).collect();
    let mut entries: Vec<(Text, Value)> = vec![("type".into(), "object".into())];
    if !required.is_empty() {
        entries.push(("required".into(), Value::List(required)));
    }
    if closed {
        entries.push(("additionalProperties".into(), false.into()));
    }
    entries.push(("properties".into(), named(properties)));
    Value::Map(entries)
}
