//! What goes between clients and their sessions: calls, answers, events.

use rtm::value::{Text, Value};
use tables::row::{FailId, RowId, SigId};

/// One connection of a client; numbers are the shell's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(pub u64);

/// A call of a client: the number that it gave, and the wire function that it used.
///
/// Call numbers begin anew on each socket, so an answer goes by socket and number (decisions H4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRef {
    /// The socket that asked.
    pub socket: SocketId,
    /// The client's number.
    pub id: i64,
    /// The position of the function in the wire tables; [`LOGIN`] for the login frame.
    pub function: usize,
}

/// The function number of the login frame.
pub const LOGIN: usize = usize::MAX;

/// How a notification travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By its documented name.
    Direct,
    /// As a mailbox line of that version.
    Mailbox(u64),
    /// As a line of the channel.
    Channel {
        /// The channel's number in this session.
        cid: u64,
        /// The line's number in the channel.
        msgid: u64,
    },
    /// As control frames.
    Control,
}

/// A Signaling event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Which.
    pub sig: SigId,
    /// The row that made it.
    pub row: RowId,
    /// Its arguments, in order.
    pub args: Vec<Value>,
}

/// The answer to a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// A refusal.
    pub failure: Option<Refusal>,
    /// The events that the answer consists of.
    pub events: Vec<Event>,
    /// Fields of the row's answer, in the row's order.
    pub fields: Vec<Value>,
}

/// A refusal of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Its class.
    pub class: FailId,
    /// Its text.
    pub reason: Text,
    /// The number that the session's family makes of it.
    pub ecode: i64,
    /// The event that tells it where events tell it.
    pub event: Event,
}

impl Event {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        const BESIDE: usize = 64;
        let value = |value: &Value| size_of::<Value>() + value.bytes();
        BESIDE + self.args.iter().map(value).sum::<usize>()
    }
}
