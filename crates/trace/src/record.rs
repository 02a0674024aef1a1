//! The lines of a trace.

use serde::{Deserialize, Serialize};

use rtm::value::{Text, Value};

/// The version that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// The first line of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The format's version.
    pub sigbridge_trace: u32,
    /// When it began, milliseconds since the UNIX epoch: `t_us` counts from there.
    pub started_ms: u64,
    /// The program's version.
    pub program: Text,
    /// What was replaced at the time of writing: `none`, or the policy.
    #[serde(default = "none")]
    pub redaction: Text,
    /// Where the lines come from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text>,
    /// Legs of which the source knows nothing; without `rtm` a trace can be played against a live RTM only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Leg>,
}

fn none() -> Text {
    "none".into()
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Microseconds since the trace began.
    pub t_us: u64,
    /// The session, numbered within the trace; 0 is none.
    pub session: u64,
    /// Between whom.
    pub leg: Leg,
    /// Into the session, or out of it.
    pub dir: Dir,
    /// The row that an output is from, for readers; it is not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Text>,
    /// What.
    pub data: Value,
}

impl Record {
    /// Whether it is that of the leg `env` with the data of that name.
    pub(super) fn env(&self, name: &str) -> bool {
        self.leg == Leg::Env && self.data.get(name).is_some()
    }
}

/// Between whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// The legacy client's frames, and the ends of its sockets.
    Legacy,
    /// RTM's calls, replies and events.
    Rtm,
    /// Look-ups and reports.
    Http,
    /// Timers that are set and that are due.
    Timer,
    /// What the session cannot know by itself, and what it tells logs.
    Env,
}

/// Into the session, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dir {
    /// Into the session.
    In,
    /// Out of it.
    Out,
}
