//! Invented input: JSON texts, arguments of calls, changed bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts with a special meaning: names, reserved ones, special characters of paths and formats.
pub const NAMES: &[&str] = &[
    "room",
    "r2",
    "fuzz0",
    "fuzz1",
    "alice",
    "bob",
    "nobody",
    "ok",
    "",
    "a b",
    "\0",
    "\u{202e}",
    "\u{e000}",
    "\u{1f600}",
    "~r.YSBi",
    "~b.YSBi",
    "~h.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "../x",
    "%2e",
    "_sendmsg_limit",
    "__agora_user_online",
    "_agora_channel_event",
    "_member_num",
    "null",
    "\"",
    "\\",
    "'",
    "{}",
    "_sb.id",
    "AgoraInviteEnd_",
    "AgoraInviteEnd_room_",
    "AgoraRTMLegacyEndcallCompatibleMessagePrefix_room_x",
    "1",
    "-1",
    "instant",
    "login",
    "call2",
    "ping",
    "set_flag",
    "line",
    "v1:E:3600",
    "v1:E:-1",
    "v1:E:99999999999999999999",
    "v1:E:",
    r#"{"_timeout":5}"#,
    r#"{"_timeout":-1}"#,
    r#"{"_timeout":1e99}"#,
    r#"{"_timeout":"#,
    r#"{"_require_peer_online":1}"#,
    r#"{"msgtype":"dtmf","msgdata":"5"}"#,
    r#"{"status":0}"#,
];

/// Names of arguments, of any wire.
pub const KEYS: &[&str] = &[
    "name",
    "channel",
    "channelName",
    "channelID",
    "account",
    "peer",
    "content",
    "msg",
    "msgID",
    "value",
    "t",
    "flag",
    "extra",
    "uid",
    "ver_clear",
    "max",
    "clear_msgs",
    "force",
    "num",
    "options",
    "package",
    "func",
    "args",
    "callid",
    "line",
    "x",
];

/// JSON texts of numbers at the limits of types, and texts that resemble JSON.
const ODD: &[&str] = &[
    "0",
    "1",
    "-1",
    "-0",
    "0.5",
    "30",
    "2147483648",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "-1e300",
    "1e-300",
    "1e400",
    "null",
    "true",
    "false",
    r#""half \ud83d""#,
    r#""\udc00\ud800""#,
];

/// Lengths around the limits of names, values, messages and frames.
const LENGTHS: &[usize] = &[64, 65, 127, 128, 129, 1_024, 8_096, 8_097, 8_192, 8_193, 20_000];

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON text of any form.
pub fn json() -> impl Strategy<Value = String> + Clone {
    let leaf = prop_oneof![
        6 => select(NAMES).prop_map(quoted),
        3 => select(ODD).prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<f64>()
            .prop_filter("JSON has no other numbers", |x| x.is_finite())
            .prop_map(|x| format!("{x:e}")),
        1 => select(LENGTHS).prop_map(|length| format!("\"{}\"", "y".repeat(length))),
        2 => any::<String>().prop_map(|text| quoted(&text)),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((select(KEYS), inner), 0..4).prop_map(|entries| object(&entries)),
        ]
    })
}

fn object(entries: &[(&str, String)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    format!("{{{}}}", entries.join(","))
}

/// The value of an argument: any JSON, with a taste for what calls are about.
pub fn argument() -> impl Strategy<Value = String> + Clone {
    let likely = &[
        "\"alice\"",
        "\"bob\"",
        "\"fuzz0\"",
        "\"room\"",
        "\"nobody\"",
        "true",
        "30",
    ][..];
    prop_oneof![json(), select(likely).prop_map(str::to_owned)]
}

/// The arguments of a call; nearly always with `line`, the caller's.
pub fn arguments(line: &'static str) -> impl Strategy<Value = String> {
    let names = vec((select(&KEYS[..6]), argument()), 0..4);
    let others = vec((select(&KEYS[6..]), argument()), 0..5);
    (names, others, prop::bool::weighted(0.95)).prop_map(move |(mut entries, others, has_line)| {
        entries.extend(others);
        if has_line {
            entries.push(("line", format!("\"{line}\"")));
        }
        object(&entries)
    })
}

/// A change of bytes.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    Set(u8),
    Flip(u8),
    Remove(usize),
    Insert([u8; 3]),
    /// Repeats the bytes before.
    Repeat,
}

/// Some changes, each at a place.
pub fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let change = prop_oneof![
        any::<u8>().prop_map(Change::Set),
        (0_u8..8).prop_map(Change::Flip),
        (1_usize..8).prop_map(Change::Remove),
        any::<[u8; 3]>().prop_map(Change::Insert),
        Just(Change::Repeat),
    ];
    vec((any::<prop::sample::Index>(), change), 1..6)
}

/// The bytes with these changes.
pub fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, Change)]) -> Vec<u8> {
    for (place, change) in changes {
        if bytes.is_empty() {
            bytes.push(b'x');
        }
        let at = place.index(bytes.len());
        match *change {
            Change::Set(byte) => bytes[at] = byte,
            Change::Flip(bit) => bytes[at] ^= 1 << bit,
            Change::Remove(count) => drop(bytes.drain(at..(at + count).min(bytes.len()))),
            Change::Insert(new) => drop(bytes.splice(at..at, new)),
            Change::Repeat => {
                let before = bytes[..at].to_vec();
                drop(bytes.splice(at..at, before));
            }
        }
    }
    bytes
}

/// Mutations of given bytes.
pub fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(seeds), changes()).prop_map(|(seed, changes)| changed(seed, &changes))
}
