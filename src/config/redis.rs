//! `[redis]`: the Redis that sidecars share.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::Files;
use crate::config::declare::{Kind, Reader, Section, quoted, section};
use crate::config::kinds::{Bool, Int, Maybe, SecretFile, StringList, Time};
use crate::config::sections::{MS, SECOND, secret_of};
use crate::config::values::{file_text, secret_file, value};
use rtm::schema;
use rtm::value::{Text, Value};
use tables::diagnostics::Diag;
use tables::spanned_toml::Table;

/// The environment's name of the password.
const PASSWORD: &str = "SIGBRIDGE_REDIS_PASSWORD";

/// The address without `url`.
const DEFAULT: &str = "redis://127.0.0.1:6379";

section! {
    /// The Redis of apps whose upstream is "redis": version 7.0 or later, or Valkey, with `maxmemory-policy noeviction`.
    pub struct Redis("redis") derives() {
        /// redis://host:port/number, rediss:// for TLS, or redis+unix:///path. Where it is set, sessions of apps behind an
        /// agent are kept there, too: a client continues at any sidecar. Default: redis://127.0.0.1:6379, for RTM only.
        url: Option<RedisUrl> = None, example "\"redis://127.0.0.1:6379\"" => Maybe(UrlKind), Restart;
        /// Redis Cluster; url is any of its members.
        cluster: bool = false => Bool, Restart;
        /// File with trusted CA certificates (PEM). Default: public CAs.
        ca as "ca_file": Option<String> = None, example "\"redis-ca.pem\""
            => Maybe(SecretFile { read: ca, content: String::clone }), Restart;
        /// User of the access control list. Default: the default user.
        user: Option<Text> = None, example "\"sigbridge\"" => Maybe(StringList), Restart;
        /// File with the password. Default: the environment variable SIGBRIDGE_REDIS_PASSWORD.
        password as "password_file": Option<SecretString> = None, example "\"redis.password\""
            => secret_of(secret_file), Restart;
        /// Longest wait of a call while Redis does not answer.
        call_wait: Duration = 4 * SECOND => Time(Duration::ZERO..=60 * SECOND), Restart;
        /// Interval of a sidecar's heartbeats. After five missed ones, and two more, its users are offline.
        heartbeat: Duration = SECOND => Time(100 * MS..=5 * SECOND), Restart;
        /// Entries of one app that may wait for a sidecar; further messages to it are refused.
        stream: u32 = 100_000 => Int::new(1000..=10_000_000), Restart;
        /// Factor for RTM's documented call rates.
        rate_scale: u32 = 1 => Int::new(1..=1_000_000), Restart;
        /// Store messages to offline users: 200 for each user, for 7 days.
        offline_messages: bool = true => Bool, Restart;
    }
}

impl Redis {
    /// Returns the address, or the default one.
    pub fn address(&self) -> &str {
        self.url.as_deref().unwrap_or(DEFAULT)
    }
}

pub(super) fn redis(reader: &mut Reader<'_, '_>, files: &dyn Files) -> Redis {
    let mut redis = Redis::read(reader);
    redis.password = redis.password.or_else(|| files.env(PASSWORD).map(Into::into));
    redis
}

fn ca(table: &mut Table<'_>, files: &dyn Files, key: &str) -> Option<String> {
    let path = table.take_str(key)?;
    let text = file_text(table, files, &path)?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        let title = format!("`redis.ca_file`: `{}` has no certificate (PEM)", path.value);
        table.report(Diag::new(&path.span, title));
    }
    Some(text)
}

/// Address of a Redis, which may contain a password. It is shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(Text);

impl RedisUrl {
    fn masked(&self) -> String {
        match self.0.rsplit_once('@') {
            None => self.0.to_string(),
            Some((before, host)) => {
                let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
                format!("{scheme}://***@{host}")
            }
        }
    }
}

impl Deref for RedisUrl {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RedisUrl {
    fn from(url: &str) -> Self {
        Self(url.into())
    }
}

impl From<String> for RedisUrl {
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.masked())
    }
}

struct UrlKind;

impl Kind for UrlKind {
    type Value = RedisUrl;

    fn read(&self, table: &mut Table<'_>, key: &str, _: &dyn Files) -> Option<RedisUrl> {
        value(table.take_parsed(key, url))
    }

    fn show(&self, value: &RedisUrl) -> Option<String> {
        Some(quoted(&value.masked()))
    }

    fn content(&self, value: &RedisUrl) -> String {
        value.to_string()
    }

    fn schema(&self) -> Value {
        schema::text()
    }
}

fn url(text: &str) -> Result<RedisUrl, &'static str> {
    let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Ok(text.into()),
        _ => Err(
            "expected an address such as \"redis://127.0.0.1:6379\", \"rediss://\" for TLS, or \"redis+unix:///path\"",
        ),
    }
}
