//! Requests in the documented form.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use rtm::AppId;
use rtm::{ChannelId, UserId};

/// Longest payload in bytes; an empty one is rejected too.
pub const MAX_PAYLOAD: usize = 32 * 1024;

/// All but the unreserved characters of a URL (RFC 3986).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Channel message on behalf of a user.
#[derive(Clone, Debug)]
pub struct ChannelMessage {
    pub user: UserId,
    pub channel: ChannelId,
    pub payload: rtm::value::Text,
}

impl ChannelMessage {
    /// Returns true if the API accepts the payload.
    pub fn is_sendable(&self) -> bool {
        (1..=MAX_PAYLOAD).contains(&self.payload.len())
    }

    /// Returns the path after the API's base URL, and the body; `None` for names that no path can carry.
    pub fn parts(&self, app: &AppId) -> Option<(String, String)> {
        let (app, user) = (segment(app.as_str())?, segment(self.user.as_str())?);
        let path = format!("/{app}/rtm/users/{user}/channel_messages");
        let body = json!({
            "channel_name": self.channel.as_str(),
            "enable_historical_messaging": false,
            "payload": &*self.payload,
        });
        Some((path, body.to_string()))
    }
}

/// Encodes one path segment. Servers resolve dot segments in any encoding, and cut spaces at an end, so these are
/// rejected.
fn segment(text: &str) -> Option<String> {
    let has_form = text != "." && text != ".." && text.trim() == text;
    has_form.then(|| utf8_percent_encode(text, SEGMENT).to_string())
}

/// Builds `Basic` credentials, hidden from Debug output.
pub fn authorization(key: &SecretString, secret: &SecretString) -> Result<HeaderValue, hyper::http::Error> {
    let pair = format!("{}:{}", key.expose_secret(), secret.expose_secret());
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair)))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Builds a request to the API at `base`.
pub fn post(
    base: &Uri,
    path: &str,
    authorization: &HeaderValue,
    body: String,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let base = base.to_string();
    Request::post(format!("{}{path}", base.trim_end_matches('/')))
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json;charset=utf-8")
        .body(Full::new(Bytes::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(app: &str, user: &str, expected: Option<&str>) {
        let message = ChannelMessage {
            user: UserId::new(user).unwrap(),
            channel: ChannelId::new("a room").unwrap(),
            payload: "\"hi\"".into(),
        };
        let parts = message.parts(&AppId::new(app).unwrap());
        assert_eq!(parts.as_ref().map(|(path, _)| &**path), expected, "{app} {user}");
        if let Some((_, body)) = parts {
            let expected = r#"{"channel_name":"a room","enable_historical_messaging":false,"payload":"\"hi\""}"#;
            assert_eq!(body, expected);
        }
    }

    #[test]
    fn names_are_one_step_of_the_path() {
        check("app", "alice", Some("/app/rtm/users/alice/channel_messages"));
        check("app", "a b?%#", Some("/app/rtm/users/a%20b%3F%25%23/channel_messages"));
        check("a/b", "x-._~", Some("/a%2Fb/rtm/users/x-._~/channel_messages"));
        check("app", ".", None);
        check("app", "..", None);
        check("..", "alice", None);
        check("app", "...", Some("/app/rtm/users/.../channel_messages"));
        check("app", "a ", None);
    }

    #[test]
    fn payloads_have_a_size() {
        let message = |bytes: usize| ChannelMessage {
            user: UserId::new("a").unwrap(),
            channel: ChannelId::new("b").unwrap(),
            payload: "x".repeat(bytes).into(),
        };
        for (bytes, expected) in [(0, false), (1, true), (MAX_PAYLOAD, true), (MAX_PAYLOAD + 1, false)] {
            assert_eq!(message(bytes).is_sendable(), expected, "{bytes}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let value = authorization(&"key".into(), &"secret".into()).unwrap();
        assert_eq!(value, "Basic a2V5OnNlY3JldA==");
        let base = Uri::from_static("https://example.com/x/");
        let request = post(&base, "/app", &value, String::new()).unwrap();
        assert_eq!(request.uri(), "https://example.com/x/app");
        assert!(!format!("{request:?}").contains("a2V5"));
    }
}
