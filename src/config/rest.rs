//! `[upstream.rest]`.

use std::time::Duration;

use hyper::Uri;
use secrecy::SecretString;

use crate::config::Files;
use crate::config::values::{duration, https, number, secret_file, value};
use tables::diagnostics::Diag;
use tables::spanned_toml::Table;

/// Vendor's API URL (upstreams 2).
const URL: &str = "https://api.agora.io/dev/v2/project";
/// Environment variables of the key and the secret.
const KEY: &str = "SIGBRIDGE_REST_KEY";
const SECRET: &str = "SIGBRIDGE_REST_SECRET";

/// `[upstream.rest]`: RTM's RESTful API. Disabled without the section, or without a key and a secret.
#[derive(Clone, Debug)]
pub struct Rest {
    /// `url`: base URL without the App ID; `https`, or `http` on this machine. Default
    /// `"https://api.agora.io/dev/v2/project"`.
    pub url: Uri,
    /// `key_file`: path of a file with the customer key; else the environment variable `SIGBRIDGE_REST_KEY`.
    pub key: SecretString,
    /// `secret_file`: path of a file with the customer secret; else `SIGBRIDGE_REST_SECRET`.
    pub secret: SecretString,
    /// `timeout`: request timeout. Default `"10s"`.
    pub timeout: Duration,
    /// `rate`: requests per second and App ID; RTM documents 500 for peer and channel messages together. Default
    /// `500`.
    pub rate: u32,
    /// `in_flight`: maximum of concurrent requests. Default `64`.
    pub in_flight: usize,
}

impl Rest {
    pub fn new(key: SecretString, secret: SecretString) -> Self {
        Self {
            url: Uri::from_static(URL),
            key,
            secret,
            timeout: Duration::from_secs(10),
            rate: 500,
            in_flight: 64,
        }
    }
}

/// Returns `None` without a key and a secret; one without the other is an error.
pub(super) fn rest(table: &mut Table<'_>, files: &dyn Files) -> Option<Rest> {
    let place = table.span().clone();
    let key = secret_file(table, files, "key_file").or_else(|| files.env(KEY).map(Into::into));
    let secret = secret_file(table, files, "secret_file").or_else(|| files.env(SECRET).map(Into::into));
    if key.is_some() != secret.is_some() {
        let half = Diag::new(
            &place,
            "`upstream.rest`: a customer key and a customer secret must both be set",
        );
        table.report(half.help(format!(
            "set `key_file` and `secret_file`, or the environment variables {KEY} and {SECRET}"
        )));
    }
    let default = Rest::new(key.unwrap_or_default(), secret.unwrap_or_default());
    let second = Duration::from_secs(1);
    let is_used = !is_empty(&default.key) && !is_empty(&default.secret);
    let rest = Rest {
        url: value(table.take_parsed("url", https)).unwrap_or(default.url),
        timeout: duration(table, "timeout", second / 10..=60 * second).unwrap_or(default.timeout),
        rate: number(table, "rate", 1..=100_000).unwrap_or(default.rate),
        in_flight: number(table, "in_flight", 1..=10_000).map_or(default.in_flight, |n| n as usize),
        key: default.key,
        secret: default.secret,
    };
    is_used.then_some(rest)
}

fn is_empty(secret: &SecretString) -> bool {
    use secrecy::ExposeSecret;
    secret.expose_secret().is_empty()
}
