//! Transport of packets over TCP.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{SinkExt, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use crate::server::transport::{End, FrameTransport, Incoming};
use runtime::net::Metered;

use protocol::native::codec::{PacketCodec, PacketError, framed};
use protocol::native::decode::decode;

/// Connection of a native client.
pub struct NativeTransport {
    packets: Framed<Metered<TcpStream>, PacketCodec>,
    /// Set after the end of writing.
    is_shut: bool,
}

impl NativeTransport {
    /// Creates the transport of an accepted connection.
    pub fn new(stream: Metered<TcpStream>) -> Self {
        Self {
            packets: framed(stream),
            is_shut: false,
        }
    }
}

fn bad(reason: &'static str) -> Incoming {
    // TCP has no close codes.
    Incoming::Bad(End { code: 1007, reason })
}

/// Decodes a line.
pub fn incoming(line: String) -> Incoming {
    match decode(&line) {
        Ok(frame) => Incoming::Text(frame.into(), line.into()),
        Err(error) => bad(error.label()),
    }
}

impl FrameTransport for NativeTransport {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Incoming> {
        Poll::Ready(match ready!(self.packets.poll_next_unpin(context)) {
            Some(Ok(line)) => incoming(line),
            Some(Err(PacketError::Io(_))) | None => Incoming::Lost,
            Some(Err(error)) => bad(error.label()),
        })
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        SinkExt::<&str>::poll_ready_unpin(&mut self.packets, context).map(|ready| ready.is_ok())
    }

    fn start_send(&mut self, text: &str) -> bool {
        self.packets.start_send_unpin(text).is_ok()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        SinkExt::<&str>::poll_flush_unpin(&mut self.packets, context).map(|flushed| flushed.is_ok())
    }

    fn start_close(&mut self, _: End) {}

    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_shut {
            let _ = ready!(SinkExt::<&str>::poll_flush_unpin(&mut self.packets, context));
            let _ = ready!(Pin::new(self.packets.get_mut()).poll_shutdown(context));
            self.is_shut = true;
        }
        // Reads the remaining input, so that the system does not discard the sent data.
        let mut rest = [0; 512];
        loop {
            let mut buffer = ReadBuf::new(&mut rest);
            match ready!(Pin::new(self.packets.get_mut()).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }

    fn logged_in(&mut self) {
        self.packets.codec_mut().compress(true);
    }
}
