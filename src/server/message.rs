//! Messages to sessions.

use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use engine::{Attach, Input};
use protocol::event::{CallRef, SocketId};
use rtm::RtmCall;
use rtm::upstream::UpstreamEvent;
use rtm::value::{Text, Value};
use rtm_redis::records::RecordEvent;
use trace::SessionRecorder;

use crate::server::offline_mailboxes::Lines;
use crate::server::pending_logins::PendingLogin;
use crate::server::send_queue::Outbound;
use crate::server::session_directory::ClientView;
use crate::server::session_inbox::Inbox;
use crate::server::table_set::TableSet;
use protocol::encoder::Encoder;

/// Message to a session. Large parts are boxed, to keep inboxes small.
#[derive(Debug)]
pub enum Message {
    /// A login.
    Login(Box<Login>),
    /// An input for the engine, for example a call.
    Input(Box<Input>),
    /// Lines of the account's earlier session, with its tables.
    OfflineLines(Box<(Lines, Arc<TableSet>)>),
    /// The encoder for a socket and the name of its profile, after its client's build is known.
    EncoderChanged(SocketId, Arc<dyn Encoder>, Text),
    /// A closed socket, with the maximum grace time if its client does not reconnect.
    Closed(SocketId, Option<Duration>),
    /// A call for another session, which RTM allows to channel members only.
    CallForOther(Box<CallForOther>),
    /// A reply or event of RTM.
    UpstreamEvent(Box<UpstreamEvent>),
    /// Event of the session's record in Redis.
    Record(Box<RecordEvent>),
    /// The early end of the grace time, because too many sessions have no client.
    GiveUp,
    /// The end of the session by an operator.
    Close,
    /// A viewer that follows the session.
    Watch(Box<Viewer>),
    /// The end of a viewer, by its number.
    Unwatch(u64),
    /// A frame and its items, for a recorded session.
    RecordedFrame(Box<RecordedFrame>),
}

/// Call for another session.
#[derive(Debug)]
pub struct CallForOther {
    pub call: RtmCall,
    /// Request number in the other session.
    pub request: u64,
    /// Inbox of the other session.
    pub requester: Inbox,
}

/// Frame of a recorded session.
#[derive(Debug)]
pub struct RecordedFrame {
    pub socket: SocketId,
    /// Text of the frame.
    pub text: Utf8Bytes,
    /// Items of the frame, in order.
    pub items: Vec<RecordedItem>,
}

/// Viewer of a session.
#[derive(Clone)]
pub struct Viewer {
    /// Number of the viewer.
    pub number: u64,
    /// The recorder that writes for it.
    pub recorder: SessionRecorder,
    /// Tables by which it reads rows.
    pub set: Arc<TableSet>,
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Item of a frame of a recorded session.
#[derive(Debug)]
pub enum RecordedItem {
    /// A message for the session.
    Message(Message),
    /// Frames of an answer that is already sent.
    Answered(Vec<String>),
}

/// Login of a socket.
#[derive(Debug)]
pub struct Login {
    /// The login call.
    pub call: CallRef,
    /// Session line for the calls of this socket.
    pub line: Text,
    pub socket: SocketHandle,
    /// The client, as operators see it.
    pub client: ClientView,
    /// Arguments of the login, in the row's order.
    pub args: Vec<Value>,
    /// Kind of attachment to an existing session.
    pub attached: Option<Attach>,
    /// True if the client loses its calls at a login.
    pub loses_calls: bool,
    /// Registration of the pending login, dropped after the answer.
    pub pending: PendingLogin,
}

/// Handle of a socket.
#[derive(Clone, Debug)]
pub struct SocketHandle {
    /// Send queue.
    pub out: Arc<Outbound>,
    /// Encoder for the client.
    pub encoder: Arc<dyn Encoder>,
}

/// Other tables, which the only connection of a session offers to it. No input of the connection is on its way.
pub struct TableOffer {
    /// The connection.
    pub socket: SocketId,
    pub set: Arc<TableSet>,
    /// Its encoder by these tables.
    pub encoder: Arc<dyn Encoder>,
}

/// Memory of a message without its texts.
const MESSAGE_BYTES: usize = 128;

impl Message {
    /// Returns the approximate memory of the message.
    pub fn bytes(&self) -> usize {
        let payload = match self {
            Self::Input(input) => input.bytes(),
            Self::OfflineLines(lines) => lines.0.iter().map(|(event, _)| event.bytes()).sum(),
            Self::UpstreamEvent(emitted) => emitted.bytes(),
            Self::RecordedFrame(frame) => {
                let item = |item: &RecordedItem| match item {
                    RecordedItem::Message(message) => message.bytes(),
                    RecordedItem::Answered(frames) => frames.iter().map(String::len).sum(),
                };
                frame.text.len() + frame.items.iter().map(item).sum::<usize>()
            }
            Self::Login(login) => login.args.iter().map(Value::bytes).sum(),
            Self::Record(event) => event.bytes(),
            Self::EncoderChanged(..) | Self::Closed(..) | Self::CallForOther(_) | Self::GiveUp | Self::Close => 0,
            Self::Watch(_) | Self::Unwatch(_) => 0,
        };
        MESSAGE_BYTES + payload
    }

    /// Returns true for a message from a client.
    pub fn is_from_client(&self) -> bool {
        matches!(self, Self::Input(_) | Self::RecordedFrame(_))
    }
}
