//! What connections say, without a socket: texts in, frames and immediate answers out.

use std::sync::Arc;

use crate::mapping::Tables;
use crate::mapping::profile::Transport;
use crate::shell::Speech;

use super::api::ApiEar;
use super::frame::ClientFrame;
use super::{tcp, web};

/// What a text means.
#[derive(Debug, Default)]
pub struct Heard {
    /// An answer that needs no session; it goes out first.
    pub answer: Option<String>,
    /// Frames, in order.
    pub frames: Vec<ClientFrame>,
    /// What is wrong with it, as it is counted.
    pub bad: Vec<&'static str>,
}

/// The ear for one connection.
#[derive(Debug)]
pub enum Hearing {
    /// Frames of the Web wire.
    WebSocket,
    /// Lines of the native wire.
    Tcp,
    /// JSON-RPC, whose requests are numbered for each connection.
    Api(ApiEar),
}

impl Hearing {
    /// That of a connection that has said nothing yet.
    pub fn new(transport: Transport, tables: &Arc<Tables>) -> Self {
        match transport {
            Transport::WebSocket => Self::WebSocket,
            Transport::Tcp => Self::Tcp,
            Transport::Api => Self::Api(ApiEar::new(tables)),
        }
    }

    /// What a text means; none when no client of the transport may say it.
    pub fn hear(&self, text: &str) -> Option<Heard> {
        let frame = match self {
            Self::WebSocket => web::decode::decode(text).ok()?,
            Self::Tcp => tcp::decode(text).ok()?.into(),
            Self::Api(ear) => return Some(ear.hear(text)),
        };
        Some(Heard {
            frames: vec![frame],
            ..Heard::default()
        })
    }

    /// The language of this connection alone, when its transport has such.
    pub fn speech(&self) -> Option<Arc<dyn Speech>> {
        match self {
            Self::Api(ear) => Some(ear.speech()),
            Self::WebSocket | Self::Tcp => None,
        }
    }
}
