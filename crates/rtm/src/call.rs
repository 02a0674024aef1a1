//! All RTM calls, with their typed arguments, their result and their error enums (rtm-api 3).

use crate::error::ErrorEnum;
use crate::field::{BadField, Field, FieldSpec, Part};
use crate::ids::{ChannelId, UserId};
use crate::json::shared_texts;
use crate::reply::ReplyKind;
use crate::state::{InvitationId, Message};
use crate::value::{Text, Value};

type Attributes = Vec<(Text, Text)>;

macro_rules! calls {
    ($( $(#[$doc:meta])* $variant:ident $name:literal ( $( $field:ident : $ty:ty = $doc_name:literal ),* ) -> $reply:ident, $($error:ident)|+; )+) => {
        /// One call with its arguments.
        #[derive(Clone, Debug, PartialEq)]
        pub enum RtmCall {
            $( $(#[$doc])* $variant { $( #[doc = concat!("`", $doc_name, "`.")] $field: $ty, )* }, )+
        }

        /// A call without its arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CallKind {
            $( $(#[$doc])* $variant, )+
        }

        impl CallKind {
            /// All calls.
            pub const ALL: &[Self] = &[$( Self::$variant, )+];

            /// Returns the canonical name: the Web SDK's, prefixed with the object if it has one.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// Returns the arguments, in order.
            pub const fn fields(self) -> &'static [FieldSpec] {
                match self { $( Self::$variant => { const FIELDS: &[FieldSpec] = &[$( FieldSpec::new($doc_name, <$ty as Field>::TYPE), )*]; FIELDS } )+ }
            }

            /// Returns the shape of the result.
            pub const fn reply(self) -> ReplyKind {
                match self { $( Self::$variant => ReplyKind::$reply, )+ }
            }

            /// Returns the error enums of the call.
            pub const fn errors(self) -> &'static [ErrorEnum] {
                match self { $( Self::$variant => &[$( ErrorEnum::$error, )+], )+ }
            }

            /// Builds the call from values in the order of [`fields`](Self::fields).
            ///
            /// # Errors
            /// The first argument whose value does not have its field's type.
            pub fn build<'v>(self, values: impl IntoIterator<Item = &'v Value>) -> Result<RtmCall, BadField> {
                let mut values = values.into_iter();
                match self { $(
                    Self::$variant => Ok(RtmCall::$variant { $( $field: take(&mut values, $doc_name)?, )* }),
                )+ }
            }
        }

        impl RtmCall {
            /// Returns the kind of the call.
            pub const fn kind(&self) -> CallKind {
                match self { $( Self::$variant { .. } => CallKind::$variant, )+ }
            }

            /// Returns the arguments as an object, in the order of [`CallKind::fields`].
            pub fn args(&self) -> Value {
                match self { $(
                    Self::$variant { $( $field, )* } => Value::Map(vec![$( (shared_texts::text($doc_name), $field.to_value()), )*]),
                )+ }
            }

            /// Passes the arguments to `show` in the order of [`CallKind::fields`].
            pub fn parts(&self, mut show: impl FnMut(&'static str, Part<'_>)) {
                match self { $( Self::$variant { $( $field, )* } => { $( show($doc_name, $field.part()); )* } )+ }
            }
        }
    };
}

impl CallKind {
    /// Returns the call of that canonical name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.name() == name)
    }
}

fn take<'v, T: Field>(values: &mut impl Iterator<Item = &'v Value>, field: &'static str) -> Result<T, BadField> {
    let value = values.next().unwrap_or(&Value::Null);
    T::from_value(value).map_err(|expected| BadField {
        field,
        expected,
        got: value.to_json(),
    })
}

