use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use futures_util::StreamExt;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use crate::native::codec::*;

/// Builds a packet with a valid header.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let header = u32::from(kind) << 24 | (HEADER_BYTES + body.len()) as u32;
    [&header.to_be_bytes(), body].concat()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).expect("writing to a Vec cannot fail");
    encoder.finish().expect("writing to a Vec cannot fail")
}

/// Decodes bytes that arrive in pieces, followed by the end of the stream.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<String>, &'static str> {
    let mut codec = PacketCodec::default();
    let mut buffer = BytesMut::new();
    let mut texts = Vec::new();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        while let Some(text) = codec.decode(&mut buffer).map_err(|error| error.label())? {
            texts.push(text);
        }
    }
    match codec.decode_eof(&mut buffer) {
        Ok(None) => Ok(texts),
        Ok(Some(text)) => panic!("{text:?} was there before the end"),
        Err(error) => Err(error.label()),
    }
}

fn check(bytes: &[u8], expected: Result<&[&str], &'static str>) {
    for piece in [1, 3, 7, usize::MAX] {
        let expected = expected.map(|texts| texts.iter().copied().map(str::to_owned).collect());
        assert_eq!(
            read(bytes, piece),
            expected,
            "in pieces of {piece}: {:02x?}",
            &bytes[..bytes.len().min(16)]
        );
    }
}

#[test]
fn packets_of_both_kinds_may_alternate() {
    check(b"", Ok(&[]));
    check(b"\x80\0\0\x0fline_ping:1", Ok(&["line_ping:1"]));
    check(b"\x80\0\0\x04", Ok(&[""]));
    check(&packet(ZLIB, &zlib(b"")), Ok(&[""]));
    let mixed = [
        packet(PLAIN, b"login {}"),
        packet(ZLIB, &zlib("line_ping:1 ü".as_bytes())),
        packet(PLAIN, b"line_ping:2"),
        packet(ZLIB, &zlib(b"line_ping:3")),
    ];
    check(
        &mixed.concat(),
        Ok(&["login {}", "line_ping:1 ü", "line_ping:2", "line_ping:3"]),
    );
}

#[test]
fn bad_packets_are_refused() {
    check(b"\x82\0\0\x08abcd", Err("wrong header"));
    check(b"GET / HTTP/1.1\r\n", Err("wrong header"));
    check(b"\0", Err("wrong header"));
    check(b"\x80\0\0\0", Err("packet too short"));
    check(b"\x81\0\0\x03", Err("packet too short"));
    // Only the header has arrived.
    check(b"\x80\x01\0\x01", Err("packet too large"));
    check(b"\x81\xff\xff\xff", Err("packet too large"));
    check(b"\x81\0\0\x04", Err("bad zlib"));
    check(b"\x81\0\0\x08abcd", Err("bad zlib"));
    let hello = zlib(b"hello");
    check(&packet(ZLIB, &hello[..hello.len() - 1]), Err("bad zlib"));
    check(&packet(ZLIB, &[&*hello, b"\0"].concat()), Err("bytes after zlib"));
    check(&packet(PLAIN, b"a\xff"), Err("not UTF-8"));
    check(&packet(ZLIB, &zlib(b"a\xff")), Err("not UTF-8"));
    check(b"\x80", Err("truncated"));
    check(b"\x80\0\0", Err("truncated"));
    check(b"\x81\0\0\x09abcd", Err("truncated"));
    // A valid packet before it is still read.
    let mut codec = PacketCodec::default();
    let mut buffer = BytesMut::from(&b"\x80\0\0\x05x\x7f"[..]);
    assert_eq!(codec.decode(&mut buffer).expect("a packet").as_deref(), Some("x"));
    assert!(matches!(codec.decode(&mut buffer), Err(PacketError::WrongHeader)));
}

#[test]
fn the_limits_are_exact() {
    let most = "x".repeat(MAX_PACKET_BYTES - HEADER_BYTES);
    check_whole(&packet(PLAIN, most.as_bytes()), Ok(most.len()));
    check_whole(&packet(PLAIN, format!("{most}x").as_bytes()), Err("packet too large"));
    let most = "x".repeat(MAX_PACKET_BYTES);
    check_whole(&packet(ZLIB, &zlib(most.as_bytes())), Ok(most.len()));
    check_whole(&packet(ZLIB, &zlib(format!("{most}x").as_bytes())), Err("zlib bomb"));
    check_whole(&packet(ZLIB, &zlib(&vec![0; 32 << 20])), Err("zlib bomb"));
}

fn check_whole(bytes: &[u8], expected: Result<usize, &'static str>) {
    assert_eq!(read(bytes, 8_192).map(|texts| texts[0].len()), expected);
}

