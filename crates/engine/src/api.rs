//! What goes into a session and what comes out of it.
//!
//! Everything that is not a function of recorded inputs enters as one (decisions H12): verdicts, lines, ids by
//! [`Names`], the clock. So the same inputs give the same effects, byte for byte.

use std::sync::Arc;
use std::time::Duration;

use protocol::event::{Answer, CallRef, Event, Form, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{CallKind, ChannelId, InvitationId, RtmCall, RtmError, RtmEvent, RtmReply};
use tables::Tables;
use tables::row::{CodeId, RowId};
use tables::wire::Wire;

/// Names in both directions; a function of the names alone, recorded in traces.
pub trait Names: Send + Sync {
    /// The RTM user id of a legacy account.
    fn user_id(&self, account: &Text) -> Text;
    /// The legacy account of an RTM user id.
    fn account(&self, user_id: &Text) -> Text;
    /// The RTM channel id of a legacy channel name.
    fn channel_id(&self, channel: &Text) -> Text;
    /// The legacy channel name of an RTM channel id.
    fn channel(&self, channel_id: &Text) -> Text;
    /// The legacy number of an account.
    fn uid(&self, account: &Text) -> i64;
}

/// What a session is given for good.
#[derive(Clone)]
pub struct SessionContext {
    /// The tables.
    pub tables: Arc<Tables>,
    /// The wire of the client's family.
    pub wire: Arc<Wire>,
    /// Names in both directions.
    pub names: Arc<dyn Names>,
    /// RTM keeps messages for offline users by itself.
    pub offline_messages: bool,
    /// Calls that the upstream has.
    pub can: Arc<dyn Fn(CallKind) -> bool + Send + Sync>,
    /// Times and bounds.
    pub limits: SessionLimits,
}

/// Times and bounds of a session (`config.example.toml` names the defaults).
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// How long RTM may take to log in.
    pub login: Duration,
    /// How long a session without a client is kept.
    pub grace: Duration,
    /// How long the channel of a resumed session is kept for the client to join it again.
    pub rejoin: Duration,
    /// How long a call rings when its caller does not say.
    pub invite: Duration,
    /// Lines that wait for a client.
    pub mailbox: usize,
    /// What they may take, in bytes; as much for messages that wait for their peers.
    pub mailbox_bytes: usize,
    /// How long they wait.
    pub mailbox_ttl: Duration,
    /// Messages a second.
    pub messages_per_second: u32,
    /// Calls, and signals about calls, a second.
    pub invitations_per_second: u32,
    /// Whether a message over the rate is swallowed instead of refused.
    pub discard_over_rate: bool,
    /// Whether an attribute that is not there reads as empty instead of failing.
    pub empty_attributes: bool,
    /// Whether a second call to the same party about the same channel fails instead of replacing the first.
    pub strict_reinvite: bool,
    /// Whether a message to a channel from outside may be sent by joining it, where there is no other way.
    pub force_join: bool,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            login: Duration::from_secs(4),
            grace: Duration::from_secs(30),
            rejoin: Duration::from_secs(10),
            invite: Duration::from_secs(20),
            mailbox: 1000,
            mailbox_bytes: 4 << 20,
            mailbox_ttl: Duration::from_secs(3600),
            messages_per_second: 60,
            invitations_per_second: 60,
            discard_over_rate: false,
            empty_attributes: false,
            strict_reinvite: false,
            force_join: false,
        }
    }
}

/// What happens to a session.
#[derive(Clone, Debug)]
pub enum Input {
    /// A client wants to log in; `verdict` is what its token and account are worth.
    Admitted {
        /// Where to answer.
        call: CallRef,
        /// `Err` with the reason for a refusal.
        verdict: Result<(), Text>,
        /// The line that identifies the session from now on.
        line: Text,
        /// The login call's arguments, in the row's order.
        args: Vec<Value>,
    },
    /// Another socket of the same client takes over.
    Attached {
        /// Where to answer.
        call: CallRef,
        /// How.
        how: Attach,
        /// The line of this socket.
        line: Text,
    },
    /// A client that has returned by its line says what it was told of its channel last.
    Subscribed {
        /// Its socket.
        socket: SocketId,
        /// The channel's number.
        cid: u64,
        /// The number of the last line.
        msgid: u64,
    },
    /// A call of a row.
    Call {
        /// Who asks.
        call: CallRef,
        /// The row.
        row: RowId,
        /// Its arguments, in the row's order.
        args: Vec<Value>,
        /// The last version of the mailbox that the client has, where a logout says so.
        acknowledges: Option<u64>,
    },
    /// A call that a front found wrong: answered in the row's own form.
    Refused {
        /// Who asks.
        call: CallRef,
        /// The row.
        row: RowId,
        /// Those of its arguments that are right.
        args: Vec<Value>,
        /// Why not.
        reason: Text,
    },
    /// A call that is to come is one too many for its channel.
    OverRate {
        /// Its socket.
        socket: SocketId,
        /// The client's number.
        id: i64,
    },
    /// There is no memory for more than a small share of what the session may keep; or there is again.
    Pressed(bool),
    /// The mailbox: acknowledge all up to `ver_clear`, fetch at most `max`.
    Poll {
        /// Who asks.
        call: CallRef,
        /// The last version that the client has.
        ver_clear: u64,
        /// How many it takes.
        max: usize,
    },
    /// RTM answers.
    RtmReply {
        /// The number of [`Effect::Rtm`].
        request: u64,
        /// Its result.
        result: Result<RtmReply, RtmError>,
    },
    /// RTM tells something.
    RtmEvent(RtmEvent),
    /// The upstream is there, or not.
    Upstream(bool),
    /// The calls that the upstream lacks, when that is no more what the session was told at its beginning.
    Lacks(Arc<[CallKind]>),
    /// Lines that an earlier session of the account has left, with when they came.
    Kept(Vec<(Event, Time)>),
    /// A timer that the session has set.
    Timer(TimerKey),
    /// A socket is gone.
    FrontClosed(SocketId),
    /// A socket is gone: a client that does not reconnect has closed it.
    FrontClosedByClient {
        /// The socket.
        socket: SocketId,
        /// The most time that the session is kept.
        grace: Duration,
    },
}

