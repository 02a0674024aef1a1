//! What the sides of a link agree on when they meet (docs/agent-link.md, "The handshake").

use serde::{Deserialize, Serialize};

use rtm::value::{Text, Value};

use crate::{HEARTBEAT, PROTOCOL, WINDOW};

/// `agent.hello`: a host that has dialled.
pub const AGENT_HELLO: &str = "agent.hello";
/// `user.hello`: a driver that has dialled.
pub const USER_HELLO: &str = "user.hello";

/// The host's part: what it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPart {
    /// The version of the protocol.
    pub protocol: u64,
    /// Random for each process.
    pub agent: Text,
    /// What it hosts, for people.
    pub sdk: Text,
    /// Its version, for people.
    pub version: Text,
    /// Whose names it uses.
    pub platform: Text,
    /// Which documented rates hold there: `web` or `linux`.
    pub limits: Limits,
    /// Canonical names of the calls that it has; absent for all of its platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<Text>>,
}

/// Which column of RTM's documented rates holds (rtm-api 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limits {
    /// Web, mobile, Windows, macOS.
    Web,
    /// Linux.
    Linux,
}

/// The parameters of `agent.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHello {
    /// What the agent has.
    #[serde(flatten)]
    pub host: HostPart,
    /// The driver that it has last served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Text>,
    /// The last number that it has from that driver.
    #[serde(default)]
    pub received: u64,
    /// The instances that it still holds.
    #[serde(default)]
    pub instances: Vec<Held>,
}

/// An instance that outlives its driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The name that the driver gave it.
    pub session_id: Text,
    /// The app.
    pub app_id: Text,
    /// Who is logged in there.
    pub user_id: Text,
}

/// The result of `agent.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the protocol.
    pub protocol: u64,
    /// The driver; random for each process.
    pub bridge: Text,
    /// What is agreed.
    #[serde(flatten)]
    pub terms: Terms,
}

/// What is agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The last number that was processed.
    pub received: u64,
    /// Whether both sides go on where they were.
    pub resumed: bool,
    /// How many objects may be on their way.
    pub window: u64,
    /// How often a side speaks at least, milliseconds.
    pub heartbeat: u64,
}

impl Terms {
    /// Those that we offer.
    pub fn offer(received: u64, resumed: bool) -> Self {
        Self {
            received: if resumed { received } else { 0 },
            resumed,
            window: WINDOW,
            heartbeat: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The parameters of `user.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserHello {
    /// The version of the protocol.
    pub protocol: u64,
    /// Random for each process.
    pub user: Text,
    /// The host that it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Text>,
    /// The last number that it has from that host.
    #[serde(default)]
    pub received: u64,
}

/// The result of `user.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// What the host has.
    #[serde(flatten)]
    pub host: HostPart,
    /// What is agreed.
    #[serde(flatten)]
    pub terms: Terms,
}

/// Any of these as the value that a frame carries.
pub fn to_value(of: &impl Serialize) -> Value {
    serde_json::to_string(of)
        .and_then(|text| serde_json::from_str(&text))
        .expect("a hello has only text keys and whole numbers")
}

/// One of these from the value that a frame carries.
///
/// # Errors
/// What is wrong with it.
pub fn from_value<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, String> {
    serde_json::from_str(&value.to_json()).map_err(|error| error.to_string())
}

/// A name for this process, or this page: 128 random bits.
///
/// # Errors
/// The system has no randomness.
pub fn random_name() -> Result<Text, getrandom::Error> {
    let high = getrandom::u64()?;
    let low = getrandom::u64()?;
    Ok(format!("{high:016x}{low:016x}").into())
}

/// Whether the other side speaks our version.
pub fn speaks_ours(protocol: u64) -> bool {
    protocol == PROTOCOL
}
