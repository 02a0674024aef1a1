//! Responses of the admin address.

use std::convert::Infallible;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// Body of a response.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
/// Response of a handler.
pub type Reply = Response<Body>;

/// Pages load nothing from elsewhere and are in no frame.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Creates a response with a whole body.
pub fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    stream(status, kind, Full::new(body.into()).boxed_unsync())
}

/// Creates a response whose body follows.
pub fn stream(status: StatusCode, kind: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    reply
}

/// Creates a response with a line of text.
pub fn text(status: StatusCode, text: impl Into<String>) -> Reply {
    reply(status, "text/plain; charset=utf-8", text.into())
}

/// Creates a response with JSON on one line.
pub fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    encoded(status, serde_json::to_string(value))
}

/// Creates a response with indented JSON.
pub fn pretty_json(status: StatusCode, value: &impl Serialize) -> Reply {
    encoded(status, serde_json::to_string_pretty(value))
}

fn encoded(status: StatusCode, json: serde_json::Result<String>) -> Reply {
    match json {
        Ok(json) => reply(status, "application/json", json + "\n"),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// Refusal of a request, as status and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(pub StatusCode, pub String);

impl Wrong {
    /// Creates a refusal of a parameter or a body.
    pub fn request(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }
}

impl From<Wrong> for Reply {
    fn from(wrong: Wrong) -> Self {
        text(wrong.0, wrong.1)
    }
}
