//! Inputs and effects of a session.
//!
//! Everything that is not a function of recorded inputs is an input (decisions H12): verdicts,
//! session lines, ids by [`Names`], the clock. The same inputs thus give the same effects, byte for
//! byte.

use std::sync::Arc;
use std::time::Duration;

use protocol::event::{Answer, CallRef, Event, Form, SocketId};
use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::value::{Text, Value};
use rtm::{CallKind, ChannelId, InvitationId, RtmCall, RtmError, RtmEvent, RtmReply};
use tables::Tables;
use tables::reason::Reason;
use tables::row::{CodeId, RowId};
use tables::wire::Wire;

use crate::names::Names;

/// Immutable context of a session.
#[derive(Clone)]
pub struct SessionContext {
    /// The tables.
    pub tables: Arc<Tables>,
    /// The wire of the client's family.
    pub wire: Arc<Wire>,
    /// The mapping of names in both directions.
    pub names: Arc<dyn Names>,
    /// RTM itself stores messages for offline users.
    pub offline_messages: bool,
    /// The session's changes are stored, so that the account's next session continues with them.
    pub durable: bool,
    /// Returns true for calls that the upstream supports.
    pub can: Arc<dyn Fn(CallKind) -> bool + Send + Sync>,
    /// Timeouts and bounds.
    pub limits: SessionLimits,
}

/// Timeouts and bounds of a session (`config.example.toml` names the defaults).
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Timeout of RTM's login.
    pub login: Duration,
    /// Lifetime of a session without a client.
    pub grace: Duration,
    /// Time for a client to join the channel of its resumed session again.
    pub rejoin: Duration,
    /// Ring time of an invitation, if the caller gives none.
    pub invite: Duration,
    /// Maximum number of lines in the mailbox.
    pub mailbox: usize,
    /// Maximum size of the mailbox in bytes, and of the outbox.
    pub mailbox_bytes: usize,
    /// Lifetime of a line in the mailbox.
    pub mailbox_ttl: Duration,
    /// Maximum rate of messages per second.
    pub messages_per_second: u32,
    /// Maximum rate of invitations and call signals per second.
    pub invitations_per_second: u32,
    /// Discards a message over the rate instead of refusing it.
    pub discard_over_rate: bool,
    /// Reads a missing attribute as empty instead of failing.
    pub empty_attributes: bool,
    /// Refuses a second invitation of the same party and channel, instead of replacing the first.
    pub strict_reinvite: bool,
    /// Permits a transient join to send a message to a channel from outside, if there is no other
    /// way.
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

/// An input of a session.
#[derive(Clone, Debug)]
pub enum Input {
    /// A login; `verdict` is the result of the authentication.
    Admitted {
        /// The login call.
        call: CallRef,
        /// `Err` with the reason for a refusal.
        verdict: Result<(), Reason>,
        /// The new session line.
        line: Text,
        /// The login call's arguments, in the row's order.
        args: Vec<Value>,
    },
    /// Another socket of the same client takes over.
    Attached {
        /// The login call.
        call: CallRef,
        /// The kind of takeover.
        how: Attach,
        /// The session line of this socket.
        line: Text,
    },
    /// The channel state of a client that has resumed by its session line.
    Subscribed {
        /// The socket.
        socket: SocketId,
        /// The channel's number.
        cid: u64,
        /// The number of the last received line.
        msgid: u64,
    },
    /// A call of a row.
    Call {
        /// The client's call.
        call: CallRef,
        /// The row.
        row: RowId,
        /// The arguments, in the row's order.
        args: Vec<Value>,
        /// The last received mailbox version, if a logout contains it.
        acknowledges: Option<u64>,
    },
    /// An invalid call, which is answered in the row's own form.
    Refused {
        /// The client's call.
        call: CallRef,
        /// The row.
        row: RowId,
        /// The valid arguments.
        args: Vec<Value>,
        /// The reason for the refusal.
        reason: Reason,
    },
    /// The announcement of a call that exceeds its channel's rate.
    OverRate {
        /// The socket.
        socket: SocketId,
        /// The client's number.
        id: i64,
    },
    /// The memory budget is exhausted (true), or available again (false).
    Pressed(bool),
    /// A poll: acknowledges all lines up to `ver_clear`, fetches at most `max`.
    Poll {
        /// The client's call.
        call: CallRef,
        /// The last received version.
        ver_clear: u64,
        /// Maximum number of lines.
        max: usize,
    },
    /// The reply to an RTM call.
    RtmReply {
        /// The number of [`Effect::Rtm`].
        request: u64,
        /// The result.
        result: Result<RtmReply, RtmError>,
    },
    /// An RTM event.
    RtmEvent(RtmEvent),
    /// The upstream is connected, or not.
    Upstream(bool),
    /// The calls that the upstream does not support, after a change.
    Unsupported(Arc<[CallKind]>),
    /// Lines left by an earlier session of the account, with their times.
    OfflineLines(Vec<(Event, Time)>),
    /// A timer of the session has expired.
    Timer(TimerKey),
    /// A socket was closed.
    FrontClosed(SocketId),
    /// A client that does not reconnect has closed its socket.
    FrontClosedByClient {
        /// The socket.
        socket: SocketId,
        /// Maximum remaining lifetime of the session.
        grace: Duration,
    },
}

