//! Results of calls.

use crate::field::{Field, FieldType};
use crate::ids::{ChannelId, UserId};
use crate::state::ChannelAttribute;
use crate::value::{Text, Value};

macro_rules! replies {
    ($( $(#[$doc:meta])* $variant:ident($ty:ty), )+) => {
        /// The result of a call that succeeded.
        #[derive(Clone, Debug, PartialEq)]
        pub enum RtmReply {
            /// Success without content.
            Void,
            $( $(#[$doc])* $variant($ty), )+
        }

        /// The shape of a result.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ReplyKind {
            /// Success without content.
            Void,
            $( $(#[$doc])* $variant, )+
        }

        impl RtmReply {
            /// Returns the result as a value for the tables.
            pub fn to_value(&self) -> Value {
                match self {
                    Self::Void => Value::Map(Vec::new()),
                    $( Self::$variant(inner) => inner.to_value(), )+
                }
            }
        }

        impl ReplyKind {
            /// Returns the type for the tables.
            pub const fn field_type(self) -> FieldType {
                match self {
                    Self::Void => FieldType::Nothing,
                    $( Self::$variant => <$ty as Field>::TYPE, )+
                }
            }

            /// Returns true if the result contains no data of users and channels.
            pub const fn is_plain(self) -> bool {
                matches!(self.field_type(), FieldType::Nothing | FieldType::Bool)
            }

            /// Reads a result of this shape.
            ///
            /// # Errors
            /// A description of the expected result.
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
    /// Acknowledgement of a message by the peer's SDK.
    HasPeerReceived(bool),
    /// Online status of each peer.
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
