//! Lines of a trace.

use serde::{Deserialize, Serialize};

use rtm::value::{Text, Value};

/// Version that this program writes and reads.
pub const VERSION: u32 = 1;

/// First line of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub sigbridge_trace: u32,
    /// Start time in milliseconds since the UNIX epoch; origin of `t_us`.
    pub started_ms: u64,
    /// Program version.
    pub program: Text,
    /// Redaction policy, or `none`.
    #[serde(default = "none")]
    pub redaction: Text,
    /// Origin of the data, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text>,
    /// Legs missing in the source; without `rtm`, only a live replay is possible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Leg>,
}

fn none() -> Text {
    "none".into()
}

/// Recorded event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Microseconds since the start of the trace.
    pub t_us: u64,
    /// Session number within the trace; 0 for none.
    pub session: u64,
    pub leg: Leg,
    /// Into or out of the session.
    pub dir: Dir,
    /// Row of an output, for readers; not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Text>,
    pub data: Value,
}

impl Record {
    /// Returns true for `env` data with this name.
    pub(super) fn env(&self, name: &str) -> bool {
        self.leg == Leg::Env && self.data.get(name).is_some()
    }
}

/// Leg of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// Frames of the legacy client, and ends of its sockets.
    Legacy,
    /// RTM calls, replies and events.
    Rtm,
    /// Lookups and reports.
    Http,
    /// Timers set and fired.
    Timer,
    /// External inputs of a session, and its log notes.
    Env,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dir {
    /// Into the session.
    In,
    /// Out of it.
    Out,
}
