//! What goes between tasks.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use crate::bridge::{Attach, CallRef, Event, SocketId};
use crate::mapping::row::RowId;
use crate::rtm::RtmCall;
use crate::time::Time;
use crate::upstream::Told;
use crate::value::{Text, Value};

use super::logins::PendingLogin;
use super::speech::Speech;

/// To a session. Large parts are boxed: every session's inbox has room for some.
#[derive(Debug)]
pub enum Message {
    /// A socket has logged in.
    Login(Box<Login>),
    /// A call of a row.
    Call {
        /// Who asks.
        call: CallRef,
        /// The row.
        row: RowId,
        /// Its arguments.
        args: Vec<Value>,
    },
    /// A call with wrong arguments.
    Refused {
        /// Who asks.
        call: CallRef,
        /// The row.
        row: RowId,
        /// What is wrong.
        reason: Text,
    },
    /// A poll of the mailbox.
    Poll {
        /// Who asks.
        call: CallRef,
        /// The last version that the client has.
        ver_clear: u64,
        /// How many it takes.
        max: usize,
    },
    /// A client that has returned says what it was told of its channel last.
    Subscribe {
        /// Its socket.
        socket: SocketId,
        /// The channel's number.
        cid: u64,
        /// The last line's number.
        msgid: u64,
    },
    /// Lines that an earlier session of the account has left, with when they came.
    Kept(Vec<(Event, Time)>),
    /// A client has shown what build it is of: it is spoken to in this language from now on.
    Speaks(SocketId, Arc<dyn Speech>),
    /// A client is heard of, without a call.
    Alive(SocketId),
    /// A socket is gone.
    Closed(SocketId),
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
}
