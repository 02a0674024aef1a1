//! Frames of clients, independent of the transport.

use rtm::value::{Text, Value};
use tables::profile::Transport;
use tables::wire::RowCall;

/// The replacement for tokens in recordings.
pub(super) const NO_TOKEN: &str = "<token>";

/// A frame of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientFrame {
    /// A login with its fields.
    Login(Value),
    /// A resume by the line of an earlier login.
    LineLogin(Text),
    /// The channel of a resumed client, and the last line that it has received.
    Subscribe {
        /// The channel's number.
        cid: u64,
        /// The last line's number.
        msgid: u64,
    },
    Call {
        function: Text,
        /// The client's number.
        id: i64,
        /// The arguments, unchanged.
        args: Value,
    },
    /// A ping; the pong carries the same value.
    Ping(Value),
    /// The client's capabilities, which are ignored: it is always sent text.
    SetFlag,
    /// A name that no documented client sends: ignored, but counted.
    Unknown,
}

/// Returns a login in the text form of its transport.
pub fn login_text(transport: Transport, fields: &Value) -> String {
    match transport {
        Transport::Tcp => format!("login {fields}"),
        Transport::WebSocket | Transport::Api => format!("[\"login\",{fields}]"),
    }
}

/// Returns a field of a login, by the name of the login row's argument.
pub fn login_field(row: &RowCall, fields: &Value, name: &str) -> Value {
    let wire = wire_name(row, name);
    wire.and_then(|wire| fields.get(wire)).cloned().unwrap_or_default()
}

/// Returns the fields of a login without its token.
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
