//! Transport of a client's frames: a WebSocket, or packets over TCP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Sink, SinkExt, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::codec::Framed;

use protocol::native::{PacketCodec, PacketError};

use protocol::client::MAX_FRAME_BYTES;

/// URL scheme of native clients.
pub const TCP_SCHEME: &str = "tcp://";

/// Transport error.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(transparent)]
    Web(#[from] Box<SocketError>),
    #[error(transparent)]
    Native(#[from] PacketError),
}

impl From<SocketError> for LinkError {
    fn from(error: SocketError) -> Self {
        Self::Web(Box::new(error))
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        Self::Web(Box::new(SocketError::Io(error)))
    }
}

/// Transport of a client's frames.
pub(super) enum Link {
    Web(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Native(Framed<TcpStream, PacketCodec>),
}

/// Item received from a link.
pub(super) enum Received {
    Frame(String),
    /// Keep-alive of the transport, which needs an answer.
    Ping,
    Closed,
}

type Native = Framed<TcpStream, PacketCodec>;

impl Link {
    /// Connects: packets to `tcp://host:port`, a WebSocket to other URLs.
    pub async fn connect(url: &str) -> Result<Self, LinkError> {
        if let Some(address) = url.strip_prefix(TCP_SCHEME) {
            let stream = TcpStream::connect(address.trim_end_matches('/')).await?;
            stream.set_nodelay(true)?;
            return Ok(Self::Native(Framed::new(stream, PacketCodec::with_limit(usize::MAX))));
        }
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = 4096;
        config.write_buffer_size = 0;
        config.max_message_size = Some(MAX_FRAME_BYTES);
        config.max_frame_size = Some(MAX_FRAME_BYTES);
        let (socket, _) = connect_async_with_config(url, Some(config), true).await?;
        Ok(Self::Web(Box::new(socket)))
    }

    /// Compresses packets from now on; no effect on a WebSocket.
    pub fn deflate(&mut self) {
        if let Self::Native(packets) = self {
            packets.codec_mut().compress(true);
        }
    }

    /// Receives the next item. Cancel-safe.
    pub async fn next(&mut self) -> Received {
        match self {
            Self::Web(socket) => match socket.next().await {
                Some(Ok(Message::Text(text))) => Received::Frame(text.as_str().to_owned()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => Received::Closed,
                Some(Ok(_)) => Received::Ping,
            },
            Self::Native(packets) => match packets.next().await {
                Some(Ok(line)) => Received::Frame(line),
                Some(Err(_)) | None => Received::Closed,
            },
        }
    }

    /// Polls for capacity for one frame.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        match self {
            Self::Web(socket) => Pin::new(socket).poll_ready(cx).map_err(LinkError::from),
            Self::Native(packets) => {
                <Native as Sink<String>>::poll_ready(Pin::new(packets), cx).map_err(LinkError::from)
            }
        }
    }

    /// Queues a frame, after [`poll_ready`](Self::poll_ready).
    pub fn start_send(&mut self, frame: String) -> Result<(), LinkError> {
        match self {
            Self::Web(socket) => Pin::new(socket).start_send(Message::text(frame))?,
            Self::Native(packets) => Pin::new(packets).start_send(frame)?,
        }
        Ok(())
    }

    /// Writes the queued frames.
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Web(socket) => socket.flush().await?,
            Self::Native(packets) => SinkExt::<String>::flush(packets).await?,
        }
        Ok(())
    }

    /// Closes with a close handshake, and reads to the end.
    pub async fn close(&mut self) {
        match self {
            Self::Web(socket) => {
                let _ = WebSocketStream::close(socket, None).await;
                while let Some(Ok(_)) = socket.next().await {}
            }
            Self::Native(packets) => {
                let _ = SinkExt::<String>::close(packets).await;
                while let Some(Ok(_)) = packets.next().await {}
            }
        }
    }
}
