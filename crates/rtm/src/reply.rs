//! What calls resolve to.

use crate::value::{Text, Value};

use crate::field::{Field, FieldType};
use crate::ids::{ChannelId, UserId};

/// A channel attribute as RTM keeps it (rtm-api 3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAttribute {
    /// Never empty, at most 8 KB.
    pub value: Text,
    /// Who wrote it last.
    pub last_update_user_id: UserId,
    /// When, in milliseconds since the UNIX epoch.
    pub last_update_ts: u64,
}

macro_rules! replies {
    ($( $(#[$doc:meta])* $variant:ident($ty:ty), )+) => {
        /// The result of a call that succeeded.
        #[derive(Clone, Debug, PartialEq)]
        pub enum RtmReply {
            /// Nothing but success.
            Void,
            $( $(#[$doc])* $variant($ty), )+
        }

        /// The shape of a result.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ReplyKind {
            /// Nothing but success.
            Void,
            $( $(#[$doc])* $variant, )+
        }

        impl RtmReply {
            /// The result as the tables see it.
            pub fn to_value(&self) -> Value {
                match self {
                    Self::Void => Value::Map(Vec::new()),
                    $( Self::$variant(inner) => inner.to_value(), )+
                }
            }
        }

        impl ReplyKind {
            /// The type as the tables see it.
            pub const fn field_type(self) -> FieldType {
                match self {
                    Self::Void => FieldType::Nothing,
                    $( Self::$variant => <$ty as Field>::TYPE, )+
                }
            }

            /// Whether it says nothing of users, channels and what they have said.
            pub const fn is_plain(self) -> bool {
                matches!(self.field_type(), FieldType::Nothing | FieldType::Bool)
            }

            /// Reads a result of this shape.
            ///
            /// # Errors
            /// What a result of this shape looks like.
            pub fn read(self, value: &Value) -> Result<RtmReply, String> {
                match self {
                    Self::Void => match value {
                        Value::Map(entries) if entries.is_empty() => Ok(RtmReply::Void),
                        _ => Err("an empty result: {}".into()),
                    },
                    $( Self::$variant => <$ty>::from_value(value).map(RtmReply::$variant), )+
                }
            }
        }
    };
}

replies! {
    /// Whether the peer's SDK acknowledged a message.
    HasPeerReceived(bool),
    /// Whether each peer is logged in.
    Online(Vec<(UserId, bool)>),
    /// User ids: members of a channel, or subscribed peers.
    UserIds(Vec<UserId>),
    /// A user's attributes.
    Attributes(Vec<(Text, Text)>),
    /// A channel's attributes.
    ChannelAttributes(Vec<(Text, ChannelAttribute)>),
    /// Member counts; 0 for a channel that does not exist.
    Counts(Vec<(ChannelId, u64)>),
}
