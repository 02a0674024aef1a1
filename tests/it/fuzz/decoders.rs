//! Readers of bytes and texts, without a server: the entries of `cargo fuzz` with generated input.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::case::seeds;
use super::entries;
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

/// Runs an entry with generated input, behind a byte that selects the reader. A panic is a failure.
fn check(cases: u32, strategy: &impl Strategy<Value = Vec<u8>>, choices: &'static [u8], entry: fn(&[u8])) {
    run(cases, &(select(choices), strategy), |(choice, input)| {
        entry(&[&[*choice][..], input].concat());
        Ok(())
    });
}

fn bytes(texts: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    texts.prop_map(String::into_bytes)
}

#[test]
fn json_values() {
    run(2_000, &like("web"), |text| {
        entries::json(text);
        Ok(())
    });
}

#[test]
fn web_frames() {
    check(2_000, &bytes(like("web")), &[3, 7, 11, 0, 4, 1], entries::text_frames);
}

#[test]
fn native_lines() {
    check(2_000, &bytes(like("native")), &[19, 16, 17], entries::text_frames);
}

#[test]
fn api_requests() {
    check(2_000, &bytes(like("api")), &[15], entries::text_frames);
}

#[test]
fn link_objects() {
    check(2_000, &bytes(like("link")), &[0, 1, 2], entries::link);
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
        entries::packets(&case.0[0], sizes);
        Ok(())
    });
}

#[test]
fn questions_by_udp() {
    let datagram = prop_oneof![
        mutated(seeds("udp")),
        mutated(seeds("udp").iter().map(|text| deflated(text)).collect()),
        vec(any::<u8>(), 0..1_400),
    ];
    check(2_000, &datagram, &[0, 1], entries::native);
}
