//! Client profiles: the recognition of a client's build, and its treatment.

use std::time::Duration;

use rtm::value::{Text, Value};

/// The transport of a client.
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
    /// The names in profiles.
    pub const NAMES: &[(&str, Transport)] = &[("websocket", Self::WebSocket), ("tcp", Self::Tcp), ("api", Self::Api)];
}

/// The notification of a mailbox line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyForm {
    /// The line itself, with its version.
    Line,
    /// The version, after which the client fetches the line.
    Hint,
    /// By the event's documented name: there is no mailbox.
    Name,
}

impl NotifyForm {
    /// The names in profiles.
    pub const NAMES: &[(&str, NotifyForm)] = &[("line", Self::Line), ("hint", Self::Hint), ("name", Self::Name)];
}

/// The treatment of clients of some builds.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name.
    pub name: Text,
    /// The family, which selects the wire.
    pub family: Text,
    /// The transport.
    pub transport: Transport,
    /// The builds, as documentation.
    pub builds: Text,
    /// Login fields that identify the build.
    pub identifying_fields: Vec<(Text, Value)>,
    /// The login field with the version of the SDK.
    pub version: Option<Text>,
    /// The profile of a client that has sent `set_flag`, by position.
    pub flagged: Option<usize>,
    /// Maximum lifetime of a session after its client has closed the socket. `None` for clients
    /// that may reconnect.
    pub grace: Option<Duration>,
    /// The client loses its calls at the next login.
    pub loses_calls: bool,
    /// The socket of a refused login stays open for the client to close.
    pub refused_stays: bool,
    /// The notification of mailbox lines.
    pub notify: NotifyForm,
    /// The delay of a pong (signaling-wire 3.2).
    pub pong_delay: Duration,
    /// Two sockets of one client may log in at once (signaling-wire 1.4).
    pub twins: bool,
    /// Maximum delay before a socket without login is closed, while the other logs in; zero for no
    /// delay (signaling-wire 1.4).
    pub loser_close: Duration,
    /// Idle timeout of a socket: SDKs ping every ten seconds. `None` for clients without pings.
    pub idle: Option<Duration>,
    /// Interval of the server's pings. `None` for clients that ping themselves.
    pub ping: Option<Duration>,
    /// The frames sent before the sidecar closes a socket (signaling-wire 3.1).
    pub farewell: Vec<Text>,
    /// Members of a notification's content with the value of another member: a workaround for an
    /// SDK bug.
    pub repair: Vec<(Text, Text)>,
}

impl Profile {
    /// Returns true if a login matches the profile.
    pub fn fits(&self, transport: Transport, login: &Value) -> bool {
        self.transport == transport
            && self
                .identifying_fields
                .iter()
                .all(|(name, value)| login.get(name) == Some(value))
    }
}
