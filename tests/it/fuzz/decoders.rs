//! What reads bytes and texts, without a server: no input panics, and what is read does not depend on how it arrives.

use std::sync::Arc;

use ::bytes::BytesMut;
use agent_link::frame::Frame;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use protocol::api::ApiDecoder;
use protocol::native::{self, PacketCodec, PacketError};
use protocol::web;
use rtm::value::Value;
use sigbridge::config::HostPort;
use sigbridge::server::native_lookup::{Answer, answer};
use tables::Tables;
use tokio_util::codec::Decoder;

use super::case::seeds;
use super::target::run;
use crate::support::invent::{changed, changes, json, mutated};
use crate::support::{deflated, packet};

/// Texts like those of a front's corpus.
fn like(front: &str) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => mutated(seeds(front)).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => json(),
        1 => any::<String>(),
    ]
}

/// What a reader makes of a text that is written by it is the same again.
fn same<T: PartialEq>(once: Option<T>, again: Option<T>, text: &str) -> Result<(), String> {
    if once == again {
        Ok(())
    } else {
        Err(format!("not the same again as {text}"))
    }
}

#[test]
fn json_values() {
    run(2_000, &like("web"), |text| {
        let Ok(value) = Value::from_json(text) else {
            return Ok(());
        };
        let written = value.to_json();
        same(Some(value), Value::from_json(&written).ok(), &written)
    });
}

#[test]
fn web_frames() {
    run(2_000, &like("web"), |text| {
        let _ = web::decode::decode(text);
        Ok(())
    });
}

#[test]
fn native_lines() {
    run(2_000, &like("native"), |text| {
        let _ = native::decode(text);
        Ok(())
    });
}

#[test]
fn api_requests() {
    let tables: Arc<Tables> = Arc::new(Tables::built_in().expect("the built-in tables compile"));
    run(2_000, &like("api"), |text| {
        let heard = ApiDecoder::new(&tables).decode(text);
        let is_json = |answer: &String| Value::from_json(answer).is_ok();
        match heard.answer.filter(|answer| !is_json(answer)) {
            None => Ok(()),
            Some(answer) => Err(format!("answered with {answer}")),
        }
    });
}

#[test]
fn link_objects() {
    run(2_000, &like("link"), |text| {
        let Ok(frame) = Frame::parse(text) else { return Ok(()) };
        let written = frame.clone().into_text();
        same(Some(frame), Frame::parse(&written).ok(), &written)
    });
}

/// All that a decoder of packets makes of bytes that arrive in parts of these sizes.
fn packets(bytes: &[u8], sizes: &[usize]) -> Result<(Vec<String>, Option<&'static str>), String> {
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
            Ok(Some(text)) if text.len() > LIMIT => return Err(format!("a text of {} bytes", text.len())),
            Ok(Some(text)) => texts.push(text.to_string()),
            Ok(None) if rest.is_empty() => break None,
            Ok(None) => {
                // Whoever waits for more has room for one packet, not for all that anybody announces.
                if buffer.capacity() > bytes.len().max(LIMIT) * 2 + 4_096 {
                    return Err(format!("room for {} bytes", buffer.capacity()));
                }
                let (part, behind) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
                buffer.extend_from_slice(part);
                rest = behind;
            }
            Err(error) => break Some(PacketError::label(&error)),
        }
    };
    Ok((texts, error))
}

#[test]
fn native_packets() {
    let bombs = vec![
        packet(&vec![b' '; 1 << 20], true),
        packet(&deflated(&[0; 100_000]), true),
    ];
    let whole = (select(seeds("native")), any::<bool>()).prop_map(|(line, zlib)| packet(&line, zlib));
    let piece = prop_oneof![
        3 => whole.clone(),
        2 => (whole, changes()).prop_map(|(bytes, changes)| changed(bytes, &changes)),
        1 => vec(any::<u8>(), 0..40),
        1 => select(bombs),
    ];
    let pieces = vec(piece, 0..5).prop_map(|pieces| super::case::Case(vec![pieces.concat()]));
    run(1_000, &(pieces, vec(1_usize..50, 1..4)), |(case, sizes)| {
        let bytes = &case.0[0];
        let (whole, parts) = (packets(bytes, &[usize::MAX])?, packets(bytes, sizes)?);
        same(Some(whole), Some(parts), "in one part")
    });
}

#[test]
fn questions_by_udp() {
    let place = HostPort {
        host: "bridge.example.com".into(),
        port: 8003,
    };
    let known = Answer::new(&[place]);
    let zipped: Vec<_> = seeds("udp").iter().map(|text| deflated(text)).collect();
    let datagram = prop_oneof![
        3 => mutated(zipped),
        2 => mutated(seeds("udp")).prop_map(|text| deflated(&text)),
        1 => vec(any::<u8>(), 0..1_400),
    ];
    run(2_000, &datagram, |datagram| match answer(datagram, &known) {
        Ok(answer) if answer.len() > 3 * datagram.len() => Err(format!("{} bytes", answer.len())),
        _ => Ok(()),
    });
}
