//! WebSocket messages as frames.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use hyper_tungstenite::HyperWebsocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes, error::CapacityError};

use crate::server::connection::{End, Incoming, Pipe};
use protocol::encoder::Encoder;

/// Reads text messages.
pub trait Reader: Send {
    /// What a message means.
    fn read(&self, text: Utf8Bytes) -> Incoming;

    /// The language to answer in, when it is this connection's alone.
    fn encoder(&self) -> Option<Arc<dyn Encoder>> {
        None
    }
}

/// A WebSocket.
pub struct WebPipe<R> {
    websocket: HyperWebsocketStream,
    reader: R,
}

impl<R: Reader> WebPipe<R> {
    /// A WebSocket with the reader of its messages.
    pub fn new(websocket: HyperWebsocketStream, reader: R) -> Self {
        Self { websocket, reader }
    }
}

/// Reads the frames of the SDKs (decisions D10).
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

impl<R: Reader> Pipe for WebPipe<R> {
    async fn read(&mut self) -> Incoming {
        match self.websocket.next().await {
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
        }
    }

    async fn feed(&mut self, text: Utf8Bytes) -> bool {
        self.websocket.feed(Message::Text(text)).await.is_ok()
    }

    fn encoder(&self) -> Option<Arc<dyn Encoder>> {
        self.reader.encoder()
    }

    async fn flush(&mut self) -> bool {
        self.websocket.flush().await.is_ok()
    }

    async fn ping(&mut self) -> bool {
        self.websocket.feed(Message::Ping(Bytes::new())).await.is_ok()
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
