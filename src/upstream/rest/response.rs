//! Interpretation of responses. The status decides failures, since their bodies are undocumented. The codes of
//! successes have changed over the years (upstreams 2), so any is accepted.

use hyper::StatusCode;

use rtm::ChannelMessageErr;
use rtm::value::Value;

/// Outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// Over the rate or no capacity; not sent, may be retried.
    TooOften,
    /// Unknown whether it was sent.
    Timeout,
    /// RTM rejects this message.
    Invalid,
    /// Invalid key or secret, or RTM is not enabled for the project.
    Unauthorized,
    /// Any other failure.
    Failed,
}

impl Outcome {
    /// Interprets status and body.
    pub fn of(status: StatusCode, body: &[u8]) -> Self {
        match status.as_u16() {
            200..=299 if is_success(body) => Self::Sent,
            401 | 403 => Self::Unauthorized,
            408 => Self::Timeout,
            413 | 435 => Self::Invalid,
            429 => Self::TooOften,
            _ => Self::Failed,
        }
    }

    /// Converts to the SDK's result.
    pub fn result(self) -> Result<(), ChannelMessageErr> {
        match self {
            Self::Sent => Ok(()),
            Self::TooOften => Err(ChannelMessageErr::TooOften),
            Self::Timeout => Err(ChannelMessageErr::Timeout),
            Self::Invalid => Err(ChannelMessageErr::InvalidMessage),
            Self::Unauthorized | Self::Failed => Err(ChannelMessageErr::Failure),
        }
    }

    /// Returns the metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::TooOften => "too often",
            Self::Timeout => "timeout",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::Failed => "failed",
        }
    }
}

/// Accepts an object whose `result` is missing or `success`; the API sends only objects.
fn is_success(body: &[u8]) -> bool {
    let body = std::str::from_utf8(body)
        .ok()
        .and_then(|body| Value::from_json(body).ok());
    body.filter(|body| body.as_map().is_some())
        .is_some_and(|body| body.get("result").is_none_or(|result| *result == "success".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: Outcome) {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(Outcome::of(status, body.as_bytes()), expected, "{status} {body}");
    }

    #[test]
    fn answers_of_all_years_are_understood() {
        let sent = Outcome::Sent;
        check(
            200,
            r#"{"result":"success","request_id":"1","code":"message_sent"}"#,
            sent,
        );
        check(
            200,
            r#"{"result":"success","request_id":"1","code":"message sent"}"#,
            sent,
        );
        check(200, r#"{"result":"success","request_id":"1"}"#, sent);
        check(200, r#"{"request_id":"1","code":"message_sent"}"#, sent);
        check(200, r#"{"result":"failed","request_id":"1"}"#, Outcome::Failed);
        check(200, "", Outcome::Failed);
        check(200, "<html>", Outcome::Failed);
        check(302, "", Outcome::Failed);
        check(400, r#"{"result":"success"}"#, Outcome::Failed);
        check(401, "", Outcome::Unauthorized);
        check(403, "", Outcome::Unauthorized);
        check(408, "", Outcome::Timeout);
        check(429, "", Outcome::TooOften);
        check(435, "", Outcome::Invalid);
        check(500, "", Outcome::Failed);
    }
}
