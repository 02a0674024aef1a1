//! Parts of JSON Schema, for all documents that describe a format: the trace schema, OpenRPC documents, the schema of
//! the config.

use crate::field::{FieldSpec, FieldType};
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

/// Returns the schema of a value that fits any of several schemas.
pub fn any_of(schemas: impl IntoIterator<Item = Value>) -> Value {
    members([("anyOf", Value::List(schemas.into_iter().collect()))])
}

/// Returns the schema of an object with exactly these properties.
pub fn closed<'n>(properties: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    let properties: Vec<(&str, Value)> = properties.into_iter().collect();
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    record(properties, names, true)
}

/// Schemas that documents give their own names or forms.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Whole number.
    pub count: fn() -> Value,
    /// Message to a peer or a channel.
    pub message: fn() -> Value,
    /// Attribute of a channel.
    pub channel_attribute: fn() -> Value,
    /// Invitation of its caller.
    pub local_invitation: fn() -> Value,
    /// Invitation of its callee.
    pub remote_invitation: fn() -> Value,
    /// Reply without content.
    pub nothing: fn() -> Value,
}

impl Dialect {
    /// Returns the schema of a field of RTM's vocabulary.
    pub fn field(&self, ty: FieldType) -> Value {
        match ty {
            FieldType::Bool => of("boolean"),
            FieldType::Int | FieldType::Invitation => (self.count)(),
            FieldType::Text | FieldType::UserId | FieldType::ChannelId | FieldType::Name => text(),
            FieldType::OptionalText => members([("type", Value::List(vec!["string".into(), "null".into()]))]),
            FieldType::Texts | FieldType::UserIds | FieldType::ChannelIds => list(text()),
            FieldType::Message => (self.message)(),
            FieldType::Attributes | FieldType::OnlineStates => map(text()),
            FieldType::ChannelAttributes => map((self.channel_attribute)()),
            FieldType::Online => map(of("boolean")),
            FieldType::Counts => map((self.count)()),
            FieldType::LocalInvitation => (self.local_invitation)(),
            FieldType::RemoteInvitation => (self.remote_invitation)(),
            FieldType::Nothing => (self.nothing)(),
        }
    }

    /// Returns the schemas of fields, by name.
    pub fn fields<'f>(&self, fields: &'f [FieldSpec]) -> impl Iterator<Item = (&'f str, Value)> {
        fields.iter().map(|field| (field.name, self.field(field.ty)))
    }
}
