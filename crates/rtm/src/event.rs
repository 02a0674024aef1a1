//! All RTM events with their typed fields (rtm-api 6).

use std::sync::Arc;

use crate::error::{ErrorEnum, LocalInvitationErr, RemoteInvitationErr};
use crate::field::{BadField, Field, FieldSpec, Part};
use crate::ids::{ChannelId, UserId};
use crate::state::{
    ChannelAttribute, ConnectionReason, ConnectionState, LocalInvitation, Message, OnlineState, RemoteInvitation,
};
use crate::value::{Text, Value};

/// Shared, because all members of a channel receive the same snapshot.
type ChannelAttributes = Arc<Vec<(Text, ChannelAttribute)>>;
type OnlineStates = Vec<(UserId, OnlineState)>;

macro_rules! events {
    ($( $(#[$doc:meta])* $variant:ident $name:literal ( $( $field:ident : $ty:ty = $doc_name:literal ),* ) $(by $by:ident)?; )+) => {
        /// One event with its fields.
        #[derive(Clone, Debug, PartialEq)]
        pub enum RtmEvent {
            $( $(#[$doc])* $variant { $( #[doc = concat!("`", $doc_name, "`.")] $field: $ty, )* }, )+
        }

        /// An event without its fields.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $( $(#[$doc])* $variant, )+
        }

        impl EventKind {
            /// All events.
            pub const ALL: &[Self] = &[$( Self::$variant, )+];

            /// Returns the canonical name: the Web SDK's.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// Returns the fields, in order.
            pub const fn fields(self) -> &'static [FieldSpec] {
                match self { $( Self::$variant => { const FIELDS: &[FieldSpec] = &[$( FieldSpec::new($doc_name, <$ty as Field>::TYPE), )*]; FIELDS } )+ }
            }

            /// Returns the enum of the field `reason`, for events that report a failure.
            pub const fn by(self) -> Option<ErrorEnum> {
                match self { $( Self::$variant => { let by: &[ErrorEnum] = &[$( ErrorEnum::$by )?]; by.first().copied() } )+ }
            }

            /// Builds the event from values in the order of [`fields`](Self::fields).
            ///
            /// # Errors
            /// The first field whose value does not have its type.
            pub fn build<'v>(self, values: impl IntoIterator<Item = &'v Value>) -> Result<RtmEvent, BadField> {
                let mut values = values.into_iter();
                match self { $(
                    Self::$variant => Ok(RtmEvent::$variant { $( $field: take(&mut values, $doc_name)?, )* }),
                )+ }
            }
        }

        impl RtmEvent {
            /// Returns the kind of the event.
            pub const fn kind(&self) -> EventKind {
                match self { $( Self::$variant { .. } => EventKind::$variant, )+ }
            }

            /// Returns the fields' values in the order of [`EventKind::fields`].
            pub fn values(&self) -> Vec<Value> {
                let mut values = Vec::new();
                self.push_values(&mut values);
                values
            }

            /// Appends the fields' values in the order of [`EventKind::fields`].
            pub fn push_values(&self, values: &mut Vec<Value>) {
                match self { $( Self::$variant { $( $field, )* } => { $( values.push($field.to_value()); )* } )+ }
            }

            /// Passes the fields to `show` in the order of [`EventKind::fields`].
            pub fn parts(&self, mut show: impl FnMut(&'static str, Part<'_>)) {
                match self { $( Self::$variant { $( $field, )* } => { $( show($doc_name, $field.part()); )* } )+ }
            }
        }
    };
}

impl EventKind {
    /// Returns the event of that canonical name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|e| e.name() == name)
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

events! {
    /// The connection state changed.
    ConnectionStateChanged "ConnectionStateChanged" (state: ConnectionState = "state", reason: ConnectionReason = "reason");
    /// A peer message.
    MessageFromPeer "MessageFromPeer" (peer_id: UserId = "peerId", message: Message = "message", server_received_ts: u64 = "serverReceivedTs", is_offline_message: bool = "isOfflineMessage");
    /// The token has expired (RECONNECTING only).
    TokenExpired "TokenExpired" ();
    /// The token expires in 30 s.
    TokenPrivilegeWillExpire "TokenPrivilegeWillExpire" ();
    /// A change in the presence of subscribed users.
    PeersOnlineStatusChanged "PeersOnlineStatusChanged" (status: OnlineStates = "status");
    /// Another user joined; not sent above 512 members.
    MemberJoined "MemberJoined" (channel_id: ChannelId = "channelId", member_id: UserId = "memberId");
    /// Another user left; not sent above 512 members.
    MemberLeft "MemberLeft" (channel_id: ChannelId = "channelId", member_id: UserId = "memberId");
    /// The member count, at most once a second (3 s above 512 members).
    MemberCountUpdated "MemberCountUpdated" (channel_id: ChannelId = "channelId", member_count: u64 = "memberCount");
    /// A channel message from another user.
    ChannelMessage "ChannelMessage" (channel_id: ChannelId = "channelId", member_id: UserId = "memberId", message: Message = "message", server_received_ts: u64 = "serverReceivedTs");
    /// All attributes of a channel, after a write with the notification flag.
    AttributesUpdated "AttributesUpdated" (channel_id: ChannelId = "channelId", attributes: ChannelAttributes = "attributes");
    /// The callee's SDK has received the invitation.
    LocalInvitationReceivedByPeer "LocalInvitationReceivedByPeer" (invitation: LocalInvitation = "invitation");
    /// The callee accepted.
    LocalInvitationAccepted "LocalInvitationAccepted" (invitation: LocalInvitation = "invitation", response: Text = "response");
    /// The callee refused.
    LocalInvitationRefused "LocalInvitationRefused" (invitation: LocalInvitation = "invitation", response: Text = "response");
    /// The caller's own cancel took effect.
    LocalInvitationCanceled "LocalInvitationCanceled" (invitation: LocalInvitation = "invitation");
    /// The invitation failed.
    LocalInvitationFailure "LocalInvitationFailure" (invitation: LocalInvitation = "invitation", reason: LocalInvitationErr = "reason") by LocalInvitation;
    /// An invitation arrived.
    RemoteInvitationReceived "RemoteInvitationReceived" (invitation: RemoteInvitation = "invitation");
    /// The callee's own accept took effect.
    RemoteInvitationAccepted "RemoteInvitationAccepted" (invitation: RemoteInvitation = "invitation");
    /// The callee's own refuse took effect.
    RemoteInvitationRefused "RemoteInvitationRefused" (invitation: RemoteInvitation = "invitation");
    /// The caller withdrew the invitation.
    RemoteInvitationCanceled "RemoteInvitationCanceled" (invitation: RemoteInvitation = "invitation", content: Text = "content");
    /// The incoming invitation failed.
    RemoteInvitationFailure "RemoteInvitationFailure" (invitation: RemoteInvitation = "invitation", reason: RemoteInvitationErr = "reason") by RemoteInvitation;
}
