//! WebSocket messages as frames.

use std::task::{Context, Poll, ready};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper_tungstenite::HyperWebsocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes, error::CapacityError};

use crate::server::transport::{End, FrameTransport, Incoming, OwnEncoder};

/// Reader of text messages.
pub trait Reader: Send {
    /// Decodes a message.
    fn read(&self, text: Utf8Bytes) -> Incoming;

    /// Returns the encoder for answers, if this connection has its own.
    fn encoder(&self) -> Option<OwnEncoder> {
        None
    }
}

/// WebSocket transport.
pub struct WebSocketTransport<R> {
    websocket: HyperWebsocketStream,
    reader: R,
}

impl<R: Reader> WebSocketTransport<R> {
    /// Creates a transport with the reader of its messages.
    pub fn new(websocket: HyperWebsocketStream, reader: R) -> Self {
        Self { websocket, reader }
    }
}

/// Reader of the frames of the SDKs (decisions D10).
pub struct Sdk;

impl Reader for Sdk {
    fn read(&self, text: Utf8Bytes) -> Incoming {
        match protocol::web::decode::decode(text.as_str()) {
            Ok(frame) => Incoming::Text(frame, text),
            Err(_) => bad(CloseCode::Invalid, "not a frame"),
        }
    }
}

fn bad(code: CloseCode, reason: &'static str) -> Incoming {
    Incoming::Bad(End {
        code: code.into(),
        reason,
    })
}

impl<R: Reader> FrameTransport for WebSocketTransport<R> {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Incoming> {
        Poll::Ready(match ready!(self.websocket.poll_next_unpin(context)) {
            Some(Ok(Message::Text(text))) => self.reader.read(text),
            Some(Ok(Message::Binary(_))) => bad(CloseCode::Unsupported, "binary"),
            Some(Ok(Message::Close(close))) => {
                let code = close.map_or(CloseCode::Status, |close| close.code);
                Incoming::Closing(Some(code.into()))
            }
            Some(Ok(_)) => Incoming::Nothing,
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => bad(CloseCode::Size, "frame too large"),
            Some(Err(Error::Utf8(_))) => bad(CloseCode::Invalid, "not UTF-8"),
            Some(Err(_)) | None => Incoming::Gone,
        })
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.websocket.poll_ready_unpin(context).map(|ready| ready.is_ok())
    }

    fn start_send(&mut self, text: Utf8Bytes) -> bool {
        self.websocket.start_send_unpin(Message::Text(text)).is_ok()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.websocket.poll_flush_unpin(context).map(|flushed| flushed.is_ok())
    }

    fn start_ping(&mut self) -> bool {
        self.websocket.start_send_unpin(Message::Ping(Bytes::new())).is_ok()
    }

    fn start_close(&mut self, end: End) {
        let frame = CloseFrame {
            code: end.code.into(),
            reason: end.reason.into(),
        };
        // A lost connection needs no close.
        let _ = self.websocket.start_send_unpin(Message::Close(Some(frame)));
    }

    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let _ = ready!(self.websocket.poll_flush_unpin(context));
        while let Some(Ok(_)) = ready!(self.websocket.poll_next_unpin(context)) {}
        Poll::Ready(())
    }

    fn encoder(&self) -> Option<OwnEncoder> {
        self.reader.encoder()
    }
}
