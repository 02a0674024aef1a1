//! Operations for Redis, and what is to be done with their replies.

use rtm::time::Time;
use rtm::value::Text;
use rtm::{CallKind, ChannelId, InvitationId, LocalInvitation, UserId};

use crate::wire::Words;

/// An operation of the script.
#[derive(Debug)]
pub struct Op {
    /// Its name and arguments.
    pub words: Words,
    /// Whose call it is.
    pub call: Option<Call>,
    /// What its reply is for.
    pub then: Then,
}

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The instance.
    pub client: u64,
    /// The number of the call; none once it has been answered without Redis.
    pub request: Option<u64>,
    /// Which call.
    pub kind: CallKind,
    /// How long it may wait.
    pub until: Time,
}

/// What the reply to an operation is for.
#[derive(Debug)]
pub enum Then {
    /// `login` of a user until the token expires.
    Login(UserId, Option<Time>),
    /// `logout`.
    Logout,
    /// A peer message.
    Peer,
    /// A query of presence.
    Online(Vec<UserId>),
    /// A subscription, of all that is followed then.
    Follow(Vec<UserId>),
    /// Own attributes.
    Attributes(Vec<(Text, Text)>),
    /// Somebody's attributes, all or of those keys.
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
    /// The withdrawal of an invitation.
    Cancel(InvitationId, u64),
    /// An accept, with its response.
    Accept(InvitationId, u64, Text),
    /// A refusal, with its response.
    Refuse(InvitationId, u64, Text),
    /// A call whose reply says `ok`, or why not: messages to channels, attributes of channels, the end of a subscription.
    Void,
    /// The heartbeat.
    Beat,
    /// An invitation that is due.
    Due(u64),
    /// A login that is put back, by its instance.
    Back(u64),
    /// Presence that is watched again.
    Watch(Vec<UserId>),
    /// A record that is taken, by its session; until when it should be there, if that is not over.
    Take(u64, Option<Time>),
    /// Changes of a record, the same.
    Save(u64, Option<Time>),
    /// The end of the node.
    Bye,
    /// Nothing.
    Nothing,
}

impl Op {
    /// Whether it may take memory, so that a full Redis refuses it.
    pub fn grows(&self) -> bool {
        let name = self.words.first().map(Vec::as_slice).unwrap_or_default();
        const GROWS: [&[u8]; 12] = [
            b"login",
            b"back",
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

    /// Whether it is done although its caller no longer waits.
    pub fn is_needed(&self) -> bool {
        self.call.is_none() || matches!(self.then, Then::Logout)
    }

    /// Its size on the wire, about.
    pub fn bytes(&self) -> usize {
        self.words.iter().map(|word| word.len() + 16).sum()
    }
}

/// The words of an operation.
macro_rules! words {
    ($($word:expr),+ $(,)?) => { vec![$( Vec::from(AsRef::<[u8]>::as_ref(&$word)) ),+] };
}
pub(crate) use words;
