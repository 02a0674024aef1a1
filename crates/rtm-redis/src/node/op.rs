//! Operations for Redis, and the handlers of their replies.

use rtm::time::Time;
use rtm::value::Text;
use rtm::{CallKind, ChannelId, InvitationId, LocalInvitation, UserId};

use crate::wire::Fields;

/// An operation of the script.
#[derive(Debug)]
pub struct Op {
    /// Its name and arguments.
    pub fields: Fields,
    /// The call, if it is one.
    pub call: Option<Call>,
    /// The handler of its reply.
    pub handler: ReplyHandler,
}

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The instance.
    pub client: u64,
    /// The number of the call; `None` after an answer without Redis.
    pub request: Option<u64>,
    /// The kind of the call.
    pub kind: CallKind,
    /// The end of its wait.
    pub until: Time,
}

/// Handler of the reply to an operation.
#[derive(Debug)]
pub enum ReplyHandler {
    /// `login` of a user until the token expires.
    Login(UserId, Option<Time>),
    /// `logout`.
    Logout,
    /// A peer message.
    Peer,
    /// A query of presence.
    Online(Vec<UserId>),
    /// A subscription, with all users of it.
    Follow(Vec<UserId>),
    /// Own attributes.
    Attributes(Vec<(Text, Text)>),
    /// Attributes of a user, all or those of keys.
    AttributesOf(Option<Vec<Text>>),
    /// A join.
    Join(ChannelId),
    /// A leave.
    Leave(ChannelId),
    /// The list of members.
    Members,
    /// Counts of channels.
    Counts(Vec<ChannelId>),
    /// Attributes of a channel, all or of those keys.
    ChannelRead(Option<Vec<Text>>),
    /// An invitation.
    Invite(LocalInvitation),
    /// A cancel of an invitation.
    Cancel(InvitationId, u64),
    /// An accept, with its response.
    Accept(InvitationId, u64, Text),
    /// A refusal, with its response.
    Refuse(InvitationId, u64, Text),
    /// A status only: messages to channels, attributes of channels, the end of a subscription.
    Status,
    /// The heartbeat.
    Heartbeat,
    /// The timer of an invitation.
    Due(u64),
    /// A restored login, by its instance.
    Restored(u64),
    /// Presence after a repair.
    Watch(Vec<UserId>),
    /// The owner of a record, by its session, with the time limit until it is reported as late.
    Take(u64, Option<Time>),
    /// Changes of a record, likewise.
    Save(u64, Option<Time>),
    /// The end of the node.
    Deregister,
    /// No handler.
    Ignore,
}

impl Op {
    /// Returns true if it may take memory. A full Redis refuses it.
    pub fn grows(&self) -> bool {
        let name = self.fields.first().map(Vec::as_slice).unwrap_or_default();
        const GROWS: [&[u8]; 12] = [
            b"login",
            b"restore",
            b"peer",
            b"forward",
            b"channel",
            b"rest",
            b"join",
            b"follow",
            b"attributes",
            b"channel_write",
            b"invite",
            b"accept",
        ];
        GROWS.contains(&name)
    }

    /// Returns true if it is executed although its caller no longer waits.
    pub fn is_needed(&self) -> bool {
        self.call.is_none() || matches!(self.handler, ReplyHandler::Logout)
    }

    /// Returns its approximate size on the wire.
    pub fn bytes(&self) -> usize {
        self.fields.iter().map(|field| field.len() + 16).sum()
    }
}

/// Returns the arguments of an operation.
macro_rules! fields {
    ($($field:expr),+ $(,)?) => { vec![$( Vec::from(AsRef::<[u8]>::as_ref(&$field)) ),+] };
}
pub(crate) use fields;
