//! What goes between tasks.

use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use engine::{Attach, Input};
use protocol::event::{CallRef, SocketId};
use rtm::RtmCall;
use rtm::upstream::UpstreamEvent;
use rtm::value::{Text, Value};

use crate::server::pending_logins::PendingLogin;
use crate::server::send_queue::Outbound;
use crate::server::session_inbox::Inbox;
use protocol::encoder::Encoder;

/// To a session. Large parts are boxed: every session's inbox has room for some.
#[derive(Debug)]
pub enum Message {
    /// A socket has logged in.
    Login(Box<Login>),
    /// A call, or whatever else goes to the engine as it is.
    Input(Box<Input>),
    /// A client has shown what build it is of: it is spoken to in this language from now on.
    Speaks(SocketId, Arc<dyn Encoder>),
    /// A socket is gone; with the most time that the session is kept, where its client does not reconnect.
    Closed(SocketId, Option<Duration>),
    /// Another session asks for a call that RTM answers to members only.
    Ask {
        /// The call.
        call: RtmCall,
        /// The number that the other session answers by.
        request: u64,
        /// The other session.
        asker: Inbox,
    },
    /// RTM's replies and events.
    UpstreamEvent(Box<UpstreamEvent>),
    /// Too many sessions wait for their clients: the grace time of this one is over.
    GiveUp,
    /// The same, and the text that said so: for a session that is recorded.
    RecordedItem {
        /// The socket.
        socket: SocketId,
        /// The text.
        frame: Utf8Bytes,
        /// What it means, in order.
        meanings: Vec<RecordedItem>,
    },
}

/// What a text, or a part of it, means to a session that is recorded.
#[derive(Debug)]
pub enum RecordedItem {
    /// A message for it.
    Message(Message),
    /// Its answer, which has been sent.
    Answered(Vec<String>),
}

/// A socket that logs in.
#[derive(Debug)]
pub struct Login {
    /// Where to answer.
    pub call: CallRef,
    /// The line that its calls carry.
    pub line: Text,
    /// The way to the socket.
    pub socket: SocketHandle,
    /// The login's arguments, in the row's order.
    pub args: Vec<Value>,
    /// How the socket comes to a session that exists.
    pub attached: Option<Attach>,
    /// Dropped when it is answered.
    pub pending: PendingLogin,
}

/// The way to a socket.
#[derive(Clone, Debug)]
pub struct SocketHandle {
    /// What it is to be sent.
    pub out: Arc<Outbound>,
    /// Its language.
    pub encoder: Arc<dyn Encoder>,
}

/// What a message takes beside its texts.
const MESSAGE_BYTES: usize = 128;

impl Message {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let payload = match self {
            Self::Input(input) => input.bytes(),
            Self::UpstreamEvent(told) => told.bytes(),
            Self::RecordedItem { frame, meanings, .. } => {
                let meaning = |meaning: &RecordedItem| match meaning {
                    RecordedItem::Message(message) => message.bytes(),
                    RecordedItem::Answered(frames) => frames.iter().map(String::len).sum(),
                };
                frame.len() + meanings.iter().map(meaning).sum::<usize>()
            }
            Self::Login(login) => login.args.iter().map(Value::bytes).sum(),
            Self::Speaks(..) | Self::Closed(..) | Self::Ask { .. } | Self::GiveUp => 0,
        };
        MESSAGE_BYTES + payload
    }

    /// Whether a client has said it.
    pub fn is_said(&self) -> bool {
        matches!(self, Self::Input(_) | Self::RecordedItem { .. })
    }
}
