//! What a client says, whatever its transport.

use crate::mapping::profile::Transport;
use crate::value::{Text, Value};

use super::{tcp, web};

/// A frame of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientFrame {
    /// A login with its fields.
    Login(Value),
    /// A return by the line of an earlier login.
    LineLogin(Text),
    /// The channel that a client which has returned is in, and the last that it was told of it.
    Subscribe {
        /// The channel's number.
        cid: u64,
        /// The last line's number.
        msgid: u64,
    },
    /// A call.
    Call {
        /// The function.
        function: Text,
        /// The client's number.
        id: i64,
        /// The arguments, as they came.
        args: Value,
    },
    /// A ping; the pong carries the same value.
    Ping(Value),
    /// The client says what it could take; it is sent text all the same.
    SetFlag,
    /// A name that no documented client sends: ignored, counted.
    Unknown,
}

/// Reads a frame of a transport that keeps nothing for each connection.
pub fn decode(transport: Transport, text: &str) -> Option<ClientFrame> {
    match transport {
        Transport::WebSocket => web::decode::decode(text).ok(),
        Transport::Tcp => tcp::decode(text).ok().map(ClientFrame::from),
        // Its connections number their requests.
        Transport::Api => None,
    }
}

/// A login as a transport has it.
pub fn login_text(transport: Transport, fields: &Value) -> String {
    match transport {
        Transport::Tcp => format!("login {fields}"),
        Transport::WebSocket | Transport::Api => format!("[\"login\",{fields}]"),
    }
}
