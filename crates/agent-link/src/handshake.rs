//! Handshake of a link (docs/agent-link.md, "The handshake").

use serde::{Deserialize, Serialize};

use rtm::value::{Text, Value};

use crate::{HEARTBEAT, PROTOCOL, WINDOW};

/// `agent.hello`: sent by a dialling agent server.
pub const AGENT_HELLO: &str = "agent.hello";
/// `user.hello`: sent by a dialling driver.
pub const USER_HELLO: &str = "user.hello";

/// Agent server's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPart {
    /// Protocol version.
    pub protocol: u64,
    /// Random per process.
    pub agent: Text,
    /// Hosted SDK, for diagnostics.
    pub sdk: Text,
    /// Its version, for diagnostics.
    pub version: Text,
    /// SDK platform of the vocabulary.
    pub platform: Text,
    /// Documented rate limits in force: `web` or `linux`.
    pub limits: Limits,
    /// Canonical names of available calls; absent for all calls of the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<Text>>,
}

/// Column of RTM's documented rates (rtm-api 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limits {
    /// Web, mobile, Windows, macOS.
    Web,
    Linux,
}

/// Parameters of `agent.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHello {
    #[serde(flatten)]
    pub host: HostPart,
    /// Driver of the previous connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Text>,
    /// Last number received from that driver.
    #[serde(default)]
    pub received: u64,
    /// Instances still held.
    #[serde(default)]
    pub instances: Vec<Held>,
}

/// Instance that outlives its driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Name given by the driver.
    pub session_id: Text,
    pub app_id: Text,
    /// Logged-in user.
    pub user_id: Text,
}

/// Result of `agent.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloResult {
    /// Protocol version.
    pub protocol: u64,
    /// Driver; random per process.
    pub bridge: Text,
    #[serde(flatten)]
    pub terms: LinkParameters,
}

/// Agreed parameters of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkParameters {
    /// Last processed number.
    pub received: u64,
    /// True if the previous connection is resumed.
    pub resumed: bool,
    /// Maximum of unacknowledged objects.
    pub window: u64,
    /// Heartbeat interval in milliseconds.
    pub heartbeat: u64,
}

impl LinkParameters {
    /// Creates this side's offer.
    pub fn offer(received: u64, resumed: bool) -> Self {
        Self {
            received: if resumed { received } else { 0 },
            resumed,
            window: WINDOW,
            heartbeat: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Parameters of `user.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserHello {
    /// Protocol version.
    pub protocol: u64,
    /// Random per process.
    pub user: Text,
    /// Agent server of the previous connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Text>,
    /// Last number received from it.
    #[serde(default)]
    pub received: u64,
}

/// Result of `user.hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    #[serde(flatten)]
    pub host: HostPart,
    #[serde(flatten)]
    pub terms: LinkParameters,
}

/// Converts to the value of a frame.
pub fn to_value(of: &impl Serialize) -> Value {
    serde_json::to_string(of)
        .and_then(|text| serde_json::from_str(&text))
        .expect("a hello has only text keys and whole numbers")
}

/// Converts from the value of a frame.
///
/// # Errors
/// The conversion error.
pub fn from_value<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, String> {
    serde_json::from_str(&value.to_json()).map_err(|error| error.to_string())
}

/// Generates a name for this process: 128 random bits.
///
/// # Errors
/// The system has no randomness.
pub fn random_name() -> Result<Text, getrandom::Error> {
    let high = getrandom::u64()?;
    let low = getrandom::u64()?;
    Ok(format!("{high:016x}{low:016x}").into())
}

/// Returns true for this side's protocol version.
pub fn is_supported(protocol: u64) -> bool {
    protocol == PROTOCOL
}
