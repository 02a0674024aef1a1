//! Conversion of the typed vocabulary's fields from and to [`Value`], with names and types for the
//! tables.

use std::sync::Arc;

use crate::ids::{ChannelId, UserId};
use crate::json::shared_texts;
use crate::state::{
    ChannelAttribute, ConnectionReason, ConnectionState, InvitationId, LocalInvitation, Message, OnlineState,
    RemoteInvitation,
};
use crate::value::{Text, Value};
use crate::{LocalInvitationErr, RemoteInvitationErr};

/// The type of a field of a call, an event or a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Text.
    Text,
    /// Text, or absent.
    OptionalText,
    /// A list of texts.
    Texts,
    /// A [`UserId`].
    UserId,
    /// A list of [`UserId`].
    UserIds,
    /// A [`ChannelId`].
    ChannelId,
    /// A list of [`ChannelId`].
    ChannelIds,
    /// A [`Message`]; a row may use plain text for a text message.
    Message,
    /// An object of attribute names and values.
    Attributes,
    /// An object of attribute names and `{value, lastUpdateUserId, lastUpdateTs}`.
    ChannelAttributes,
    /// An object of user ids and booleans.
    Online,
    /// An object of user ids and [`OnlineState`] names.
    OnlineStates,
    /// An object of channel ids and member counts.
    Counts,
    /// The number of an invitation object. The engine fills it in from the row's invitation.
    Invitation,
    /// `{invitation, calleeId, channelId, content, response}`.
    LocalInvitation,
    /// `{invitation, callerId, channelId, content, response}`.
    RemoteInvitation,
    /// The name of a member of an enum.
    Name,
    /// A result without content (member `0`).
    Nothing,
}

impl FieldType {
    /// Returns the type of the member `name`, if values of this type have named members.
    pub fn member(self, name: &str) -> Option<FieldType> {
        let members: &[FieldSpec] = match self {
            Self::Message => &[
                FieldSpec::new("text", Self::Text),
                FieldSpec::new("messageType", Self::Name),
            ],
            Self::LocalInvitation => LocalInvitation::FIELDS,
            Self::RemoteInvitation => RemoteInvitation::FIELDS,
            _ => return None,
        };
        members.iter().find(|f| f.name == name).map(|f| f.ty)
    }
}

/// The name and type of a field.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The documented name.
    pub name: &'static str,
    /// The type of its values.
    pub ty: FieldType,
}

impl FieldSpec {
    /// Creates a field of that name and type.
    pub const fn new(name: &'static str, ty: FieldType) -> Self {
        Self { name, ty }
    }

    /// Returns true if a text field of that name holds a token.
    pub fn is_token(name: &str) -> bool {
        name == "token"
    }

    /// Returns true if a text field of that name holds a channel name.
    pub fn is_channel(name: &str) -> bool {
        name == "channelId"
    }
}

/// A value that does not have the field's type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, got {got}")]
pub struct BadField {
    /// The field's name.
    pub field: &'static str,
    /// The expected type.
    pub expected: String,
    /// The given value, as JSON.
    pub got: String,
}

/// A Rust type of a field.
pub trait Field: Sized {
    /// The type in the tables.
    const TYPE: FieldType;

    /// Reads the field.
    ///
    /// # Errors
    /// A description of the expected value.
    fn from_value(value: &Value) -> Result<Self, String>;

    /// Returns the field's value.
    fn to_value(&self) -> Value;

    /// Returns the field without a copy, if it has a plain type.
    fn part(&self) -> Part<'_> {
        Part::Other
    }
}

/// A borrowed field value, for output that is too frequent for a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'f> {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(u64),
    /// Text.
    Text(&'f str),
    /// An absent text.
    Absent,
    /// A [`UserId`].
    UserId(&'f str),
    /// A [`ChannelId`].
    ChannelId(&'f str),
    /// The text of a text [`Message`].
    Message(&'f str),
    /// The name of a member of an enum.
    Name(&'static str),
    /// Anything else.
    Other,
}

impl Field for bool {
    const TYPE: FieldType = FieldType::Bool;

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(b) => Ok(*b),
            _ => Err("true or false".into()),
        }
    }

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn part(&self) -> Part<'_> {
        Part::Bool(*self)
    }
}

impl Field for u64 {
    const TYPE: FieldType = FieldType::Int;

    fn from_value(value: &Value) -> Result<Self, String> {
        value
            .as_int()
            .and_then(|n| u64::try_from(n).ok())
            .ok_or_else(|| "a whole number, not negative".into())
    }

    fn to_value(&self) -> Value {
        Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
    }

    fn part(&self) -> Part<'_> {
        Part::Int(*self)
    }
}