calls! {
    /// Logs the instance in.
    Login "login" (uid: UserId = "uid", token: Option<Text> = "token") -> Void, Login;
    /// Logs the instance out; leaves channels, clears user attributes.
    Logout "logout" () -> Void, Logout;
    /// Replaces the token.
    RenewToken "renewToken" (token: Text = "token") -> Void, RenewToken;
    /// Sends to one user; succeeds when the peer's SDK has received the message.
    SendMessageToPeer "sendMessageToPeer" (peer_id: UserId = "peerId", message: Message = "message") -> HasPeerReceived, PeerMessage;
    /// Queries the online status of at most 256 users.
    QueryPeersOnlineStatus "queryPeersOnlineStatus" (peer_ids: Vec<UserId> = "peerIds") -> Online, QueryPeersOnlineStatus;
    /// Subscribes to the presence of at most 512 users.
    SubscribePeersOnlineStatus "subscribePeersOnlineStatus" (peer_ids: Vec<UserId> = "peerIds") -> Void, PeerSubscriptionStatus;
    /// Cancels a presence subscription.
    UnsubscribePeersOnlineStatus "unsubscribePeersOnlineStatus" (peer_ids: Vec<UserId> = "peerIds") -> Void, PeerSubscriptionStatus;
    /// Lists the subscribed users.
    QueryPeersBySubscriptionOption "queryPeersBySubscriptionOption" () -> UserIds, QueryPeersBySubscriptionOption;
    /// Replaces all own attributes.
    SetLocalUserAttributes "setLocalUserAttributes" (attributes: Attributes = "attributes") -> Void, AttributeOperation;
    /// Adds or changes own attributes.
    AddOrUpdateLocalUserAttributes "addOrUpdateLocalUserAttributes" (attributes: Attributes = "attributes") -> Void, AttributeOperation;
    /// Deletes own attributes by key.
    DeleteLocalUserAttributesByKeys "deleteLocalUserAttributesByKeys" (keys: Vec<Text> = "attributeKeys") -> Void, AttributeOperation;
    /// Deletes all own attributes.
    ClearLocalUserAttributes "clearLocalUserAttributes" () -> Void, AttributeOperation;
    /// Reads a user's attributes.
    GetUserAttributes "getUserAttributes" (user_id: UserId = "userId") -> Attributes, AttributeOperation;
    /// Reads some of a user's attributes.
    GetUserAttributesByKeys "getUserAttributesByKeys" (user_id: UserId = "userId", keys: Vec<Text> = "attributeKeys") -> Attributes, AttributeOperation;
    /// Joins a channel, at most 20 at once; the reply has no member list.
    Join "join" (channel_id: ChannelId = "channelId") -> Void, JoinChannel;
    /// Leaves a channel.
    Leave "leave" (channel_id: ChannelId = "channelId") -> Void, LeaveChannel;
    /// Sends to a joined channel; the sender does not receive the message.
    SendMessage "sendMessage" (channel_id: ChannelId = "channelId", message: Message = "message") -> Void, ChannelMessage;
    /// Lists the members of a joined channel, or a random 512 of a larger one.
    GetMembers "getMembers" (channel_id: ChannelId = "channelId") -> UserIds, GetMembers;
    /// Counts the members of at most 32 channels, joined or not.
    GetChannelMemberCount "getChannelMemberCount" (channel_ids: Vec<ChannelId> = "channelIds") -> Counts, GetChannelMemberCount;
    /// Replaces all attributes of a channel.
    SetChannelAttributes "setChannelAttributes" (channel_id: ChannelId = "channelId", attributes: Attributes = "attributes", enable_notification: bool = "enableNotificationToChannelMembers") -> Void, AttributeOperation;
    /// Adds or changes attributes of a channel.
    AddOrUpdateChannelAttributes "addOrUpdateChannelAttributes" (channel_id: ChannelId = "channelId", attributes: Attributes = "attributes", enable_notification: bool = "enableNotificationToChannelMembers") -> Void, AttributeOperation;
    /// Deletes attributes of a channel by key.
    DeleteChannelAttributesByKeys "deleteChannelAttributesByKeys" (channel_id: ChannelId = "channelId", keys: Vec<Text> = "attributeKeys", enable_notification: bool = "enableNotificationToChannelMembers") -> Void, AttributeOperation;
    /// Deletes all attributes of a channel.
    ClearChannelAttributes "clearChannelAttributes" (channel_id: ChannelId = "channelId", enable_notification: bool = "enableNotificationToChannelMembers") -> Void, AttributeOperation;
    /// Reads a channel's attributes.
    GetChannelAttributes "getChannelAttributes" (channel_id: ChannelId = "channelId") -> ChannelAttributes, AttributeOperation;
    /// Reads some of a channel's attributes.
    GetChannelAttributesByKeys "getChannelAttributesByKeys" (channel_id: ChannelId = "channelId", keys: Vec<Text> = "attributeKeys") -> ChannelAttributes, AttributeOperation;
    /// Creates and sends an invitation under a number that the caller selects.
    LocalInvitationSend "LocalInvitation.send" (invitation: InvitationId = "invitation", callee_id: UserId = "calleeId", channel_id: Option<Text> = "channelId", content: Text = "content") -> Void, InvitationApiCall | LocalInvitation;
    /// Withdraws a sent invitation.
    LocalInvitationCancel "LocalInvitation.cancel" (invitation: InvitationId = "invitation", content: Option<Text> = "content") -> Void, InvitationApiCall;
    /// Accepts a received invitation.
    RemoteInvitationAccept "RemoteInvitation.accept" (invitation: InvitationId = "invitation", response: Option<Text> = "response") -> Void, InvitationApiCall;
    /// Refuses a received invitation.
    RemoteInvitationRefuse "RemoteInvitation.refuse" (invitation: InvitationId = "invitation", response: Option<Text> = "response") -> Void, InvitationApiCall;
    /// Sends to a channel without joining it, by the RESTful API (decisions H10).
    RestChannelMessage "Rest.channelMessage" (user_id: UserId = "userId", channel: ChannelId = "channel", payload: Text = "payload") -> Void, ChannelMessage;
}
