//! `[upstream.rest]`.

use std::time::Duration;

use hyper::Uri;
use secrecy::SecretString;

use crate::config::Files;
use crate::config::declare::{Reader, Section, section};
use crate::config::kinds::{Int, Parsed, Time};
use crate::config::sections::{MS, SECOND, secret_of};
use crate::config::values::{https, secret_file};
use tables::diagnostics::Diag;

/// Vendor's API URL (upstreams 2).
const URL: &str = "https://api.agora.io/dev/v2/project";
/// Environment variables of the key and the secret.
const KEY: &str = "SIGBRIDGE_REST_KEY";
const SECRET: &str = "SIGBRIDGE_REST_SECRET";

section! {
    /// RTM's RESTful API, which can send to a channel from outside. Enabled by this section, a key and a secret.
    pub struct RestKeys("upstream.rest") derives() {
        /// File with the customer key of the vendor's console. Default: the environment variable SIGBRIDGE_REST_KEY.
        key as "key_file": Option<SecretString> = None, example "\"rest.key\"" => secret_of(secret_file), Restart;
        /// File with the customer secret. Default: the environment variable SIGBRIDGE_REST_SECRET.
        secret as "secret_file": Option<SecretString> = None, example "\"rest.secret\""
            => secret_of(secret_file), Restart;
        /// Address without the App ID: https, or http on this machine.
        url: Uri = Uri::from_static(URL) => Parsed(https), Restart;
        /// Time limit of a request.
        timeout: Duration = 10 * SECOND => Time(100 * MS..=60 * SECOND), Restart;
        /// Requests per second of one App ID; RTM documents 500.
        rate: u32 = 500 => Int::new(1..=100_000), Restart;
        /// Concurrent requests. Further ones are refused as too often, and tried again after a second.
        in_flight: usize = 64 => Int::new(1..=10_000), Restart;
    }
}

/// `[upstream.rest]` with a key and a secret.
#[derive(Clone, Debug)]
pub struct Rest {
    /// Base URL without the App ID.
    pub url: Uri,
    /// Customer key.
    pub key: SecretString,
    /// Customer secret.
    pub secret: SecretString,
    /// Request timeout.
    pub timeout: Duration,
    /// Requests per second and App ID.
    pub rate: u32,
    /// Maximum of concurrent requests.
    pub in_flight: usize,
}

impl Rest {
    pub fn new(key: SecretString, secret: SecretString) -> Self {
        let keys = RestKeys::default();
        Self {
            url: keys.url,
            key,
            secret,
            timeout: keys.timeout,
            rate: keys.rate,
            in_flight: keys.in_flight,
        }
    }
}

impl From<&Rest> for RestKeys {
    fn from(rest: &Rest) -> Self {
        Self {
            key: Some(rest.key.clone()),
            secret: Some(rest.secret.clone()),
            url: rest.url.clone(),
            timeout: rest.timeout,
            rate: rest.rate,
            in_flight: rest.in_flight,
        }
    }
}

/// Returns `None` without a key and a secret; one without the other is an error.
pub(super) fn rest(reader: &mut Reader<'_, '_>, files: &dyn Files) -> Option<Rest> {
    let keys = RestKeys::read(reader);
    let key = keys.key.or_else(|| files.env(KEY).map(Into::into));
    let secret = keys.secret.or_else(|| files.env(SECRET).map(Into::into));
    if key.is_some() != secret.is_some() {
        let half = Diag::new(
            reader.section_place(),
            "`upstream.rest`: a customer key and a customer secret must both be set",
        );
        reader.report(half.help(format!(
            "set `key_file` and `secret_file`, or the environment variables {KEY} and {SECRET}"
        )));
    }
    Some(Rest {
        url: keys.url,
        key: key?,
        secret: secret?,
        timeout: keys.timeout,
        rate: keys.rate,
        in_flight: keys.in_flight,
    })
}
