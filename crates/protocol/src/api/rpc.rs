//! JSON-RPC 2.0: requests, responses, notifications, as text. <https://www.jsonrpc.org/specification>

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use rtm::json;
use rtm::value::{Text, Value};

/// Maximum number of requests in a batch.
pub const MAX_BATCH: usize = 32;
/// Longest id of a request, bytes of JSON: it is stored until the response.
const MAX_ID_BYTES: usize = 256;
const VERSION: &str = "2.0";

/// A request, or a notification if it has no id.
#[derive(Debug)]
pub struct Request {
    /// The id, returned unchanged.
    pub id: Option<Box<RawValue>>,
    pub method: Text,
    /// A list, an object, or null.
    pub params: Value,
}

/// An invalid request; the codes are JSON-RPC's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error code, at most -32000.
    pub code: i64,
    /// The description.
    pub message: Cow<'static, str>,
}

impl Fault {
    const PARSE: Self = Self::of(-32_700, "not JSON");
    const EMPTY: Self = Self::invalid("a batch must not be empty");
    const BATCH: Self = Self::invalid("a batch has at most 32 requests");

    const fn of(code: i64, message: &'static str) -> Self {
        Self {
            code,
            message: Cow::Borrowed(message),
        }
    }

    const fn invalid(message: &'static str) -> Self {
        Self::of(-32_600, message)
    }

    /// The method is unknown.
    pub fn method(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: -32_601,
            message: message.into(),
        }
    }

    /// The params do not fit the method.
    pub fn params(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: -32_602,
            message: message.into(),
        }
    }

    /// Too many requests are pending.
    pub const BUSY: Self = Self::of(-32_000, "too many requests are pending");
}

/// An invalid request.
#[derive(Debug)]
pub struct Refused {
    /// The request's id; `None` for a notification, which gets no response. Input that is not a
    /// request gets `null`.
    pub id: Option<Box<RawValue>>,
    /// The error.
    pub fault: Fault,
}

/// A parsed text.
#[derive(Debug)]
pub enum Parsed {
    /// A single request.
    One(Result<Request, Refused>),
    /// A batch; the responses are sent together.
    Batch(Vec<Result<Request, Refused>>),
}

/// Parses a text.
pub fn parse(text: &str) -> Parsed {
    let text = json::paired(text);
    let Ok(whole) = serde_json::from_str::<&RawValue>(&text) else {
        return Parsed::One(Err(without_id(Fault::PARSE)));
    };
    if !whole.get().starts_with('[') {
        return Parsed::One(request(whole));
    }
    match serde_json::from_str::<Vec<&RawValue>>(whole.get()) {
        Ok(items) if items.is_empty() => Parsed::One(Err(without_id(Fault::EMPTY))),
        Ok(items) if items.len() <= MAX_BATCH => Parsed::Batch(items.into_iter().map(request).collect()),
        _ => Parsed::One(Err(without_id(Fault::BATCH))),
    }
}

/// Returns `null`: the id in responses to unreadable requests.
fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

fn without_id(fault: Fault) -> Refused {
    Refused {
        id: Some(null()),
        fault,
    }
}

