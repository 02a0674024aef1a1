//! The link between those who have RTM instances and those who use them (docs/agent-link.md): JSON-RPC over a WebSocket
//! that may be lost and come back.
//!
//! | concern | module |
//! |---|---|
//! | objects | `frame` |
//! | the methods of a host, as a document | `openrpc` |
//! | numbers, acknowledgements, the window | `order` |
//! | who speaks first, and what is agreed | `hello` |
//! | the names of an SDK | `words` |
//! | a socket's reading and writing | `pump` |
//! | coming in: secret, origin | `door` |
//! | dialling, again and again | `dial` |

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

use frame::{Body, Frame};
use reliable_queue::ReliableQueue;

/// The path of the WebSocket.
pub const PATH: &str = "/agent";
/// The version of the protocol.
pub const PROTOCOL: u64 = 1;
/// Largest message, bytes: RTM's largest text, escaped, with room for its envelope.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;
/// Objects that may be on their way without an acknowledgement.
pub const WINDOW: u64 = 1024;
/// Objects that may wait in all.
pub const MAX_WAITING: usize = 10_000;
/// How often a side speaks at least.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long what was for a driver that is gone is kept.
pub const KEEP: Duration = Duration::from_secs(60);
/// The hello comes within this time.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// A link across its sockets: what is to be written, and what was read.
#[derive(Debug, Default)]
pub struct Link {
    order: Mutex<ReliableQueue>,
    /// There is something to write.
    changed: Notify,
}

impl Link {
    /// Appends an object. Objects arrive in the order of these calls, each once.
    pub fn send(&self, body: Body) {
        self.order.lock().push(|seq| {
            let seq = Some(seq);
            Frame { seq, body }.into_text()
        });
        self.changed.notify_one();
    }

    /// How many objects wait to be written or acknowledged. Who sends must look: there is no bound here.
    pub fn waiting(&self) -> usize {
        self.order.lock().waiting()
    }

    /// The last number that was processed here.
    pub fn received(&self) -> u64 {
        self.order.lock().received()
    }

    /// A socket to the side that was there before, which has processed all up to `received`. False when it cannot have:
    /// then it is another side.
    pub fn resume(&self, received: u64, window: u64) -> bool {
        self.order.lock().resume(received, window)
    }

    /// Another side: numbers begin anew. Returns the objects that were not acknowledged.
    pub fn restart(&self, window: u64) -> VecDeque<Utf8Bytes> {
        self.order.lock().restart(window)
    }
}
