//! An archive's parts that are looked at; everything else is passed over while it is read.
//!
//! Archives hold sockets of other products, written by other tools: whatever their fields hold must not keep the app's own
//! from being read. So a field is read by itself, when it is looked at.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use rtm::json;

use crate::har::HarError;

#[derive(Deserialize)]
struct Har<'h> {
    #[serde(borrow)]
    log: Log<'h>,
}

#[derive(Deserialize)]
struct Log<'h> {
    /// Requests, in the order in which they were made.
    #[serde(borrow)]
    entries: Vec<&'h RawValue>,
}

/// A field as it is written; none when it is not there.
type Raw<'h> = Option<&'h RawValue>;

fn there<'de: 'h, 'h, D: Deserializer<'de>>(from: D) -> Result<Raw<'h>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

#[derive(Deserialize)]
struct RawEntry<'h> {
    #[serde(borrow, default, deserialize_with = "there")]
    request: Raw<'h>,
    #[serde(borrow, default, rename = "_resourceType", deserialize_with = "there")]
    kind: Raw<'h>,
    #[serde(borrow, default, rename = "_webSocketMessages", deserialize_with = "there")]
    messages: Raw<'h>,
}

#[derive(Deserialize)]
struct RawRequest<'h> {
    #[serde(borrow, default, deserialize_with = "there")]
    url: Raw<'h>,
}

#[derive(Deserialize)]
struct RawMessage<'h> {
    #[serde(borrow, default, rename = "type", deserialize_with = "there")]
    kind: Raw<'h>,
    #[serde(borrow, default, deserialize_with = "there")]
    time: Raw<'h>,
    #[serde(borrow, default, deserialize_with = "there")]
    opcode: Raw<'h>,
    #[serde(borrow, default, deserialize_with = "there")]
    data: Raw<'h>,
}

/// A request.
#[derive(Debug, Default)]
pub struct Entry {
    /// Where it went, as far as that can be read.
    pub url: String,
    /// It is a WebSocket's: it says so, which not every tool does, or has messages.
    pub is_socket: bool,
    /// The messages of a WebSocket.
    pub messages: Vec<Message>,
}

/// What a field holds; none when it is not there.
pub type Field<T> = Result<Option<T>, Odd>;

/// It holds something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd;

/// A message of a WebSocket.
#[derive(Debug)]
pub struct Message {
    /// `send` or `receive`; Chromium also has `error`.
    pub kind: Field<String>,
    /// When: seconds since the UNIX epoch; some tools write milliseconds or microseconds.
    pub time: Field<f64>,
    /// 1 for text, 2 for binary.
    pub opcode: Field<f64>,
    /// Text as it is, binary as base64.
    pub data: Field<String>,
}

/// Reads the entries of an archive; those that are none of a HAR are none here.
///
/// # Errors
/// It is no JSON, or no HAR.
pub fn read(bytes: &[u8]) -> Result<Vec<Result<Entry, Odd>>, HarError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let text = json::paired(&text);
    let har: Har<'_> = serde_json::from_str(&text).map_err(|error| match error.is_data() {
        true => HarError::NotHar(error.to_string()),
        false => HarError::NotJson {
            line: error.line(),
            column: error.column(),
        },
    })?;
    Ok(har.log.entries.into_iter().map(|raw| entry(raw).ok_or(Odd)).collect())
}

fn entry(raw: &RawValue) -> Option<Entry> {
    let entry: RawEntry<'_> = object(raw)?;
    let request = entry.request.and_then(object::<RawRequest<'_>>);
    let url = request.and_then(|request| parse(request.url?));
    let messages: Vec<&RawValue> = entry.messages.map_or(Some(Vec::new()), parse)?;
    let is_socket = entry
        .kind
        .and_then(parse::<Cow<'_, str>>)
        .is_some_and(|kind| kind == "websocket");
    Some(Entry {
        url: url.unwrap_or_default(),
        is_socket: is_socket || entry.messages.is_some(),
        messages: messages.into_iter().map(message).collect(),
    })
}

pub(super) fn message(raw: &RawValue) -> Message {
    match object::<RawMessage<'_>>(raw) {
        Some(message) => Message {
            kind: field(message.kind),
            time: field(message.time),
            opcode: field(message.opcode),
            data: field(message.data),
        },
        None => Message {
            kind: Err(Odd),
            time: Err(Odd),
            opcode: Err(Odd),
            data: Err(Odd),
        },
    }
}

fn field<'h, T: Deserialize<'h>>(raw: Raw<'h>) -> Field<T> {
    raw.map(|raw| parse(raw).ok_or(Odd)).transpose()
}

/// What a list of its members could be, too, is none.
fn object<'h, T: Deserialize<'h>>(raw: &'h RawValue) -> Option<T> {
    raw.get().starts_with('{').then(|| parse(raw)).flatten()
}

fn parse<'h, T: Deserialize<'h>>(raw: &'h RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}