impl Field for Text {
    const TYPE: FieldType = FieldType::Text;

    fn from_value(value: &Value) -> Result<Self, String> {
        value.as_text().cloned().ok_or_else(|| "text".into())
    }

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn part(&self) -> Part<'_> {
        Part::Text(self)
    }
}

impl Field for Option<Text> {
    const TYPE: FieldType = FieldType::OptionalText;

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            _ => Err("text, or nothing".into()),
        }
    }

    fn to_value(&self) -> Value {
        self.clone().map_or(Value::Null, Value::Text)
    }

    fn part(&self) -> Part<'_> {
        self.as_deref().map_or(Part::Absent, Part::Text)
    }
}

macro_rules! id_field {
    ($id:ident, $expected:literal) => {
        impl Field for $id {
            const TYPE: FieldType = FieldType::$id;

            fn from_value(value: &Value) -> Result<Self, String> {
                let text = value.as_text().ok_or($expected)?;
                $id::new(text.clone()).map_err(|e| e.to_string())
            }

            fn to_value(&self) -> Value {
                Value::Text(self.text().clone())
            }

            fn part(&self) -> Part<'_> {
                Part::$id(self.text())
            }
        }
    };
}

id_field!(UserId, "a user id (text)");
id_field!(ChannelId, "a channel id (text)");

macro_rules! list_field {
    ($item:ty, $ty:ident) => {
        impl Field for Vec<$item> {
            const TYPE: FieldType = FieldType::$ty;

            fn from_value(value: &Value) -> Result<Self, String> {
                let items = value.as_list().ok_or("a list")?;
                items.iter().map(<$item>::from_value).collect()
            }

            fn to_value(&self) -> Value {
                Value::List(self.iter().map(Field::to_value).collect())
            }
        }
    };
}

list_field!(Text, Texts);
list_field!(UserId, UserIds);
list_field!(ChannelId, ChannelIds);

/// Implements [`Field`] for objects whose keys and values are fields.
macro_rules! map_field {
    ($key:ty, $value:ty, $ty:ident) => {
        impl Field for Vec<($key, $value)> {
            const TYPE: FieldType = FieldType::$ty;

            fn from_value(value: &Value) -> Result<Self, String> {
                let entries = value.as_map().ok_or("an object")?;
                entries
                    .iter()
                    .map(|(k, v)| {
                        Ok((
                            <$key>::from_value(&Value::Text(k.clone()))?,
                            <$value>::from_value(v)?,
                        ))
                    })
                    .collect()
            }

            fn to_value(&self) -> Value {
                let key = |k: &$key| k.to_value().into_text();
                Value::Map(self.iter().map(|(k, v)| (key(k), v.to_value())).collect())
            }
        }
    };
}

map_field!(Text, Text, Attributes);
map_field!(Text, ChannelAttribute, ChannelAttributes);
map_field!(UserId, bool, Online);
map_field!(UserId, OnlineState, OnlineStates);
map_field!(ChannelId, u64, Counts);

/// A shared field has the form of the field itself.
impl<T: Field> Field for Arc<T> {
    const TYPE: FieldType = T::TYPE;

    fn from_value(value: &Value) -> Result<Self, String> {
        T::from_value(value).map(Arc::new)
    }

    fn to_value(&self) -> Value {
        T::to_value(self)
    }

    fn part(&self) -> Part<'_> {
        T::part(self)
    }
}

/// Implements [`Field`] for enums whose members are represented by name.
macro_rules! name_field {
    ($ty:ty) => {
        impl Field for $ty {
            const TYPE: FieldType = FieldType::Name;

            fn from_value(value: &Value) -> Result<Self, String> {
                let name = value.as_text().ok_or("a name (text)")?;
                let member = Self::ALL.iter().copied().find(|m| m.name() == &**name);
                member.ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|m| m.name()).collect();
                    format!("one of {}", names.join(", "))
                })
            }

            fn to_value(&self) -> Value {
                Value::text(self.name())
            }

            fn part(&self) -> Part<'_> {
                Part::Name(self.name())
            }
        }
    };
}

