//! Transport: texts out, frames in.

use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use protocol::ClientFrame;

/// Transport of a connection. The connection's task reads it; any run writes to it under the lock.
pub type SharedTransport = Arc<Mutex<dyn FrameTransport>>;

/// Connection that carries texts and frames.
pub trait FrameTransport: Send {
    /// Reads the next frame.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Incoming>;

    /// Makes room for a text. Returns false if the connection is lost.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool>;

    /// Writes a text into the buffer after [`poll_ready`](Self::poll_ready). Returns false if the connection is lost.
    fn start_send(&mut self, text: &str) -> bool;

    /// Flushes the buffer. Returns false if the connection is lost.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<bool>;

    /// Writes a ping of the transport's own into the buffer, if it has one. Returns false if the connection is lost.
    fn start_ping(&mut self) -> bool {
        true
    }

    /// Starts the close of the connection, if the transport supports it.
    fn start_close(&mut self, end: End);

    /// Flushes the buffer, and waits for the close by the peer.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Handles the login of the client.
    fn logged_in(&mut self) {}
}

/// Result of a read.
pub enum Incoming {
    /// Frame with its source text.
    Text(ClientFrame, Utf8Bytes),
    /// Requests of the documented API.
    Requests(Utf8Bytes),
    /// Invalid data: it is counted, and the connection is closed.
    Bad(End),
    /// Data of the transport's own, without frames.
    Nothing,
    /// Close by the client, with an optional code; the next read sends the answer.
    Closing(Option<u16>),
    /// Lost connection.
    Lost,
}

/// Reason of a close by the sidecar.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// WebSocket close code; other transports do not use it.
    pub code: u16,
    /// Reason in the counters.
    pub reason: &'static str,
}

impl End {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// End of a session, or a client's own close.
    pub const NORMAL: Self = Self::new(1000, "");
    /// Shutdown of the server.
    pub const RESTART: Self = Self::new(1001, "restart");
    /// Login timeout.
    pub const NO_LOGIN: Self = Self::new(1008, "no login");
    /// Idle timeout.
    pub const IDLE: Self = Self::new(1001, "silent for too long");
    /// Slow client.
    pub const TOO_SLOW: Self = Self::new(1008, "too slow");
    /// Ended session, or a session with another connection.
    pub const OVER: Self = Self::new(1001, "the session is over");
    /// Place needed by other connections.
    pub const NO_ROOM: Self = Self::new(1013, "no room");
}
