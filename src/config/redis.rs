//! `[redis]`: the Redis that sidecars share.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::Files;
use crate::config::values::{duration, file_text, number, secret_file, value};
use rtm::value::Text;
use tables::diagnostics::Diag;
use tables::spanned_toml::Table;

/// The environment's name of the password.
const PASSWORD: &str = "SIGBRIDGE_REDIS_PASSWORD";

/// `[redis]`: the Redis that sidecars share. Used by apps whose upstream is `"redis"`.
#[derive(Clone)]
pub struct Redis {
    /// `url`: `redis://host:port/number`, `rediss://` for TLS, or `redis+unix:///path`. Default `"redis://127.0.0.1:6379"`.
    pub url: Text,
    /// Whether `url` is set: then sessions of agents are kept there, too.
    pub is_set: bool,
    /// `cluster`: whether it is a Redis Cluster, of which `url` is any member. Default `false`.
    pub cluster: bool,
    /// `ca_file`: certificates (PEM) to trust instead of those of public CAs. Default: none.
    pub ca: Option<String>,
    /// `user`: the name in its access control list. Default: that of `url`, or its default user.
    pub user: Option<Text>,
    /// `password_file`: path of a file with the password; else the environment variable `SIGBRIDGE_REDIS_PASSWORD`.
    pub password: Option<SecretString>,
    /// `call_wait`: how long calls wait while it does not answer. Default `"4s"`.
    pub call_wait: Duration,
    /// `heartbeat`: the time between signs of life of a sidecar; without five of them its users go offline. Default `"1s"`.
    pub heartbeat: Duration,
    /// `stream`: entries that may wait for a sidecar, of one app; messages to it are refused then. Default `100000`.
    pub stream: u32,
    /// `rate_scale`: RTM's documented call rates are multiplied by it. Default `1`.
    pub rate_scale: u32,
    /// `offline_messages`: whether messages to offline users are kept for them, 200 for 7 days. Default `true`.
    pub offline_messages: bool,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".into(),
            is_set: false,
            cluster: false,
            ca: None,
            user: None,
            password: None,
            call_wait: Duration::from_secs(4),
            heartbeat: Duration::from_secs(1),
            stream: 100_000,
            rate_scale: 1,
            offline_messages: true,
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may hold a password.
        let url = self.url.rsplit_once('@').map_or(&*self.url, |(_, host)| host);
        f.debug_struct("Redis")
            .field("url", &url)
            .field("cluster", &self.cluster)
            .field("ca", &self.ca)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("call_wait", &self.call_wait)
            .field("heartbeat", &self.heartbeat)
            .field("stream", &self.stream)
            .field("rate_scale", &self.rate_scale)
            .field("offline_messages", &self.offline_messages)
            .finish()
    }
}

pub(super) fn redis(table: &mut Table<'_>, files: &dyn Files) -> Redis {
    let default = Redis::default();
    let (ms, second) = (Duration::from_millis(1), Duration::from_secs(1));
    let ca = table.take_str("ca_file").and_then(|path| {
        let text = file_text(table, files, &path)?;
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            let title = format!("`redis.ca_file`: `{}` has no certificate (PEM)", path.value);
            table.report(Diag::new(&path.span, title));
        }
        Some(text)
    });
    let given: Option<Text> = value(table.take_parsed("url", url));
    Redis {
        is_set: given.is_some(),
        url: given.unwrap_or(default.url),
        cluster: value(table.take_bool("cluster")).unwrap_or(default.cluster),
        ca,
        user: value(table.take_str("user")),
        password: secret_file(table, files, "password_file").or_else(|| files.env(PASSWORD).map(Into::into)),
        call_wait: duration(table, "call_wait", Duration::ZERO..=60 * second).unwrap_or(default.call_wait),
        heartbeat: duration(table, "heartbeat", 100 * ms..=5 * second).unwrap_or(default.heartbeat),
        stream: number(table, "stream", 1000..=10_000_000).unwrap_or(default.stream),
        rate_scale: number(table, "rate_scale", 1..=1_000_000).unwrap_or(default.rate_scale),
        offline_messages: value(table.take_bool("offline_messages")).unwrap_or(default.offline_messages),
    }
}

fn url(text: &str) -> Result<Text, &'static str> {
    let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Ok(text.into()),
        _ => Err(
            "expected an address such as \"redis://127.0.0.1:6379\", \"rediss://\" for TLS, or \"redis+unix:///path\"",
        ),
    }
}