impl Input {
    /// Returns the approximate memory size of its texts.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Admitted { args, .. } | Self::Call { args, .. } | Self::Refused { args, .. } => {
                args.iter().map(Value::bytes).sum()
            }
            Self::OfflineLines(lines) => lines.iter().map(|(event, _)| event.bytes()).sum(),
            _ => 0,
        }
    }
}

/// The kind of a socket's takeover of an existing session (decisions H4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// A second socket of a pending or recent login.
    Twin,
    /// A new login in the grace time: the client has only its calls.
    Resume,
    /// A new login in the grace time: the client has no state.
    Reset,
    /// A resume by session line: the client has its complete state.
    BySessionLine,
}

/// An effect of a session; effects are executed in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// An RTM call.
    Rtm {
        /// The number of the reply.
        request: u64,
        /// The call.
        call: RtmCall,
    },
    /// An RTM call by another session in the channel: RTM accepts such calls from members only
    /// (decisions H8).
    RtmVia {
        /// The number of the reply, which is `NOT_IN_CHANNEL` without such a session.
        request: u64,
        /// The channel.
        channel: ChannelId,
        /// The call.
        call: RtmCall,
    },
    /// The answer to a client's call; exactly one for each call.
    Answer {
        /// The client's call.
        call: CallRef,
        /// The answering row.
        row: RowId,
        /// The answer.
        answer: Answer,
    },
    /// The answer to a poll.
    Mailbox {
        /// The client's call.
        call: CallRef,
        /// The acknowledged version.
        ver_clear: u64,
        /// The next lines.
        lines: Vec<(u64, Event)>,
    },
    /// A notification.
    Notify {
        /// The socket.
        socket: SocketId,
        /// The form.
        form: Form,
        /// The event.
        event: Event,
    },
    /// A notification of lines up to a version.
    Hint {
        /// The socket.
        socket: SocketId,
        /// The version of the last line.
        version: u64,
    },
    /// The answer to a resume by line.
    Resumed(CallRef),
    /// Sets a timer; replaces one with the same key.
    SetTimer {
        /// The key.
        key: TimerKey,
        /// The time.
        at: Time,
    },
    /// A translation with a limitation: for logs and metrics.
    Note {
        /// The row.
        row: RowId,
        /// The limitation.
        code: CodeId,
        /// The account or channel of the row, if there is one; not part of a trace.
        about: Option<Text>,
    },
    /// Data was dropped because a bound was reached: for logs and metrics.
    Dropped(DropReason),
    /// Lines to store for the account's next session on this sidecar.
    StoreLines(Vec<(Event, Time)>),
    /// Close a socket after its pending writes.
    Close(SocketId),
    /// The session has ended.
    End,
}

/// The reason for the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The login was refused.
    Refused,
    /// The client has logged out.
    LoggedOut,
    /// The user has logged in elsewhere.
    Kicked,
    /// RTM has banned the user.
    Banned,
    /// The client, or RTM, was disconnected for too long.
    Lost,
}

impl From<UpstreamEvent> for Input {
    fn from(event: UpstreamEvent) -> Self {
        match event {
            UpstreamEvent::Reply { request, result } => Self::RtmReply { request, result },
            UpstreamEvent::Event(event) => Self::RtmEvent(event),
            UpstreamEvent::Up(up) => Self::Upstream(up),
            UpstreamEvent::Unsupported(lacks) => Self::Unsupported(lacks),
        }
    }
}

/// A timer of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKey {
    /// Timeout of RTM's login.
    Login,
    /// The grace time without a client.
    Grace,
    /// The time to join the old channel again.
    Rejoin,
    /// The ring time of an outgoing invitation.
    Invite(InvitationId),
    /// The ring time of an incoming invitation.
    Ring(InvitationId),
    /// The delay before a request is retried.
    Retry(u64),
    /// The timeout of name lookups.
    Names,
    /// The first expiry in the outbox.
    Outbox,
    /// The first end of a transient join.
    TransientJoins,
    /// The next publication of `_member_num`.
    MemberNum,
    /// The delay before the next batch of gathered calls.
    Gather(CallKind),
}

/// The bound that caused a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// `requests`.
    Requests,
    /// `held channel events`.
    HeldChannelEvents,
    /// `messages to offline peers`.
    OfflineMessages,
    /// `channel lines of a client that was away`.
    ChannelLines,
    /// `calls`.
    Calls,
    /// `lines of a client that is away`.
    LinesWithoutClient,
    /// `mailbox lines of an earlier login`.
    EarlierMailboxLines,
    /// `mailbox lines`.
    MailboxLines,
    /// `messages over the rate`.
    MessagesOverRate,
}

impl DropReason {
    /// Returns the name in logs, metrics and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::HeldChannelEvents => "held channel events",
            Self::OfflineMessages => "messages to offline peers",
            Self::ChannelLines => "channel lines of a client that was away",
            Self::Calls => "calls",
            Self::LinesWithoutClient => "lines of a client that is away",
            Self::EarlierMailboxLines => "mailbox lines of an earlier login",
            Self::MailboxLines => "mailbox lines",
            Self::MessagesOverRate => "messages over the rate",
        }
    }
}
