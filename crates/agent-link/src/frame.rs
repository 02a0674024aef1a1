//! JSON-RPC objects as they travel on a link (docs/agent-link.md, "Frames").

use serde::{Deserialize, Serialize};

use rtm::json;
use rtm::value::{Text, Value};

/// The one code of errors that RTM itself has answered; `data` says which.
pub const RTM_ERROR: i64 = -32000;
/// The other side speaks another version of the protocol.
pub const BAD_PROTOCOL: i64 = -32001;
/// Another agent is being served.
pub const BUSY: i64 = -32002;
/// A session that is not there.
pub const NO_SESSION: i64 = -32003;
/// A method that is not there.
pub const NO_METHOD: i64 = -32601;
/// Wrong parameters.
pub const BAD_PARAMS: i64 = -32602;

/// An object with its place in the order of its direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its number; absent where the link itself speaks.
    pub seq: Option<u64>,
    /// What it says.
    pub body: Body,
}

/// What an object says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `method` with an `id`.
    Request {
        /// The driver's number.
        id: u64,
        /// The name of a call.
        method: Text,
        /// Its parameters, an object.
        params: Value,
    },
    /// `method` without an `id`.
    Notice {
        /// The name of an event.
        method: Text,
        /// Its fields, an object.
        params: Value,
    },
    /// `result`.
    Result {
        /// The request's number.
        id: u64,
        /// What it resolved to.
        result: Value,
    },
    /// `error`.
    Error {
        /// The request's number.
        id: u64,
        /// Why.
        error: ErrorBody,
    },
}

/// A request's failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// [`RTM_ERROR`], or a code of JSON-RPC or of the link.
    pub code: i64,
    /// For people.
    pub message: Text,
    /// `{operation, errorCode, name}` of an RTM error.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl ErrorBody {
    /// A failure that RTM has no part in.
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
    // A result may be null, which is not the same as none.
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

/// Why a text is no frame.
#[derive(Debug, thiserror::Error)]
pub enum BadFrame {
    /// Not the JSON of an object with these members.
    #[error("no JSON-RPC 2.0 object: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither a call nor an answer.
    #[error("needs a method, or an id with a result or an error")]
    Shape,
}

impl Frame {
    /// Reads a text message.
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

    /// Writes a text message.
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

    /// An object of the link's own: without a number.
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
        check_bad(r#"{"jsonrpc":"2.0","id":1}"#, "needs a method");
        check_bad(r#"{"jsonrpc":"2.0","result":1}"#, "needs a method");
        check_bad(r#"{"jsonrpc":"2.0","id":1,"method":"x","result":1}"#, "needs a method");
    }
}
