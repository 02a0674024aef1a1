//! Reader of the documented API: client messages as frames.

use std::sync::Arc;

use protocol::api::ApiDecoder;
use protocol::decoder::UNKNOWN_FUNCTION;
use protocol::encoder::Encoder;
use protocol::memory_budget::MemoryUser;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::Server;
use crate::server::transport::Incoming;
use crate::server::websocket::Reader;

/// Reader of a connection's messages.
pub struct ApiReader {
    server: Arc<Server>,
    decoder: ApiDecoder,
}

impl ApiReader {
    /// Creates the reader of a new connection.
    pub fn new(server: Arc<Server>) -> Self {
        let decoder = ApiDecoder::new(&server.tables);
        decoder.count_in(server.memory.holds(MemoryUser::Requests));
        Self { server, decoder }
    }
}

impl Reader for ApiReader {
    fn read(&self, text: Utf8Bytes) -> Incoming {
        let decoded = self.decoder.decode(text.as_str());
        for bad in &decoded.bad {
            self.server.metrics.bad_frame(bad);
            if *bad == UNKNOWN_FUNCTION {
                self.server.usage.unknown();
            }
        }
        Incoming::Decoded(decoded, text)
    }

    fn encoder(&self) -> Option<Arc<dyn Encoder>> {
        Some(self.decoder.encoder())
    }
}