fn request(raw: &RawValue) -> Result<Request, Refused> {
    let invalid = |why| without_id(Fault::invalid(why));
    let members: HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| invalid("a request is an object"))?;
    let text = |name: &str| {
        let raw = members.get(name)?;
        serde_json::from_str::<String>(raw.get()).ok()
    };
    if text("jsonrpc").as_deref() != Some(VERSION) {
        return Err(invalid(r#"a request has "jsonrpc":"2.0""#));
    }
    let id = members.get("id").copied();
    if let Some(id) = id {
        let first = id.get().as_bytes().first().copied().unwrap_or_default();
        if matches!(first, b'{' | b'[' | b't' | b'f') || id.get().len() > MAX_ID_BYTES {
            return Err(invalid("an id is a short text or number"));
        }
    }
    let Some(method) = text("method") else {
        return Err(invalid("a request has a method"));
    };
    let id = id.map(ToOwned::to_owned);
    let params = match members.get("params").map(|raw| Value::from_json(raw.get())) {
        None | Some(Ok(Value::Null)) => Ok(Value::Null),
        Some(Ok(params @ (Value::List(_) | Value::Map(_)))) => Ok(params),
        Some(Ok(_)) => Err(Fault::invalid("params are a list or an object")),
        Some(Err(_)) => Err(Fault::params("params are nested too deeply")),
    };
    match params {
        Ok(params) => Ok(Request {
            id,
            method: method.into(),
            params,
        }),
        Err(fault) => Err(Refused { id, fault }),
    }
}

/// Returns the text of a response.
pub fn response(id: &RawValue, answer: &Result<Value, Failure>) -> String {
    let response = Response {
        jsonrpc: VERSION,
        result: answer.as_ref().ok(),
        error: answer.as_ref().err(),
        id,
    };
    serde_json::to_string(&response).expect("a response has only text keys")
}

/// Returns the text of a notification.
pub fn notification(method: &str, params: Vec<(Text, Value)>) -> String {
    let entries = vec![
        ("jsonrpc".into(), VERSION.into()),
        ("method".into(), method.into()),
        ("params".into(), Value::Map(params)),
    ];
    Value::Map(entries).to_json()
}

/// The error of a response.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Signaling's number, or JSON-RPC's.
    pub code: i64,
    pub message: Text,
    /// Additional members.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            code: fault.code,
            message: fault.message.into(),
            data: Value::Null,
        }
    }
}

#[derive(Serialize)]
struct Response<'r> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'r Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r Failure>,
    id: &'r RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(request: Result<Request, Refused>) -> String {
        let id = |id: Option<Box<RawValue>>| id.map_or("-".into(), |id| id.get().to_owned());
        match request {
            Ok(request) => format!("{} {} {}", id(request.id), request.method, request.params),
            Err(refused) => format!("{} {}", id(refused.id), refused.fault.code),
        }
    }

    fn check(text: &str, expected: &[&str]) {
        let found = match parse(text) {
            Parsed::One(one) => vec![shown(one)],
            Parsed::Batch(all) => all.into_iter().map(shown).collect(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn valid_and_invalid_requests() {
        check(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, &["1 m null"]);
        check(
            r#"{"jsonrpc":"2.0","method":"m","params":[1,"a"]}"#,
            &[r#"- m [1,"a"]"#],
        );
        check(
            r#" {"id":"x","params":{"a":1},"method":"m","jsonrpc":"2.0","more":0} "#,
            &[r#""x" m {"a":1}"#],
        );
        check(
            r#"{"jsonrpc":"2.0","id":null,"method":"m","params":null}"#,
            &["null m null"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":18446744073709551615.5e2,"method":"m"}"#,
            &["18446744073709551615.5e2 m null"],
        );
        check(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":7}"#, &["1 -32600"]);
        for text in ["", "x", "{", r#"{"jsonrpc":"2.0"} x"#, "\u{0}"] {
            check(text, &["null -32700"]);
        }
        for text in [
            "1",
            "null",
            "[]",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
            r#"{"jsonrpc":2.0,"id":1,"method":"m"}"#,
            r#"{"id":1,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#,
        ] {
            check(text, &["null -32600"]);
        }
        check(
            r#"[1,{"jsonrpc":"2.0","id":1,"method":"m"}]"#,
            &["null -32600", "1 m null"],
        );
        check(&format!("[{}1]", "1,".repeat(31)), &["null -32600"; 32]);
        check(&format!("[{}1]", "1,".repeat(32)), &["null -32600"]);
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":[{}{}]}}"#,
            "[".repeat(500),
            "]".repeat(500)
        );
        check(&deep, &["1 -32602"]);
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#, "x".repeat(300));
        check(&long, &["null -32600"]);
    }

    #[test]
    fn a_response_has_a_result_or_an_error_and_the_same_id() {
        let id = RawValue::from_string("1e3".into()).unwrap();
        assert_eq!(
            response(&id, &Ok(Value::Null)),
            r#"{"jsonrpc":"2.0","result":null,"id":1e3}"#
        );
        let failure = Failure::from(Fault::method("no"));
        assert_eq!(
            response(&id, &Err(failure)),
            r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"no"},"id":1e3}"#
        );
        let params = vec![("b".into(), 1.into()), ("a".into(), "x".into())];
        assert_eq!(
            notification("m", params),
            r#"{"jsonrpc":"2.0","method":"m","params":{"b":1,"a":"x"}}"#
        );
    }
}
