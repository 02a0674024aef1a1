//! Client side of WebSocket framing: as much as a load generator needs.

use anyhow::{Result, bail};

/// The request of the handshake; its key is the example of RFC 6455.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The server's response to that key.
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Text = 1,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// One frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: Opcode,
    pub payload: &'a [u8],
    /// Bytes of header and payload.
    pub length: usize,
}

/// Appends a masked frame.
pub fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    out.push(0x80 | opcode as u8);
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        medium @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    for chunk in out[start..].chunks_mut(4) {
        for (byte, mask) in chunk.iter_mut().zip(MASK) {
            *byte ^= mask;
        }
    }
}

/// Reads the frame at the start of `bytes`, once it is complete.
///
/// # Errors
/// Masked, fragmented and binary frames: no server of this wire sends them.
pub fn read(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let opcode = match first {
        0x81 => Opcode::Text,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8a => Opcode::Pong,
        other => bail!("a frame that begins with {other:#04x}"),
    };
    let (header, length) = match (*second, rest) {
        (short @ 0..126, _) => (2, usize::from(short)),
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, long) if long.len() >= 8 => (10, usize::try_from(u64::from_be_bytes(long[..8].try_into()?))?),
        (126 | 127, _) => return Ok(None),
        _ => bail!("a masked frame"),
    };
    let end = header + length;
    Ok(bytes.get(header..end).map(|payload| Frame {
        opcode,
        payload,
        length: end,
    }))
}

/// Returns the length of the handshake's response at the start of `bytes`, once it is complete.
///
/// # Errors
/// A response that does not accept the handshake.
pub fn accepted(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = &bytes[..end];
    if !head.starts_with(b"HTTP/1.1 101") || memchr::memmem::find(head, ACCEPT).is_none() {
        bail!("the handshake is refused: {}", String::from_utf8_lossy(head));
    }
    Ok(Some(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_each_length_form_are_read_when_complete() {
        for length in [0, 125, 126, 0xffff, 0x1_0000] {
            let payload = vec![b'x'; length];
            let mut masked = Vec::new();
            write(&mut masked, Opcode::Text, &payload);
            let header = masked.len() - length - 4;
            let mut frame = masked[..header].to_vec();
            frame[1] &= 0x7f;
            frame.extend_from_slice(&payload);
            for cut in [0, 1, header - 1, frame.len() - 1] {
                assert_eq!(read(&frame[..cut]).unwrap(), None, "{length} cut at {cut}");
            }
            frame.push(0x81);
            let got = read(&frame).unwrap().unwrap();
            assert_eq!((got.payload, got.length), (&payload[..], header + length));
        }
    }

    #[test]
    fn a_payload_is_masked() {
        let mut out = Vec::new();
        write(&mut out, Opcode::Text, b"Hello");
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        assert!(read(&out).is_err());
    }

    #[test]
    fn a_handshake_is_accepted_with_the_right_key_only() {
        let good =
            b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nrest";
        assert_eq!(accepted(good).unwrap(), Some(good.len() - 4));
        assert_eq!(accepted(&good[..40]).unwrap(), None);
        assert!(accepted(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
        assert!(accepted(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").is_err());
    }
}
