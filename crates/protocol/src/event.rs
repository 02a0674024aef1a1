//! Data between clients and their sessions: calls, answers, events.

use smallvec::SmallVec;

use rtm::value::{Text, Value};
use tables::row::{FailId, RowId, SigId};

/// One connection of a client, numbered by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(pub u64);

/// A client's call: the client's number and the wire function.
///
/// Call numbers restart on each socket, so an answer is addressed by socket and number (decisions
/// H4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRef {
    /// The socket of the call.
    pub socket: SocketId,
    /// The client's number.
    pub id: i64,
    /// The position of the function in the wire tables; [`LOGIN`] for the login frame.
    pub function: usize,
}

/// The function number of the login frame.
pub const LOGIN: usize = usize::MAX;

/// The form of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By its documented name.
    Direct,
    /// As a mailbox line of that version.
    Mailbox(u64),
    /// As a channel line.
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
    /// The signature.
    pub sig: SigId,
    /// The row that produced the event.
    pub row: RowId,
    /// The arguments, in order.
    pub args: Vec<Value>,
}

/// The answer to a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The refusal; `None` for a success.
    pub failure: Option<Refusal>,
    /// The events of the answer: mostly one.
    pub events: SmallVec<[Event; 1]>,
    /// The fields of the row's answer, in the row's order.
    pub fields: Vec<Value>,
}

/// A refusal of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The failure class.
    pub class: FailId,
    pub reason: Text,
    /// The number of the failure in the session's family.
    pub ecode: i64,
    /// The failure event.
    pub event: Event,
}

impl Event {
    /// Returns the approximate memory size.
    pub fn bytes(&self) -> usize {
        const BESIDE: usize = 64;
        let value = |value: &Value| size_of::<Value>() + value.bytes();
        BESIDE + self.args.iter().map(value).sum::<usize>()
    }
}
