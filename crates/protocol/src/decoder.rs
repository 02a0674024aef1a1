//! Decoding of client messages, without a socket: frames and immediate answers.

use std::sync::Arc;

use tables::Tables;
use tables::profile::Transport;

use crate::api::ApiDecoder;
use crate::encoder::Encoder;
use crate::frame::ClientFrame;
use crate::{native, web};

/// The counted reason for a call without a table row.
pub const UNKNOWN_FUNCTION: &str = "unknown function";

/// A decoded message.
#[derive(Debug, Default)]
pub struct Decoded {
    /// An answer that needs no session; it is sent first.
    pub answer: Option<String>,
    /// The frames, in order.
    pub frames: Vec<ClientFrame>,
    /// The errors, as counted reasons.
    pub bad: Vec<&'static str>,
}

/// The decoder of one connection.
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
    /// Creates the decoder of a new connection.
    pub fn new(transport: Transport, tables: &Arc<Tables>) -> Self {
        match transport {
            Transport::WebSocket => Self::WebSocket,
            Transport::Tcp => Self::Tcp,
            Transport::Api => Self::Api(ApiDecoder::new(tables)),
        }
    }

    /// Decodes a message; `None` if clients of the transport must not send it.
    pub fn decode(&self, text: &str) -> Option<Decoded> {
        let frame = match self {
            Self::WebSocket => web::decode::decode(text).ok()?,
            Self::Tcp => native::decode(text).ok()?.into(),
            Self::Api(decoder) => return Some(decoder.decode(text)),
        };
        Some(Decoded {
            frames: vec![frame],
            ..Decoded::default()
        })
    }

    /// Returns the connection's own encoder, if its transport has one.
    pub fn encoder(&self) -> Option<Arc<dyn Encoder>> {
        match self {
            Self::Api(decoder) => Some(decoder.encoder()),
            Self::WebSocket | Self::Tcp => None,
        }
    }
}
