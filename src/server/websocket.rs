//! WebSocket messages as frames.
//!
//! tungstenite decodes and encodes; the buffers are here, because thousands of connections are idle at any time. Bytes
//! are read into a buffer of the thread. A connection has a buffer only for an incomplete message, and for bytes that
//! its socket has not taken.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, FrameHeader};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::server::transport::{End, FrameTransport, Incoming};

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// Bytes that wait for a write before the next frame is added.
const WRITE_BYTES: usize = 16 * 1024;
/// Largest header of a frame.
const HEADER_BYTES: usize = 14;
/// Buffer of tungstenite for each connection.
const DECODER_BYTES: usize = 256;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
    /// Buffer for the next connection that writes.
    static WRITE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reader of text messages.
pub trait Reader: Send {
    /// Decodes a message.
    fn read(&self, text: Utf8Bytes) -> Incoming;
}

/// WebSocket transport.
pub struct WebSocketTransport<R> {
    io: TokioIo<Upgraded>,
    context: WebSocketContext,
    /// Bytes that were read and not yet decoded.
    unread: Vec<u8>,
    /// Set while `unread` or the decoder may hold a complete message.
    may_be_decoded: bool,
    /// Set after an error. The decoder must not be used again.
    failed: bool,
    /// Bytes that have to be written.
    unwritten: Vec<u8>,
    reader: R,
}

impl<R: Reader> WebSocketTransport<R> {
    /// Creates a transport with the reader of its messages. `max_bytes` is the size of the largest message.
    pub fn new(io: TokioIo<Upgraded>, max_bytes: usize, reader: R) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(DECODER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(max_bytes))
            .max_frame_size(Some(max_bytes));
        Self {
            io,
            context: WebSocketContext::new(Role::Server, Some(config)),
            unread: Vec::new(),
            may_be_decoded: false,
            failed: false,
            unwritten: Vec::new(),
            reader,
        }
    }

    /// Decodes the next message of the unread and the new bytes, and keeps the rest. Returns `None` if it is incomplete.
    fn decode(&mut self, new: &[u8]) -> Option<Result<Message, Error>> {
        let mut stream = Decoding {
            bytes: [&self.unread, new],
            replies: &mut self.unwritten,
        };
        let message = match self.context.read(&mut stream) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
            message => Some(message),
        };
        let [unread, fresh] = stream.bytes.map(<[u8]>::len);
        if unread + fresh == 0 {
            self.unread = Vec::new();
        } else {
            self.unread.drain(..self.unread.len() - unread);
            self.unread.extend_from_slice(&new[new.len() - fresh..]);
        }
        self.may_be_decoded = message.is_some();
        self.failed = matches!(message, Some(Err(_)));
        message
    }

    /// Reads the next message. A message may be left in the buffers after it.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        if self.failed {
            return Poll::Ready(Err(Error::ConnectionClosed));
        }
        loop {
            let decoded = if self.may_be_decoded { self.decode(&[]) } else { None };
            if !self.unwritten.is_empty() {
                // Answers to pings and closes.
                let _ = self.poll_write(context)?;
            }
            if let Some(message) = decoded {
                return Poll::Ready(message);
            }
            let message = READ_BUFFER.with_borrow_mut(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Some(Err(Error::ConnectionClosed)));
                }
                Poll::Ready(self.decode(buffer.filled()))
            });
            if let Some(message) = ready!(message) {
                return Poll::Ready(message);
            }
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(context, &self.unwritten))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // Mostly all of them.
            self.unwritten.drain(..written);
        }
        let mut buffer = std::mem::take(&mut self.unwritten);
        if buffer.capacity() <= WRITE_BYTES {
            buffer.clear();
            WRITE_BUFFER.set(buffer);
        }
        Poll::Ready(Ok(()))
    }
}

/// Bytes that were read, as a stream that would block at their end.
struct Decoding<'d> {
    bytes: [&'d [u8]; 2],
    replies: &'d mut Vec<u8>,
}

impl Read for Decoding<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let [unread, fresh] = &mut self.bytes;
        let source = if unread.is_empty() { fresh } else { unread };
        if source.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        source.read(buffer)
    }
}

impl Write for Decoding<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

/// Reader of the documented API. The client decodes its messages, because requests are numbered by connection.
pub struct Api;

impl Reader for Api {
    fn read(&self, text: Utf8Bytes) -> Incoming {
        Incoming::Requests(text)
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
        Poll::Ready(match ready!(self.poll_message(context)) {
            Ok(Message::Text(text)) => self.reader.read(text),
            Ok(Message::Binary(_)) => bad(CloseCode::Unsupported, "binary"),
            Ok(Message::Close(close)) => {
                let code = close.map_or(CloseCode::Status, |close| close.code);
                Incoming::Closing(Some(code.into()))
            }
            Ok(_) => Incoming::Nothing,
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => bad(CloseCode::Size, "frame too large"),
            Err(Error::Utf8(_)) => bad(CloseCode::Invalid, "not UTF-8"),
            Err(_) => Incoming::Lost,
        })
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.unwritten.len() < WRITE_BYTES {
            return Poll::Ready(true);
        }
        self.poll_flush(context)
    }

    fn start_send(&mut self, text: &str) -> bool {
        let header = FrameHeader {
            opcode: OpCode::Data(Data::Text),
            ..FrameHeader::default()
        };
        if self.unwritten.is_empty() {
            self.unwritten = WRITE_BUFFER.take();
        }
        self.unwritten.reserve(text.len() + HEADER_BYTES);
        // A write to a Vec does not fail.
        let _ = header.format(text.len() as u64, &mut self.unwritten);
        self.unwritten.extend_from_slice(text.as_bytes());
        true
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.poll_write(context).map(|written| written.is_ok())
    }

    fn start_ping(&mut self) -> bool {
        let mut stream = Decoding {
            bytes: [&[], &[]],
            replies: &mut self.unwritten,
        };
        self.context.write(&mut stream, Message::Ping(Bytes::new())).is_ok()
    }

    fn start_close(&mut self, end: End) {
        let frame = CloseFrame {
            code: end.code.into(),
            reason: end.reason.into(),
        };
        let mut stream = Decoding {
            bytes: [&[], &[]],
            replies: &mut self.unwritten,
        };
        // A lost connection needs no close.
        let _ = self.context.close(&mut stream, Some(frame));
    }

    fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if ready!(self.poll_flush(context)) {
            while ready!(self.poll_message(context)).is_ok() {}
        }
        Poll::Ready(())
    }
}
