//! Client profiles: what the wire reveals of a client's build, and how that build is treated.

use std::time::Duration;

use rtm::value::{Text, Value};

/// How a client came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket frames (signaling-wire 2).
    WebSocket,
    /// Packets over TCP (signaling-wire 10).
    Tcp,
    /// JSON-RPC over WebSocket.
    Api,
}

impl Transport {
    /// Names as profiles write them.
    pub const NAMES: &[(&str, Transport)] = &[("websocket", Self::WebSocket), ("tcp", Self::Tcp), ("api", Self::Api)];
}

/// How a client is told of a line in its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyForm {
    /// The line itself, with its version.
    Line,
    /// The version, upon which the client fetches the line.
    Hint,
    /// By the event's documented name: there is no mailbox.
    Name,
}

impl NotifyForm {
    /// Names as profiles write them.
    pub const NAMES: &[(&str, NotifyForm)] = &[("line", Self::Line), ("hint", Self::Hint), ("name", Self::Name)];
}

/// How clients of some builds are treated.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: Text,
    /// The family, whose wire it speaks.
    pub family: Text,
    /// How it comes in.
    pub transport: Transport,
    /// The builds, for readers.
    pub builds: Text,
    /// Fields of the login that give it away.
    pub tell: Vec<(Text, Value)>,
    /// The profile of a client that has sent `set_flag`, by position.
    pub flagged: Option<usize>,
    /// The most time that a session is kept after its client has closed the socket. None for clients that may reconnect.
    pub grace: Option<Duration>,
    /// It loses its calls at the next login.
    pub anew: bool,
    /// The socket of a refused login stays open for the client to close.
    pub refused_stays: bool,
    /// How it is told of lines.
    pub notify: NotifyForm,
    /// How long a pong waits (signaling-wire 3.2).
    pub pong_delay: Duration,
    /// Two sockets of one client may log in at once (signaling-wire 1.4).
    pub twins: bool,
    /// How long the close of a socket that never logged in waits for the login of the other, at most; zero for not at
    /// all (signaling-wire 1.4).
    pub loser_close: Duration,
    /// A socket that has said nothing for so long is closed: SDKs ping every ten seconds. None for clients that need not.
    pub idle: Option<Duration>,
    /// How often it is sent a ping of its transport. None for clients that ping by themselves.
    pub ping: Option<Duration>,
    /// What it is sent before the sidecar closes its socket (signaling-wire 3.1).
    pub farewell: Vec<Text>,
    /// Members of a notification's content that carry another member's value: a repair of a bug in the SDK.
    pub repair: Vec<(Text, Text)>,
}

impl Profile {
    /// Whether a login is of this profile.
    pub fn fits(&self, transport: Transport, login: &Value) -> bool {
        self.transport == transport && self.tell.iter().all(|(name, value)| login.get(name) == Some(value))
    }
}
