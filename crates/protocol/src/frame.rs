//! What a client says, whatever its transport.

use rtm::value::{Text, Value};
use tables::profile::Transport;
use tables::wire::RowCall;

/// What a recording has instead of a token.
pub(super) const NO_TOKEN: &str = "<token>";

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

/// A login as a transport that names it by a word has it.
pub fn login_text(transport: Transport, fields: &Value) -> String {
    match transport {
        Transport::Tcp => format!("login {fields}"),
        Transport::WebSocket | Transport::Api => format!("[\"login\",{fields}]"),
    }
}

/// A field of a login, by the name of the login row's argument.
pub fn login_field(row: &RowCall, fields: &Value, name: &str) -> Value {
    let wire = wire_name(row, name);
    wire.and_then(|wire| fields.get(wire)).cloned().unwrap_or_default()
}

/// The fields of a login as they may be kept.
pub fn without_token(row: &RowCall, fields: &Value) -> Value {
    let token = wire_name(row, "token");
    let shown = |(name, value): &(Text, Value)| {
        let is_token = Some(name) == token;
        (name.clone(), if is_token { NO_TOKEN.into() } else { value.clone() })
    };
    Value::Map(fields.as_map().unwrap_or_default().iter().map(shown).collect())
}

fn wire_name<'r>(row: &'r RowCall, name: &str) -> Option<&'r Text> {
    row.args.iter().find(|arg| &*arg.name == name)?.wire.as_ref()
}
