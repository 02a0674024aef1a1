//! An archive's parts that are looked at; everything else is passed over while it is read.

use serde::Deserialize;

use crate::json;

use super::HarError;

/// The file.
#[derive(Debug, Deserialize)]
pub struct Har {
    /// All of it.
    pub log: Log,
}

/// All of it.
#[derive(Debug, Deserialize)]
pub struct Log {
    /// Requests, in the order in which they were made.
    pub entries: Vec<Entry>,
}

/// A request.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// Where it went.
    #[serde(default)]
    pub request: Request,
    /// `websocket`; not every tool says so where there are messages.
    #[serde(default, rename = "_resourceType")]
    pub kind: Option<String>,
    /// The messages of a WebSocket.
    #[serde(default, rename = "_webSocketMessages")]
    pub messages: Option<Vec<Message>>,
}

/// Where a request went.
#[derive(Debug, Default, Deserialize)]
pub struct Request {
    /// The address.
    #[serde(default)]
    pub url: String,
}

/// A message of a WebSocket.
#[derive(Debug, Deserialize)]
pub struct Message {
    /// `send` or `receive`; Chromium also has `error`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// When: seconds since the UNIX epoch; some tools write milliseconds or microseconds.
    #[serde(default)]
    pub time: f64,
    /// 1 for text, 2 for binary.
    #[serde(default = "text")]
    pub opcode: i64,
    /// Text as it is, binary as base64.
    #[serde(default)]
    pub data: String,
}

fn text() -> i64 {
    1
}

/// Reads an archive.
///
/// # Errors
/// It is no JSON, or no HAR.
pub fn read(bytes: &[u8]) -> Result<Har, HarError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    json::read(&text).map_err(|error| match error.is_data() {
        true => HarError::NotHar(error.to_string()),
        false => HarError::NotJson {
            line: error.line(),
            column: error.column(),
        },
    })
}
