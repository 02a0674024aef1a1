//! What connections say, without a socket: texts in, frames and immediate answers out.

use std::sync::Arc;

use crate::encoder::Encoder;
use tables::Tables;
use tables::profile::Transport;

use crate::api::ApiDecoder;
use crate::frame::ClientFrame;
use crate::{native, web};

/// The reason by which a call is counted that no table has.
pub const UNKNOWN_FUNCTION: &str = "unknown function";

/// What a text means.
#[derive(Debug, Default)]
pub struct Decoded {
    /// An answer that needs no session; it goes out first.
    pub answer: Option<String>,
    /// Frames, in order.
    pub frames: Vec<ClientFrame>,
    /// What is wrong with it, as it is counted.
    pub bad: Vec<&'static str>,
}

/// The ear for one connection.
#[derive(Debug)]
pub enum Decoder {
    /// Frames of the Web wire.
    WebSocket,
    /// Lines of the native wire.
    Tcp,
    /// JSON-RPC, whose requests are numbered for each connection.
    Api(ApiDecoder),
}

impl Decoder {
    /// That of a connection that has said nothing yet.
    pub fn new(transport: Transport, tables: &Arc<Tables>) -> Self {
        match transport {
            Transport::WebSocket => Self::WebSocket,
            Transport::Tcp => Self::Tcp,
            Transport::Api => Self::Api(ApiDecoder::new(tables)),
        }
    }

    /// What a text means; none when no client of the transport may say it.
    pub fn hear(&self, text: &str) -> Option<Decoded> {
        let frame = match self {
            Self::WebSocket => web::decode::decode(text).ok()?,
            Self::Tcp => native::decode(text).ok()?.into(),
            Self::Api(ear) => return Some(ear.hear(text)),
        };
        Some(Decoded {
            frames: vec![frame],
            ..Decoded::default()
        })
    }

    /// The language of this connection alone, when its transport has such.
    pub fn speech(&self) -> Option<Arc<dyn Encoder>> {
        match self {
            Self::Api(ear) => Some(ear.speech()),
            Self::WebSocket | Self::Tcp => None,
        }
    }
}
