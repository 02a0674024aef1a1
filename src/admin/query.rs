//! Queries and bodies of admin requests.

use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::StatusCode;
use percent_encoding::percent_decode_str;

use crate::admin::reply::Wrong;

/// Longest body.
const BODY_BYTES: usize = 64 * 1024;
/// Time limit of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Parameters of a query, decoded.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the part of a URI after `?`.
    pub fn of(query: Option<&str>) -> Self {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Self(pairs.map(pair).collect())
    }

    /// Returns a parameter that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    /// Returns a number.
    ///
    /// # Errors
    /// The response to a parameter that is none.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Wrong> {
        let read = |text: &str| {
            let wrong = |_| Wrong::request(format!("`{name}` must be a number\n"));
            text.parse().map_err(wrong)
        };
        self.text(name).map(read).transpose()
    }

    /// Refuses parameters other than `known`.
    ///
    /// # Errors
    /// The response that names them.
    pub fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        match self.0.iter().find(|(name, _)| !known.contains(&&**name)) {
            None => Ok(()),
            Some(_) => Err(Wrong::request(format!(
                "unknown parameter; known: {}\n",
                known.join(", ")
            ))),
        }
    }
}

/// Reads a body of text.
///
/// # Errors
/// The response to a body that is too long, too slow or no UTF-8.
pub async fn body(body: hyper::body::Incoming) -> Result<String, Wrong> {
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES).collect()).await;
    let Ok(read) = read else {
        return Err(Wrong(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time\n".into(),
        ));
    };
    let Ok(read) = read else {
        return Err(Wrong(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is incomplete, or longer than {BODY_BYTES} bytes\n"),
        ));
    };
    String::from_utf8(read.to_bytes().into()).map_err(|_| Wrong::request("the body must be UTF-8\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::of(Some("app=a%20b&account=%C3%A9+x&limit=10&empty=&flag"));
        assert_eq!(query.text("app"), Some("a b"));
        assert_eq!(query.text("account"), Some("é x"));
        assert_eq!(query.number("limit").ok(), Some(Some(10)));
        assert_eq!(query.number("none").ok(), Some(None));
        assert_eq!((query.text("empty"), query.text("flag")), (None, None));
        assert!(query.number("app").is_err());
        assert!(query.only(&["app", "account", "limit", "empty", "flag"]).is_ok());
        assert!(query.only(&["app"]).is_err());
        assert!(Query::of(None).only(&[]).is_ok());
    }
}
