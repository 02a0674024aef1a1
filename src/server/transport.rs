//! A transport: texts out, frames in.

use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use protocol::ClientFrame;
use protocol::decoder::Decoded;
use protocol::encoder::Encoder;

/// A connection's transport. Its task reads it; frames are written by whoever has some, under the lock.
pub type SharedTransport = Arc<Mutex<dyn FrameTransport>>;

/// Texts and frames over a connection.
pub trait FrameTransport: Send {
    /// Reads the next frame.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Incoming>;

    /// Makes room for a text; false when the connection is lost.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool>;

    /// Writes a text into the buffer, after [`poll_ready`](Self::poll_ready); false when the connection is lost.
    fn start_send(&mut self, text: Utf8Bytes) -> bool;

    /// Empties the buffer; false when the connection is lost.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<bool>;

    /// Writes a ping of the transport's own into the buffer, where it has one; false when the connection is lost.
    fn start_ping(&mut self) -> bool {
        true
    }

    /// Announces the end of the connection, where the transport can.
    fn start_close(&mut self, end: End);

    /// Writes what is left, and waits for the other end to close.
    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// The client has logged in.
    fn logged_in(&mut self) {}

    /// The encoder of this connection alone, when the transport keeps something for each.
    fn encoder(&self) -> Option<Arc<dyn Encoder>> {
        None
    }
}

/// What was read.
pub enum Incoming {
    /// A frame, and what it was read from.
    Text(ClientFrame, Utf8Bytes),
    /// Frames, and maybe an answer of the transport's own, with what they were read from.
    Decoded(Decoded, Utf8Bytes),
    /// Something that the client may not send: it is counted, and the connection is closed.
    Bad(End),
    /// Something of the transport's own.
    Nothing,
    /// The client closes, with a code where the transport has one; the next read answers that.
    Closing(Option<u16>),
    /// The connection is lost.
    Gone,
}

/// Why the sidecar closes a connection.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// A WebSocket close code; other transports have none.
    pub code: u16,
    /// The reason as it is counted.
    pub reason: &'static str,
}

impl End {
    /// The end of a session, or a client's own close.
    pub const NORMAL: Self = Self { code: 1000, reason: "" };
    /// The server stops.
    pub const RESTART: Self = Self {
        code: 1001,
        reason: "restart",
    };
    /// The client has not logged in in time.
    pub const NO_LOGIN: Self = Self {
        code: 1008,
        reason: "no login",
    };
    /// The client has sent nothing for too long.
    pub const IDLE: Self = Self {
        code: 1001,
        reason: "silent for too long",
    };
    /// The client does not read.
    pub const TOO_SLOW: Self = Self {
        code: 1008,
        reason: "too slow",
    };
    /// Its session has ended, or has another connection.
    pub const OVER: Self = Self {
        code: 1001,
        reason: "the session is over",
    };
    /// Others need its place.
    pub const NO_ROOM: Self = Self {
        code: 1013,
        reason: "no room",
    };
}