impl Input {
    /// About how much memory its texts take.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Admitted { args, .. } | Self::Call { args, .. } | Self::Refused { args, .. } => {
                args.iter().map(Value::bytes).sum()
            }
            Self::Kept(lines) => lines.iter().map(|(event, _)| event.bytes()).sum(),
            _ => 0,
        }
    }
}

/// How a socket takes over a session that exists (decisions H4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// A second socket of the login that is on its way, or just was.
    Twin,
    /// A new login in the grace time: the client has kept its calls only.
    Again,
    /// A new login in the grace time: the client has kept nothing.
    Anew,
    /// By the line of the login: the client knows all that it was told.
    ByLine,
}

/// What a session wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call RTM.
    Rtm {
        /// The number to answer with.
        request: u64,
        /// The call.
        call: RtmCall,
    },
    /// Call RTM through another session that is in the channel: RTM answers such calls to members only (decisions H8).
    RtmVia {
        /// The number to answer with; where there is no such session, with `NOT_IN_CHANNEL`.
        request: u64,
        /// The channel.
        channel: ChannelId,
        /// The call.
        call: RtmCall,
    },
    /// Answer a client's call; exactly one for each.
    Answer {
        /// Whose.
        call: CallRef,
        /// The row that answers.
        row: RowId,
        /// The answer.
        answer: Answer,
    },
    /// Answer a poll.
    Mailbox {
        /// Whose.
        call: CallRef,
        /// All up to this version is acknowledged.
        ver_clear: u64,
        /// The next ones.
        lines: Vec<(u64, Event)>,
    },
    /// Tell a client something.
    Notify {
        /// The socket.
        socket: SocketId,
        /// How.
        form: Form,
        /// What.
        event: Event,
    },
    /// Tell a client that there are lines up to a version.
    Hint {
        /// The socket.
        socket: SocketId,
        /// The version of the last line.
        version: u64,
    },
    /// Answer a return by line.
    Returned(CallRef),
    /// Set a timer, in place of one with the same key.
    SetTimer {
        /// Its key.
        key: TimerKey,
        /// When.
        at: Time,
    },
    /// A translation was not exact: for logs and metrics.
    Note {
        /// The row.
        row: RowId,
        /// The limitation.
        code: CodeId,
        /// The account or the channel that the row was about, where there is one; not part of a trace.
        about: Option<Text>,
    },
    /// Something was dropped for want of room: for logs and metrics.
    Dropped(&'static str),
    /// Keep these lines for the account's next session here.
    Keep(Vec<(Event, Time)>),
    /// Close a socket, after what was written to it.
    Close(SocketId),
    /// The session is over.
    End,
}

/// How a session has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its login was refused.
    Refused,
    /// Its client has logged out.
    LoggedOut,
    /// The user has logged in elsewhere.
    Kicked,
    /// RTM has put the user out.
    Banned,
    /// Its client, or RTM, has stayed away for too long.
    Lost,
}

/// A timer of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKey {
    /// RTM's time to log in.
    Login,
    /// The time without a client.
    Grace,
    /// The time to join the old channel again.
    Rejoin,
    /// The time that a call rings.
    Invite(InvitationId),
    /// The time that an incoming call rings.
    Ring(InvitationId),
    /// The time until a request is tried again.
    Retry(u64),
    /// The time that events wait for names.
    Names,
    /// The time of the message in the outbox that is over first.
    Outbox,
    /// The time of the visit to a channel that is over first.
    TransientJoins,
    /// The time to tell `_member_num`.
    MemberNum,
    /// The time until gathered calls may travel again.
    Gather(CallKind),
}
