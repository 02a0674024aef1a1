//! Packets over TCP as frames.

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::codec::Framed;

use crate::server::connection::{End, Incoming, Pipe};
use runtime::net::Metered;

use protocol::native::codec::{PacketCodec, PacketError, framed};
use protocol::native::decode::decode;

/// A native client's connection.
pub struct TcpPipe {
    packets: Framed<Metered<TcpStream>, PacketCodec>,
}

impl TcpPipe {
    /// A connection that has just been accepted.
    pub fn new(stream: Metered<TcpStream>) -> Self {
        Self {
            packets: framed(stream),
        }
    }
}

fn bad(reason: &'static str) -> Incoming {
    // There are no close codes in TCP.
    Incoming::Bad(End { code: 1007, reason })
}

fn incoming(line: String) -> Incoming {
    match decode(&line) {
        Ok(frame) => Incoming::Text(frame.into(), line.into()),
        Err(error) => bad(error.label()),
    }
}

impl Pipe for TcpPipe {
    async fn read(&mut self) -> Incoming {
        match self.packets.next().await {
            Some(Ok(line)) => incoming(line),
            Some(Err(PacketError::Io(_))) | None => Incoming::Gone,
            Some(Err(error)) => bad(error.label()),
        }
    }

    async fn feed(&mut self, text: Utf8Bytes) -> bool {
        self.packets.feed(text.as_str()).await.is_ok()
    }

    async fn flush(&mut self) -> bool {
        SinkExt::<&str>::flush(&mut self.packets).await.is_ok()
    }

    async fn close(mut self, _: End) {
        SinkExt::<&str>::flush(&mut self.packets).await.ok();
        let stream = self.packets.get_mut();
        stream.shutdown().await.ok();
        // What the client still sends is read, so that the system does not throw away what it was sent.
        let mut rest = [0; 512];
        while let Ok(1..) = tokio::io::AsyncReadExt::read(stream, &mut rest).await {}
    }

    fn logged_in(&mut self) {
        self.packets.codec_mut().compress(true);
    }
}