name_field!(ConnectionState);
name_field!(ConnectionReason);
name_field!(OnlineState);
name_field!(LocalInvitationErr);
name_field!(RemoteInvitationErr);

impl Field for InvitationId {
    const TYPE: FieldType = FieldType::Invitation;

    fn from_value(value: &Value) -> Result<Self, String> {
        u64::from_value(value).map(InvitationId)
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }

    fn part(&self) -> Part<'_> {
        self.0.part()
    }
}

impl Message {
    /// The JSON of a text message before its text: see [`Field::to_value`].
    pub const BEFORE_TEXT: &str = r#"{"messageType":"TEXT","text":"#;
}

impl Field for Message {
    const TYPE: FieldType = FieldType::Message;

    fn from_value(value: &Value) -> Result<Self, String> {
        let text = |key: &str| value.get(key).and_then(Value::as_text).cloned();
        match value {
            Value::Text(text) => Ok(Message::Text(text.clone())),
            Value::Map(_) => match (text("text"), text("rawMessage")) {
                (Some(text), None) => Ok(Message::Text(text)),
                (None, Some(raw)) => {
                    use base64::Engine as _;
                    let bytes = base64::engine::general_purpose::STANDARD
                        .decode(raw.as_bytes())
                        .map_err(|e| format!("rawMessage in base64 ({e})"))?;
                    Ok(Message::Raw {
                        bytes: bytes.into(),
                        description: text("description").unwrap_or_default(),
                    })
                }
                _ => Err("a message with either text or rawMessage".into()),
            },
            _ => Err("a message".into()),
        }
    }

    fn to_value(&self) -> Value {
        let entry = |key: &str, value: Value| (shared_texts::text(key), value);
        match self {
            Message::Text(text) => Value::Map(vec![
                entry("messageType", shared_texts::text("TEXT").into()),
                entry("text", text.clone().into()),
            ]),
            Message::Raw { bytes, description } => {
                use base64::Engine as _;
                let raw = base64::engine::general_purpose::STANDARD.encode(bytes);
                Value::Map(vec![
                    entry("messageType", "RAW".into()),
                    entry("rawMessage", Value::text(raw)),
                    entry("description", description.clone().into()),
                ])
            }
        }
    }

    fn part(&self) -> Part<'_> {
        match self {
            Message::Text(text) => Part::Message(text),
            Message::Raw { .. } => Part::Other,
        }
    }
}

/// Implements [`Field`] for structs whose members are fields.
macro_rules! struct_field {
    ($ty:ident : $field_type:ident { $($name:ident : $member:ty = $doc_name:literal),+ $(,)? }) => {
        impl $ty {
            /// The names and types of the members.
            pub const FIELDS: &'static [FieldSpec] = &[$( FieldSpec::new($doc_name, <$member as Field>::TYPE), )+];
        }

        impl Field for $ty {
            const TYPE: FieldType = FieldType::$field_type;

            fn from_value(value: &Value) -> Result<Self, String> {
                value.as_map().ok_or("an object")?;
                Ok(Self { $(
                    $name: <$member>::from_value(value.get($doc_name).unwrap_or(&Value::Null))
                        .map_err(|e| format!("{}: {e}", $doc_name))?,
                )+ })
            }

            fn to_value(&self) -> Value {
                Value::Map(vec![$( ($doc_name.into(), self.$name.to_value()), )+])
            }
        }
    };
}

struct_field!(LocalInvitation: LocalInvitation {
    invitation: InvitationId = "invitation",
    callee_id: UserId = "calleeId",
    channel_id: Option<Text> = "channelId",
    content: Text = "content",
    response: Text = "response",
});

struct_field!(RemoteInvitation: RemoteInvitation {
    invitation: InvitationId = "invitation",
    caller_id: UserId = "callerId",
    channel_id: Option<Text> = "channelId",
    content: Text = "content",
    response: Text = "response",
});

struct_field!(ChannelAttribute: ChannelAttributes {
    value: Text = "value",
    last_update_user_id: UserId = "lastUpdateUserId",
    last_update_ts: u64 = "lastUpdateTs",
});
