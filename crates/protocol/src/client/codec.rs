//! Frame formats of the client families.

use rtm::value::Value;
use tables::Tables;
use tables::profile::Transport;
use tables::wire::Wire;

use crate::client::web_codec::Inbound;
use crate::client::{native_codec, web_codec};

/// The frame format of a family, by its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// JSON arrays in WebSocket messages.
    Frames,
    /// Lines in packets.
    Lines,
}

impl Codec {
    /// Returns the codec of a family, by the profile of its clients.
    pub fn of(tables: &Tables, wire: &Wire) -> Self {
        match transport(tables, wire) {
            Transport::Tcp => Self::Lines,
            Transport::WebSocket | Transport::Api => Self::Frames,
        }
    }

    pub fn login(self, args: Value) -> String {
        match self {
            Self::Frames => web_codec::login(args),
            Self::Lines => native_codec::login(&args),
        }
    }

    pub fn call(self, function: &str, id: i64, args: Value) -> String {
        match self {
            Self::Frames => web_codec::call(function, id, args),
            Self::Lines => native_codec::call(function, id, &args),
        }
    }

    pub fn ping(self, n: i64) -> String {
        match self {
            Self::Frames => web_codec::ping(n),
            Self::Lines => native_codec::ping(n),
        }
    }

    pub fn read(self, text: &str) -> Option<Inbound> {
        match self {
            Self::Frames => web_codec::read(text),
            Self::Lines => native_codec::read(text),
        }
    }
}

/// Returns the transport of a family.
pub fn transport(tables: &Tables, wire: &Wire) -> Transport {
    let mut profiles = tables.profiles.iter();
    let profile = profiles.find(|profile| profile.family == wire.family);
    profile.map_or(Transport::WebSocket, |profile| profile.transport)
}
