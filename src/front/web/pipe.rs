//! WebSocket messages as frames.

use futures_util::{SinkExt, StreamExt};
use hyper_tungstenite::HyperWebsocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, error::CapacityError};

use crate::front::socket::{End, Incoming, Pipe};

/// Reads a text message.
pub type Decode = fn(&str) -> Incoming;

/// A WebSocket.
pub struct WebPipe {
    websocket: HyperWebsocketStream,
    decode: Decode,
}

impl WebPipe {
    /// A WebSocket whose messages `decode` reads.
    pub fn new(websocket: HyperWebsocketStream, decode: Decode) -> Self {
        Self { websocket, decode }
    }
}

/// The frames of the SDKs (decisions, "Bad input, Web").
pub fn sdk(text: &str) -> Incoming {
    match super::decode::decode(text) {
        Ok(frame) => Incoming::Frame(frame),
        Err(_) => bad(CloseCode::Invalid, "not a frame"),
    }
}

fn bad(code: CloseCode, reason: &'static str) -> Incoming {
    Incoming::Bad(End {
        code: code.into(),
        reason,
    })
}

impl Pipe for WebPipe {
    async fn read(&mut self) -> Incoming {
        match self.websocket.next().await {
            Some(Ok(Message::Text(text))) => (self.decode)(text.as_str()),
            Some(Ok(Message::Binary(_))) => bad(CloseCode::Unsupported, "binary"),
            Some(Ok(Message::Close(_))) => Incoming::Closing,
            Some(Ok(_)) => Incoming::Nothing,
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => bad(CloseCode::Size, "frame too large"),
            Some(Err(Error::Utf8(_))) => bad(CloseCode::Invalid, "not UTF-8"),
            Some(Err(_)) | None => Incoming::Gone,
        }
    }

    async fn feed(&mut self, text: Utf8Bytes) -> bool {
        self.websocket.feed(Message::Text(text)).await.is_ok()
    }

    async fn flush(&mut self) -> bool {
        self.websocket.flush().await.is_ok()
    }

    async fn close(mut self, end: End) {
        let frame = CloseFrame {
            code: end.code.into(),
            reason: end.reason.into(),
        };
        self.websocket.close(Some(frame)).await.ok();
        while let Some(Ok(_)) = self.websocket.next().await {}
    }
}
