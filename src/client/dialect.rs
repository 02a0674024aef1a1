//! How the frames of a family are written.

use crate::mapping::Tables;
use crate::mapping::profile::Transport;
use crate::mapping::wire::Wire;
use crate::value::Value;

use super::frames::{self, Inbound};
use super::lines;

/// How the frames of a family are written, by what carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// JSON arrays in WebSocket messages.
    Frames,
    /// Lines in packets.
    Lines,
}

impl Dialect {
    /// The dialect of a family, by the profile of its clients.
    pub fn of(tables: &Tables, wire: &Wire) -> Self {
        match transport(tables, wire) {
            Transport::Tcp => Self::Lines,
            Transport::WebSocket | Transport::Api => Self::Frames,
        }
    }

    pub fn login(self, args: Value) -> String {
        match self {
            Self::Frames => frames::login(args),
            Self::Lines => lines::login(&args),
        }
    }

    pub fn call(self, function: &str, id: i64, args: Value) -> String {
        match self {
            Self::Frames => frames::call(function, id, args),
            Self::Lines => lines::call(function, id, &args),
        }
    }

    pub fn ping(self, n: i64) -> String {
        match self {
            Self::Frames => frames::ping(n),
            Self::Lines => lines::ping(n),
        }
    }

    pub fn read(self, text: &str) -> Option<Inbound> {
        match self {
            Self::Frames => frames::read(text),
            Self::Lines => lines::read(text),
        }
    }
}

/// What carries the frames of a family.
pub fn transport(tables: &Tables, wire: &Wire) -> Transport {
    let mut profiles = tables.profiles.iter();
    let profile = profiles.find(|profile| profile.family == wire.family);
    profile.map_or(Transport::WebSocket, |profile| profile.transport)
}
