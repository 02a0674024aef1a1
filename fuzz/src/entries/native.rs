//! Bytes of native clients: packets over TCP, lookups over UDP.

use std::io::Write as _;
use std::sync::LazyLock;

use ::bytes::BytesMut;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use protocol::native::{self, PacketCodec, PacketError};
use sigbridge::config::HostPort;
use sigbridge::server::native_lookup::{Answer, answer};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::selected;

/// The first byte selects the reader; for packets it is the size of the parts, too.
pub fn native(data: &[u8]) {
    let (choice, rest) = selected(data);
    match choice {
        0 => lookup(rest),
        1 => lookup(&deflated(rest)),
        2 => line(&super::text(rest)),
        size => packets(rest, &[usize::from(size - 2)]),
    }
}

static PLACES: LazyLock<Answer> = LazyLock::new(|| {
    let place = HostPort {
        host: "bridge.example.com".into(),
        port: 8003,
    };
    Answer::new(&[place])
});

/// An answer is at most three times as long as the datagram.
fn lookup(datagram: &[u8]) {
    if let Ok(answer) = answer(datagram, &PLACES) {
        assert!(answer.len() <= 3 * datagram.len(), "{} bytes", answer.len());
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut stream = ZlibEncoder::new(Vec::new(), Compression::default());
    stream.write_all(bytes).expect("writing to a Vec cannot fail");
    stream.finish().expect("writing to a Vec cannot fail")
}

/// A line is decoded; as a packet it arrives unchanged.
fn line(text: &str) {
    let _ = native::decode(text);
    let mut codec = PacketCodec::with_limit(usize::MAX);
    let mut buffer = BytesMut::new();
    if codec.encode(text, &mut buffer).is_ok() {
        let arrived = codec.decode(&mut buffer).expect("a packet of our own");
        assert_eq!(arrived.as_deref(), Some(text));
    }
}

/// The content of packets does not depend on the parts in which they arrive.
pub fn packets(bytes: &[u8], sizes: &[usize]) {
    let (whole, parts) = (decoded(bytes, &[usize::MAX]), decoded(bytes, sizes));
    assert_eq!(whole, parts, "in parts of {sizes:?}");
    for text in &whole.0 {
        let _ = native::decode(text);
    }
}

/// Texts and the error of bytes that arrive in parts of these sizes.
fn decoded(bytes: &[u8], sizes: &[usize]) -> (Vec<String>, Option<&'static str>) {
    const LIMIT: usize = 1_000;
    let mut codec = PacketCodec::with_limit(LIMIT);
    let (mut buffer, mut rest, mut texts) = (BytesMut::new(), bytes, Vec::new());
    let mut sizes = sizes.iter().copied().cycle();
    let error = loop {
        let next = if rest.is_empty() {
            codec.decode_eof(&mut buffer)
        } else {
            codec.decode(&mut buffer)
        };
        match next {
            Ok(Some(text)) => {
                assert!(text.len() <= LIMIT, "a text of {} bytes", text.len());
                texts.push(text.to_string());
            }
            Ok(None) if rest.is_empty() => break None,
            Ok(None) => {
                // Room for one packet, not for all that a header announces.
                let most = bytes.len().max(LIMIT) * 2 + 4_096;
                assert!(buffer.capacity() <= most, "room for {} bytes", buffer.capacity());
                let (part, behind) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
                buffer.extend_from_slice(part);
                rest = behind;
            }
            Err(error) => break Some(PacketError::label(&error)),
        }
    };
    (texts, error)
}
