//! Reader of the documented API: client messages as frames.

use std::sync::Arc;

use protocol::api::ApiDecoder;
use protocol::decoder::UNKNOWN_FUNCTION;
use protocol::memory_budget::MemoryUser;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::Server;
use crate::server::table_set::TableSet;
use crate::server::transport::{Incoming, OwnEncoder};
use crate::server::websocket::Reader;

/// Reader of a connection's messages.
pub struct ApiReader {
    server: Arc<Server>,
    decoder: ApiDecoder,
    set: Arc<TableSet>,
}

impl ApiReader {
    /// Creates the reader of a new connection.
    pub fn new(server: Arc<Server>) -> Self {
        let set = server.sets.current();
        let decoder = ApiDecoder::new(&set.tables);
        decoder.count_in(server.memory.holds(MemoryUser::Requests));
        Self { server, decoder, set }
    }
}

impl Reader for ApiReader {
    fn read(&self, text: Utf8Bytes) -> Incoming {
        let decoded = self.decoder.decode(text.as_str());
        for bad in &decoded.bad {
            self.server.metrics.bad_frame(bad);
            if *bad == UNKNOWN_FUNCTION {
                self.set.usage.unknown();
            }
        }
        Incoming::Decoded(decoded, text)
    }

    fn encoder(&self) -> Option<OwnEncoder> {
        Some((self.decoder.encoder(), self.set.clone()))
    }
}
