//! Link between agent servers, which hold RTM instances, and drivers, which use them (docs/agent-link.md): JSON-RPC
//! over a WebSocket with reconnects.
//!
//! | concern | module |
//! |---|---|
//! | JSON-RPC objects | [`frame`] |
//! | methods of an agent server, as a document | [`openrpc`] |
//! | sequence numbers, acks, window | `reliable_queue` |
//! | handshake | [`handshake`] |
//! | names of an SDK | [`vocabulary`] |
//! | socket I/O | [`io`] |
//! | accepting: secret, origin | [`acceptor`] |
//! | dialling, with back-off | [`connect`] |
//! | agent server | [`agent_server`] |
//! | driver | [`driver`] |

pub mod acceptor;
pub mod agent_server;
pub mod connect;
pub mod driver;
pub mod frame;
pub mod handshake;
pub mod io;
pub mod openrpc;
mod reliable_queue;
pub mod vocabulary;

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use frame::{Body, Frame};
use reliable_queue::ReliableQueue;

/// Path of the WebSocket.
pub const PATH: &str = "/agent";
/// Protocol version.
pub const PROTOCOL: u64 = 1;
/// Largest message in bytes: RTM's largest text, escaped, with its envelope.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;
/// Bytes that a socket reads at once. The library fills as many bytes with zeros before each read, 128 KiB by default.
const READ_BYTES: usize = 8 * 1024;
/// Maximum of unacknowledged objects.
pub const WINDOW: u64 = 1024;
/// Maximum of queued objects.
pub const MAX_WAITING: usize = 10_000;
/// Heartbeat interval.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// Retention time of events for a lost driver.
pub const KEEP: Duration = Duration::from_secs(60);
/// Handshake timeout.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the config of a link's socket.
fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES))
}

/// State of a link across its sockets: queues of both directions.
#[derive(Debug, Default)]
pub struct Link {
    queue: Mutex<ReliableQueue>,
    /// Signals data to write.
    changed: Notify,
}

impl Link {
    /// Appends an object. Each object is delivered once, in the order of these calls.
    pub fn send(&self, body: Body) {
        self.queue.lock().push(|seq| {
            let seq = Some(seq);
            Frame { seq, body }.into_text()
        });
        self.changed.notify_one();
    }

    /// Returns the number of queued objects. Senders must check it: the queue itself has no limit.
    pub fn waiting(&self) -> usize {
        self.queue.lock().waiting()
    }

    /// Returns the last number processed here.
    pub fn received(&self) -> u64 {
        self.queue.lock().received()
    }

    /// Returns the last number that may be acknowledged.
    pub fn acknowledgeable(&self) -> u64 {
        self.queue.lock().acknowledgeable()
    }

    /// Excludes the last received object from acks until its release. Returns its number.
    pub fn hold(&self) -> u64 {
        self.queue.lock().hold()
    }

    /// Releases held objects.
    pub fn release(&self, numbers: impl IntoIterator<Item = u64>) {
        let mut queue = self.queue.lock();
        numbers.into_iter().for_each(|number| queue.release(number));
    }

    /// Resumes on a new socket; the peer has processed all objects up to `received`. Returns false if this number is
    /// invalid: then it is another peer.
    pub fn resume(&self, received: u64, window: u64) -> bool {
        self.queue.lock().resume(received, window)
    }

    /// Restarts with another peer. Returns the unacknowledged objects.
    pub fn restart(&self, window: u64) -> VecDeque<Utf8Bytes> {
        self.queue.lock().restart(window)
    }
}
