//! What goes between tasks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use crate::bridge::{Attach, CallRef, Input, SocketId};
use crate::rtm::RtmCall;
use crate::upstream::Told;
use crate::value::{Text, Value};

use super::logins::PendingLogin;
use super::speech::Speech;

/// To a session. Large parts are boxed: every session's inbox has room for some.
#[derive(Debug)]
pub enum Message {
    /// A socket has logged in.
    Login(Box<Login>),
    /// A call, or whatever else goes to the engine as it is.
    Input(Box<Input>),
    /// A client has shown what build it is of: it is spoken to in this language from now on.
    Speaks(SocketId, Arc<dyn Speech>),
    /// A socket is gone; with the most time that the session is kept, where its client does not reconnect.
    Closed(SocketId, Option<Duration>),
    /// Another session asks for a call that RTM answers to members only.
    Ask {
        /// The call.
        call: RtmCall,
        /// The number that the other session answers by.
        request: u64,
        /// The other session.
        asker: mpsc::Sender<Message>,
    },
    /// RTM's replies and events.
    Told(Box<Told>),
    /// The same, and the text that said so: for a session that is recorded.
    Said {
        /// The socket.
        socket: SocketId,
        /// The text.
        frame: Utf8Bytes,
        /// What it means, in order.
        meanings: Vec<Said>,
    },
}

/// What a text, or a part of it, means to a session that is recorded.
#[derive(Debug)]
pub enum Said {
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
    /// Its queue; bounded, so a client that does not read is closed and slows nobody.
    pub out: mpsc::Sender<Out>,
    /// Ends it at once.
    pub kill: CancellationToken,
    /// Its language.
    pub speech: Arc<dyn Speech>,
}

/// To a socket.
#[derive(Clone, Debug)]
pub enum Out {
    /// A frame.
    Frame(Utf8Bytes),
    /// Close, after what was written.
    Close,
    /// The login is refused: close after what was written, unless the profile leaves that to the client.
    Refused,
}
