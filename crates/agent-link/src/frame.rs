//! JSON-RPC objects of a link (docs/agent-link.md, "Frames").

use serde::{Deserialize, Serialize};

use rtm::json;
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// [`RTM_ERROR`], or a code of JSON-RPC or of the link.
    pub code: i64,
    /// Diagnostic text.
    pub message: Text,
    /// `{operation, errorCode, name}` of an RTM error.
    #[serde(default, skip_serializing_if = "Value::is_null")]
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
}

#[derive(Serialize, Deserialize)]
struct Raw {
    jsonrpc: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    params: Option<Value>,
    // A null result differs from a missing one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

#[derive(Serialize, Deserialize)]
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
        let mut raw = Raw {
            jsonrpc: Version::Two,
            id: None,
            seq: self.seq,
            method: None,
            params: None,
            result: None,
            error: None,
        };
        match self.body {
            Body::Request { id, method, params } => {
                (raw.id, raw.method, raw.params) = (Some(id), Some(method), Some(params));
            }
            Body::Notice { method, params } => (raw.method, raw.params) = (Some(method), Some(params)),
            Body::Result { id, result } => (raw.id, raw.result) = (Some(id), Some(result)),
            Body::Error { id, error } => (raw.id, raw.error) = (Some(id), Some(error)),
        }
        serde_json::to_string(&raw).expect("a frame has only text keys and finite numbers")
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