fn written(text: &str, compress: bool) -> Vec<u8> {
    let mut codec = PacketCodec::default();
    codec.compress(compress);
    let mut buffer = BytesMut::from(&b"before"[..]);
    codec.encode(text, &mut buffer).expect("a text of a legal size");
    assert_eq!(&buffer[..6], b"before");
    buffer[6..].to_vec()
}

#[test]
fn texts_are_deflated_if_enabled_and_shorter() {
    assert_eq!(written("line_pong:1", false), b"\x80\0\0\x0fline_pong:1");
    assert_eq!(written("line_pong:1", true), b"\x80\0\0\x0fline_pong:1");
    assert_eq!(written("", true), b"\x80\0\0\x04");
    let short = "call_ret user_getmsg 1 0 ".repeat(10);
    assert_eq!(written(&short, true), packet(PLAIN, short.as_bytes()));
    let line = short.repeat(2);
    assert_eq!(written(&line, false), packet(PLAIN, line.as_bytes()));
    let deflated = written(&line, true);
    assert_eq!(deflated[0], ZLIB);
    assert!(deflated.len() < line.len() / 3);
    check(&deflated, Ok(&[&line]));
    // Without repetitions: a zlib stream of it is not shorter.
    let dense: String = ('\0'..='\x7f').chain(('\u{80}'..='\u{7ff}').step_by(30)).collect();
    assert!(dense.len() >= MIN_ZLIB_BYTES);
    assert_eq!(written(&dense, true), packet(PLAIN, dense.as_bytes()));
}

#[test]
fn written_packets_are_limited_by_the_header() {
    let mut codec = PacketCodec::with_limit(usize::MAX);
    let mut buffer = BytesMut::new();
    let most = "x".repeat(MAX_LENGTH - HEADER_BYTES);
    codec.encode(&most, &mut buffer).expect("just fits");
    let got = codec.decode(&mut buffer).expect("a packet").expect("all of it");
    assert!(got == most, "{} bytes", got.len());
    let error = codec.encode(most + "x", &mut buffer).expect_err("too large");
    assert_eq!(error.to_string(), "packet too large");
    assert!(buffer.is_empty(), "nothing of it is written");
}

#[tokio::test]
async fn a_stream_ends_at_its_first_error() {
    let (mut client, server) = tokio::io::duplex(64);
    let mut packets = framed(server);
    let sent = tokio::spawn(async move {
        client
            .write_all(b"\x80\0\0\x05a\x80\0\0\x05b\x7f\x80\0\0\x05c")
            .await
            .expect("it is read")
    });
    let mut got = Vec::new();
    while let Some(packet) = packets.next().await {
        got.push(packet.map_err(|error| error.label()));
    }
    sent.await.expect("no panic");
    assert_eq!(got, [Ok("a".to_owned()), Ok("b".to_owned()), Err("wrong header")]);
}

#[tokio::test]
async fn idle_clients_have_small_buffers() {
    use futures_util::SinkExt;

    let (client, server) = tokio::io::duplex(1 << 20);
    let (mut client, mut server) = (framed(client), framed(server));
    assert!(size_of::<PacketCodec>() <= 32);
    for _ in 0..3 {
        // A large text in both directions, and a ping after it.
        for text in ["x".repeat(60_000), "line_ping:1".to_owned()] {
            client.send(&text).await.expect("a live stream");
            let got = server.next().await.expect("a packet").expect("a right one");
            server.send(&got).await.expect("a live stream");
            let got = client.next().await.expect("a packet").expect("a right one");
            assert!(got == text, "{} bytes", got.len());
        }
    }
    for end in [&client, &server] {
        assert!(end.read_buffer().capacity() <= KEPT_BUFFER_BYTES);
        assert!(end.write_buffer().capacity() <= KEPT_BUFFER_BYTES);
    }
}

#[test]
fn an_announced_length_reserves_no_memory() {
    let mut codec = PacketCodec::default();
    let mut buffer = BytesMut::from(&b"\x80\0\xff\xffa"[..]);
    let before = buffer.capacity();
    assert!(matches!(codec.decode(&mut buffer), Ok(None)));
    assert_eq!(buffer.capacity(), before);
}

proptest! {
    #[test]
    fn packets_round_trip(
        texts in proptest::collection::vec((any::<bool>(), ".{0,300}"), 0..6),
        piece in 1..200_usize,
    ) {
        let mut codec = PacketCodec::default();
        let mut buffer = BytesMut::new();
        for (compress, text) in &texts {
            codec.compress(*compress);
            codec.encode(text, &mut buffer).expect("a text of a legal size");
        }
        let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(read(&buffer, piece), Ok(texts));
    }

    #[test]
    fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1..400_usize) {
        let _ = read(&bytes, piece);
        // And as the body of both kinds.
        for kind in [PLAIN, ZLIB] {
            if let Ok(texts) = read(&packet(kind, &bytes), piece) {
                prop_assert!(texts.iter().all(|text| text.len() <= MAX_PACKET_BYTES));
            }
        }
    }
}
