//! The dynamic value of the table rows.
//!
//! Rows are data, so their arguments, bindings and replies are values. Typed data (an
//! [`RtmCall`](crate::RtmCall), an id) is built from a [`Value`] at the edge, and is validated once
//! there.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{self, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use crate::json::shared_texts;

/// Shared text: a clone only increments a counter, which keeps fan-out cheap.
pub type Text = Arc<str>;

/// A JSON-like value with ordered object keys (legacy clients and traces see the order).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absent, or JSON `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; the documented APIs use no other.
    Int(i64),
    /// Any other number: legacy apps may send one as a message.
    Number(Number),
    /// UTF-8 text.
    Text(Text),
    /// A list.
    List(Vec<Value>),
    /// An object whose entries keep their order.
    Map(Vec<(Text, Value)>),
}

impl Value {
    /// Creates a text value.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// Returns the text of a text value.
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number of an integer value.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// Returns the items of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the entries of an object.
    pub fn as_map(&self) -> Option<&[(Text, Value)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the member `key` of an object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?
            .iter()
            .find_map(|(name, value)| (&**name == key).then_some(value))
    }

    /// Returns true for a missing value.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Converts the value to a legacy text field: text as it is, anything else as JSON text.
    ///
    /// Source: signaling-wire 6.2 (servers send objects where strings are documented).
    pub fn into_text(self) -> Text {
        match self {
            Self::Text(text) => text,
            other => other.to_json().into(),
        }
    }

    /// Returns the approximate heap size.
    pub fn bytes(&self) -> usize {
        const ENTRY: usize = size_of::<(Text, Value)>();
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) => 0,
            Self::Number(number) => number.0.len(),
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(|item| ENTRY + item.bytes()).sum(),
            Self::Map(entries) => entries
                .iter()
                .map(|(name, value)| ENTRY + name.len() + value.bytes())
                .sum(),
        }
    }
}

/// A JSON number outside [`Value::Int`], as its text: `18446744073709551615`, `1e400`, `1.10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(Text);

impl Number {
    /// Wraps a number of JSON text, which the parser has checked.
    pub(crate) fn from_checked(json: &str) -> Self {
        Self(json.into())
    }

    /// Converts a float; `None` if it is not finite.
    pub fn of(x: f64) -> Option<Self> {
        serde_json::Number::from_f64(x).map(|number| Self(number.to_string().into()))
    }

    /// Returns the JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the nearest float; `None` if it is infinite.
    pub fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok().filter(|x: &f64| x.is_finite())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(&self.0).map_err(ser::Error::custom)?;
        json.serialize(serializer)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&**key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Value, E> {
        Ok(i64::try_from(n).map_or_else(|_| Value::Number(Number::from_checked(&n.to_string())), Value::Int))
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<Value, E> {
        let number = Number::of(x).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            entries.push((name, value));
        }
        Ok(Value::Map(entries))
    }
}

/// The name of a member, which mostly occurs in other objects too.
struct Name(Text);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
        Ok(Name(shared_texts::text(name)))
    }
}
