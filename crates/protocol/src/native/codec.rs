//! Packets: a header of four bytes and a text (signaling-wire 10).
//!
//! The first byte of the header says whether the body is the text itself or a zlib stream of it; the other three are the
//! length of the whole packet, high byte first. Either kind may come at any time.

use std::fmt;
use std::io;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Decoder, Encoder, Framed};

use crate::native::zlib;
use crate::native::zlib::ZlibError;

/// Largest packet of a client, and largest text in it, bytes (decisions D10).
pub const MAX_PACKET_BYTES: usize = 64 * 1024;

const PLAIN: u8 = 0x80;
const ZLIB: u8 = 0x81;
const HEADER_BYTES: usize = 4;
/// The most that the header's three bytes can say.
const MAX_LENGTH: usize = 0xff_ffff;
/// Shorter texts are left alone: in 190 bytes of typical lines there are 28 to gain, for 14 µs. That saves no packet of
/// the network's.
const MIN_ZLIB_BYTES: usize = 256;
/// Size of the buffers of a client that says little, bytes.
const IDLE_BUFFER_BYTES: usize = 1024;
/// A buffer that has held more is given back when it is empty.
const KEPT_BUFFER_BYTES: usize = 4 * 1024;

/// A stream of bytes as one of texts, with small buffers: idle clients are many.
pub fn framed<S: AsyncRead + AsyncWrite>(stream: S) -> Framed<S, PacketCodec> {
    Framed::with_capacity(stream, PacketCodec::default(), IDLE_BUFFER_BYTES)
}

/// Why packets are not read or written any more: after any of these the bytes that follow mean nothing.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The first byte is not one of the two.
    WrongHeader,
    /// The length is less than the header's own.
    TooShort,
    /// The packet, or the text in it, is over its limit; a packet is refused when its header is read.
    TooLarge,
    /// The body is not one whole zlib stream.
    BadZlib,
    /// More comes out of the zlib stream than a text may have.
    Bomb,
    /// There are bytes behind the zlib stream.
    Trailing,
    /// The text is none.
    NotUtf8,
    /// The connection ended within a packet.
    Truncated,
    /// The connection failed, which is nobody's misbehaviour.
    Io(#[from] io::Error),
}

impl PacketError {
    /// The reason that it is counted by.
    pub fn label(&self) -> &'static str {
        match self {
            Self::WrongHeader => "wrong header",
            Self::TooShort => "packet too short",
            Self::TooLarge => "packet too large",
            Self::BadZlib => "bad zlib",
            Self::Bomb => "zlib bomb",
            Self::Trailing => "bytes after zlib",
            Self::NotUtf8 => "not UTF-8",
            Self::Truncated => "truncated",
            Self::Io(_) => "connection failed",
        }
    }
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl From<ZlibError> for PacketError {
    fn from(error: ZlibError) -> Self {
        match error {
            ZlibError::Bad => Self::BadZlib,
            ZlibError::Bomb => Self::Bomb,
            ZlibError::Trailing => Self::Trailing,
        }
    }
}

/// Texts from packets, packets from texts.
///
/// The default is the server's side; [`PacketCodec::with_limit`] is for a client, which is sent more than it may send.
#[derive(Debug)]
pub struct PacketCodec {
    limit: usize,
    compress: bool,
    /// The most that the buffers have held since they were new; a buffer does not tell how large it is.
    read_peak: usize,
    write_peak: usize,
}

impl Default for PacketCodec {
    fn default() -> Self {
        Self::with_limit(MAX_PACKET_BYTES)
    }
}

impl PacketCodec {
    /// Refuses packets, and texts in them, of more than `limit` bytes; what it writes is bound by the header alone.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit: limit.min(MAX_LENGTH),
            compress: false,
            read_peak: 0,
            write_peak: 0,
        }
    }

    /// Whether texts are deflated from now on, where that makes them shorter. The SDKs do so from their login on.
    pub fn compress(&mut self, compress: bool) {
        self.compress = compress;
    }
}

impl Decoder for PacketCodec {
    type Item = String;
    type Error = PacketError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<String>, PacketError> {
        self.read_peak = self.read_peak.max(src.len());
        if !matches!(src.first(), None | Some(&PLAIN | &ZLIB)) {
            return Err(PacketError::WrongHeader);
        }
        let Some(header) = src.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let header = u32::from_be_bytes(*header);
        let length = header as usize & MAX_LENGTH;
        if length < HEADER_BYTES {
            return Err(PacketError::TooShort);
        }
        if length > self.limit {
            return Err(PacketError::TooLarge);
        }
        let Some(body) = src.get(HEADER_BYTES..length) else {
            // No room is made for what is only announced: four bytes would cost 64 KiB. DispatchResult makes it.
            return Ok(None);
        };
        let text = if src[0] == ZLIB {
            zlib::inflate(body, self.limit)?
        } else {
            body.to_vec()
        };
        src.advance(length);
        shrink(src, &mut self.read_peak);
        String::from_utf8(text).map(Some).map_err(|_| PacketError::NotUtf8)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<String>, PacketError> {
        match self.decode(src)? {
            None if !src.is_empty() => Err(PacketError::Truncated),
            decoded => Ok(decoded),
        }
    }
}

impl<T: AsRef<str>> Encoder<T> for PacketCodec {
    type Error = PacketError;

    fn encode(&mut self, text: T, dst: &mut BytesMut) -> Result<(), PacketError> {
        let body = text.as_ref().as_bytes();
        if body.len() > MAX_LENGTH - HEADER_BYTES {
            return Err(PacketError::TooLarge);
        }
        shrink(dst, &mut self.write_peak);
        let start = dst.len();
        dst.reserve(HEADER_BYTES + body.len());
        dst.put_u32(0);
        let at = dst.len();
        let deflated = if self.compress && body.len() >= MIN_ZLIB_BYTES {
            // Only room for what is shorter: the rest goes plain.
            dst.resize(at + body.len() - 1, 0);
            zlib::deflate(body, &mut dst[at..])
        } else {
            None
        };
        dst.truncate(at + deflated.unwrap_or(0));
        let kind = if deflated.is_some() {
            ZLIB
        } else {
            dst.put_slice(body);
            PLAIN
        };
        let header = u32::from(kind) << 24 | (dst.len() - start) as u32;
        dst[start..at].copy_from_slice(&header.to_be_bytes());
        self.write_peak = self.write_peak.max(dst.len());
        Ok(())
    }
}

/// Gives an empty buffer back that has held much.
fn shrink(buffer: &mut BytesMut, peak: &mut usize) {
    if buffer.is_empty() && *peak > KEPT_BUFFER_BYTES {
        *buffer = BytesMut::with_capacity(IDLE_BUFFER_BYTES);
        *peak = 0;
    }
}

#[cfg(test)]
mod tests;
