//! Packets: a header of four bytes and a text (signaling-wire 10).
//!
//! The first byte of the header marks the body as text or as a zlib stream of it. The other three
//! are the length of the whole packet, high byte first. Both kinds may occur at any time.

use std::{fmt, io};

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
/// The maximum of the header's three length bytes.
const MAX_LENGTH: usize = 0xff_ffff;
/// Smallest text that is deflated. In 190 bytes of typical lines, 28 bytes are saved for 14 µs,
/// which saves no network packet.
const MIN_ZLIB_BYTES: usize = 256;
/// Buffer size of an idle client, bytes.
const IDLE_BUFFER_BYTES: usize = 1024;
/// A larger buffer is freed once it is empty.
const KEPT_BUFFER_BYTES: usize = 4 * 1024;

/// Frames a byte stream as texts, with small buffers, because most clients are idle.
pub fn framed<S: AsyncRead + AsyncWrite>(stream: S) -> Framed<S, PacketCodec> {
    Framed::with_capacity(stream, PacketCodec::default(), IDLE_BUFFER_BYTES)
}

/// The reason why a packet stream has ended: the bytes after any of these errors are meaningless.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The first byte is invalid.
    WrongHeader,
    /// The length is less than the header's own.
    TooShort,
    /// The packet, or the text in it, exceeds its limit; a packet is refused as soon as its header
    /// is read.
    TooLarge,
    /// The body is not one complete zlib stream.
    BadZlib,
    /// The inflated text exceeds the limit.
    Bomb,
    /// Bytes follow the zlib stream.
    Trailing,
    /// The text is not UTF-8.
    NotUtf8,
    /// The connection ended within a packet.
    Truncated,
    /// The connection failed, which is not a protocol error.
    Io(#[from] io::Error),
}

impl PacketError {
    /// Returns the counted reason.
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

/// A codec between texts and packets.
///
/// The default is the server's side; [`PacketCodec::with_limit`] is for a client, whose limit is
/// larger.
#[derive(Debug)]
pub struct PacketCodec {
    limit: usize,
    compress: bool,
    /// The peak use of the buffers since their creation, because a buffer does not expose its
    /// capacity.
    read_peak: usize,
    write_peak: usize,
}

impl Default for PacketCodec {
    fn default() -> Self {
        Self::with_limit(MAX_PACKET_BYTES)
    }
}

impl PacketCodec {
    /// Refuses packets, and texts in them, of more than `limit` bytes. Written packets are limited
    /// by the header alone.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit: limit.min(MAX_LENGTH),
            compress: false,
            read_peak: 0,
            write_peak: 0,
        }
    }

    /// Enables or disables deflation of texts that become shorter by it. The SDKs enable it at
    /// their login.
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
            // No memory is reserved for an announced length: four bytes would cost 64 KiB. Reading
            // reserves it.
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
            // Only room for a shorter body: otherwise it is sent plain.
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

/// Frees an empty buffer that was large.
fn shrink(buffer: &mut BytesMut, peak: &mut usize) {
    if buffer.is_empty() && *peak > KEPT_BUFFER_BYTES {
        *buffer = BytesMut::with_capacity(IDLE_BUFFER_BYTES);
        *peak = 0;
    }
}

#[cfg(test)]
mod tests;
