//! Parsed parts of a HAR file; other parts are skipped.
//!
//! A HAR contains sockets of other products, written by various tools. Their invalid fields must not fail the import,
//! so each field is parsed when it is used.

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
    /// Requests, in order.
    #[serde(borrow)]
    entries: Vec<&'h RawValue>,
}

/// Unparsed field; `None` if missing.
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

/// Request.
#[derive(Debug, Default)]
pub struct Entry {
    /// URL, as far as it is readable.
    pub url: String,
    /// Returns true for a WebSocket: marked as one, which not every tool does, or with messages.
    pub is_socket: bool,
    pub messages: Vec<Message>,
}

/// Field value; `None` if missing.
pub type Field<T> = Result<Option<T>, InvalidField>;

/// Invalid field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidField;

/// WebSocket message.
#[derive(Debug)]
pub struct Message {
    /// `send` or `receive`; Chromium also uses `error`.
    pub kind: Field<String>,
    /// Time in seconds since the UNIX epoch; some tools write milliseconds or microseconds.
    pub time: Field<f64>,
    /// 1 for text, 2 for binary.
    pub opcode: Field<f64>,
    /// Text, or binary data as base64.
    pub data: Field<String>,
}

/// Reads the entries of a HAR; invalid entries are [`InvalidField`].
///
/// # Errors
/// Invalid JSON, or not a HAR.
pub fn read(bytes: &[u8]) -> Result<Vec<Result<Entry, InvalidField>>, HarError> {
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
    Ok(har
        .log
        .entries
        .into_iter()
        .map(|raw| entry(raw).ok_or(InvalidField))
        .collect())
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
            kind: Err(InvalidField),
            time: Err(InvalidField),
            opcode: Err(InvalidField),
            data: Err(InvalidField),
        },
    }
}

fn field<'h, T: Deserialize<'h>>(raw: Raw<'h>) -> Field<T> {
    raw.map(|raw| parse(raw).ok_or(InvalidField)).transpose()
}

/// Parses an object; rejects an array, which serde would accept.
fn object<'h, T: Deserialize<'h>>(raw: &'h RawValue) -> Option<T> {
    raw.get().starts_with('{').then(|| parse(raw)).flatten()
}

fn parse<'h, T: Deserialize<'h>>(raw: &'h RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}
