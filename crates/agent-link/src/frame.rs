//! JSON-RPC objects of a link (docs/agent-link.md, "Frames").

use serde::Deserialize;

use rtm::json::{self, write};
use rtm::value::{Text, Value};

/// Code of all errors of RTM itself; `data` identifies the error.
pub const RTM_ERROR: i64 = -32000;
/// Unsupported protocol version.
pub const BAD_PROTOCOL: i64 = -32001;
/// Another agent is connected.
pub const BUSY: i64 = -32002;
/// Unknown session.
pub const NO_SESSION: i64 = -32003;
/// Unknown method.
pub const NO_METHOD: i64 = -32601;
/// Invalid parameters.
pub const BAD_PARAMS: i64 = -32602;
/// Bytes of an object around its content.
const ENVELOPE_BYTES: usize = 96;

/// Object with its sequence number.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Sequence number; absent in the link's own objects.
    pub seq: Option<u64>,
    pub body: Body,
}

/// Content of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `method` with an `id`.
    Request {
        /// Number chosen by the sender.
        id: u64,
        /// Name of a call.
        method: Text,
        /// Parameters, an object.
        params: Value,
    },
    /// `method` without an `id`.
    Notice {
        /// Name of an event.
        method: Text,
        /// Fields, an object.
        params: Value,
    },
    /// `result`.
    Result {
        /// Number of the request.
        id: u64,
        result: Value,
    },
    /// `error`.
    Error {
        /// Number of the request.
        id: u64,
        error: ErrorBody,
    },
}

/// Failure of a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ErrorBody {
    /// [`RTM_ERROR`], or a code of JSON-RPC or of the link.
    pub code: i64,
    /// Diagnostic text.
    pub message: Text,
    /// `{operation, errorCode, name}` of an RTM error.
    #[serde(default)]
    pub data: Value,
}

impl ErrorBody {
    /// Creates a failure without RTM data.
    pub fn new(code: i64, message: impl Into<Text>) -> Self {
        Self {
            code,
            message: message.into(),
            data: Value::Null,
        }
    }

    fn write(&self, text: &mut String) {
        text.push_str(r#","error":{"code":"#);
        write::number(self.code, text);
        text.push_str(r#","message":"#);
        write::quote(&self.message, text);
        if !self.data.is_null() {
            text.push_str(r#","data":"#);
            write::value(&self.data, text);
        }
        text.push('}');
    }
}

impl Body {
    /// Returns the approximate size of the content.
    fn bytes(&self) -> usize {
        match self {
            Self::Request { method, params, .. } | Self::Notice { method, params } => method.len() + params.bytes(),
            Self::Result { result, .. } => result.bytes(),
            Self::Error { error, .. } => error.message.len() + error.data.bytes(),
        }
    }
}

/// Appends a member with a number.
fn number(name: &str, number: u64, text: &mut String) {
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":");
    // The other side chooses its numbers.
    match i64::try_from(number) {
        Ok(number) => write::number(number, text),
        Err(_) => text.push_str(&number.to_string()),
    }
}

#[derive(Deserialize)]
struct Raw {
    // Only read, to check it.
    #[serde(rename = "jsonrpc")]
    _jsonrpc: Version,
    id: Option<u64>,
    seq: Option<u64>,
    method: Option<Text>,
    params: Option<Value>,
    // A null result differs from a missing one.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
enum Version {
    #[serde(rename = "2.0")]
    Two,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Error of a frame.
#[derive(Debug, thiserror::Error)]
pub enum BadFrame {
    /// Invalid JSON, or missing members.
    #[error("no JSON-RPC 2.0 object: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither a call nor an answer.
    #[error("expected a method, or an id with a result or an error")]
    Shape,
}

impl Frame {
    /// Parses a text message.
    ///
    /// # Errors
    /// [`BadFrame`].
    pub fn parse(text: &str) -> Result<Self, BadFrame> {
        let raw: Raw = json::read(text)?;
        let body = match (raw.id, raw.method, raw.result, raw.error) {
            (Some(id), Some(method), None, None) => Body::Request {
                id,
                method,
                params: raw.params.unwrap_or_default(),
            },
            (None, Some(method), None, None) => Body::Notice {
                method,
                params: raw.params.unwrap_or_default(),
            },
            (Some(id), None, Some(result), None) => Body::Result { id, result },
            (Some(id), None, None, Some(error)) => Body::Error { id, error },
            _ => return Err(BadFrame::Shape),
        };
        Ok(Self { seq: raw.seq, body })
    }

    /// Encodes a text message.
    pub fn into_text(self) -> String {
        let mut text = String::with_capacity(self.body.bytes() + ENVELOPE_BYTES);
        text.push_str(r#"{"jsonrpc":"2.0""#);
        if let Body::Request { id, .. } | Body::Result { id, .. } | Body::Error { id, .. } = &self.body {
            number("id", *id, &mut text);
        }
        if let Some(seq) = self.seq {
            number("seq", seq, &mut text);
        }
        match &self.body {
            Body::Request { method, params, .. } | Body::Notice { method, params } => {
                text.push_str(r#","method":"#);
                write::quote(method, &mut text);
                text.push_str(r#","params":"#);
                write::value(params, &mut text);
            }
            Body::Result { result, .. } => {
                text.push_str(r#","result":"#);
                write::value(result, &mut text);
            }
            Body::Error { error, .. } => error.write(&mut text),
        }
        text.push('}');
        text
    }

    /// Creates an object of the link itself, without a sequence number.
    pub fn own(body: Body) -> Self {
        Self { seq: None, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        let frame = Frame::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(frame.into_text(), text);
    }

    fn check_bad(text: &str, part: &str) {
        let error = Frame::parse(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }

    #[test]
    fn frames_go_there_and_back() {
        check(r#"{"jsonrpc":"2.0","id":4,"seq":4,"method":"join","params":{"sessionId":"1","channelId":"room"}}"#);
        check(r#"{"jsonrpc":"2.0","seq":10,"method":"onMemberJoined","params":{"memberId":"bob"}}"#);
        check(r#"{"jsonrpc":"2.0","id":4,"seq":9,"result":true}"#);
        check(r#"{"jsonrpc":"2.0","id":18446744073709551615,"seq":9,"result":true}"#);
        check(r#"{"jsonrpc":"2.0","id":4,"seq":9,"result":null}"#);
        check(r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"no such call"}}"#);
        check(
            r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32000,"message":"x","data":{"operation":"LOGIN","errorCode":9}}}"#,
        );
    }

    #[test]
    fn texts_of_users_may_be_cut() {
        let frame = Frame::parse(r#"{"jsonrpc":"2.0","method":"onMessageFromPeer","params":{"text":"\ud83d"}}"#);
        let written = frame.expect("a frame").into_text();
        assert!(written.ends_with("{\"text\":\"\u{fffd}\"}}"), "{written}");
    }

    #[test]
    fn others_are_refused() {
        check_bad("", "no JSON-RPC");
        check_bad("[]", "no JSON-RPC");
        check_bad(r#"{"id":1,"result":1}"#, "no JSON-RPC");
        check_bad(r#"{"jsonrpc":"1.0","id":1,"result":1}"#, "no JSON-RPC");
        check_bad(r#"{"jsonrpc":"2.0","id":-1,"result":1}"#, "no JSON-RPC");
        check_bad(r#"{"jsonrpc":"2.0","id":1}"#, "expected a method");
        check_bad(r#"{"jsonrpc":"2.0","result":1}"#, "expected a method");
        check_bad(
            r#"{"jsonrpc":"2.0","id":1,"method":"x","result":1}"#,
            "expected a method",
        );
    }
}
