//! Configuration with units and defaults.
//!
//! Every key is optional; `config.example.toml` shows all keys with their defaults. [`Config::load`] reports every
//! error of the file with its place.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use identity::TokenPolicy;
use rtm::AppId;
use rtm::value::Text;

mod declare;
#[cfg(test)]
mod declare_tests;
mod document;
mod entries;
mod files;
mod kinds;
mod log;
mod otel;
#[cfg(test)]
mod outbound_tests;
mod read;
mod redis;
mod rest;
mod restart;
mod sections;
mod size;
mod sunset;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;
mod values;
mod webhook;

pub use declare::{Change, KeySpec, SectionSpec, Shown};
pub use document::{example, json_schema, reference};
pub use entries::{Changed, Entry, KeyPositions};
pub use files::{DiskFiles, Files};
pub use log::{Accounts, Log};
pub use otel::Otel;
pub use redis::Redis;
pub use rest::Rest;
pub use sections::{Admin, Discovery, Drain, Invite, Limits, Listen, Mailbox, Policy, RecordConfig, Session};
pub use sunset::{Sunset, unreachable_profiles};
pub use tls::{BadIdentity, Identity, Tls};
pub use upstream::{Agent, App, Embedded, OwnLimits, RtmToken, Upstream, UpstreamKind};
pub use values::{CERTIFICATE_ENV, CERTIFICATE_HINT, SECRET_HINT, reachable};
pub use webhook::Webhook;

/// Configuration; [`Default`] is an empty file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `[listen]`
    pub listen: Listen,
    /// `[tls]`: `certificate` and `key` (PEM files, both or none). Default: plain text only.
    pub tls: Option<Tls>,
    /// `[discovery]`
    pub discovery: Discovery,
    /// `[auth]`: `app_id` (default: any), `certificate_file` (path of a file with the App Certificate; needs `app_id`;
    /// else the environment variable `SIGBRIDGE_CERTIFICATE`; without a certificate, tokens are not verified),
    /// `allow_no_token` (accepts `_no_need_token` although there is a certificate; default `false`).
    pub auth: TokenPolicy,
    /// `[session]`
    pub session: Session,
    /// `[drain]`
    pub drain: Drain,
    /// `[invite]`
    pub invite: Invite,
    /// `[mailbox]`
    pub mailbox: Mailbox,
    /// `[record]`
    pub record: RecordConfig,
    /// `[limits]`
    pub limits: Limits,
    /// `[policy]`
    pub policy: Policy,
    /// `[uid]`: fixed account numbers, as `"account" = "number"`, for apps that stored those of the legacy service
    /// (decisions H5). Default: all are derived.
    pub uid: Arc<HashMap<Text, u32>>,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[upstream.rest]`. Default: none.
    pub rest: Option<Rest>,
    /// `[redis]`
    pub redis: Redis,
    /// `[embedded]`
    pub embedded: Embedded,
    /// `[webhook]`
    pub webhook: Webhook,
    /// `[log]`
    pub log: Log,
    /// `[otel]`
    pub otel: Otel,
    /// `[admin]`
    pub admin: Admin,
    /// `[[app]]`: apps, if there are several. Default: the app of `[auth]`.
    pub apps: Vec<App>,
    /// `[[sunset]]`: times at which logins are refused.
    pub sunsets: Vec<Sunset>,
    /// Places of the keys that are set.
    pub given: KeyPositions,
}

impl Config {
    /// Returns the token policy of an app; `None` for an unknown app.
    pub fn auth_of(&self, app: &AppId) -> Option<&TokenPolicy> {
        if self.apps.is_empty() {
            return Some(&self.auth);
        }
        self.apps.iter().find(|known| known.id == *app).map(|known| &known.auth)
    }

    /// Returns true if clients of an app are served.
    pub fn serves(&self, app: &AppId) -> bool {
        match &self.auth_of(app) {
            Some(policy) => policy.app_id.as_ref().is_none_or(|only| only == app),
            None => false,
        }
    }

    /// Returns true if a page of this origin may log in to an app.
    pub fn allows(&self, app: &AppId, origin: Option<&str>) -> bool {
        let app = self.apps.iter().find(|known| known.id == *app);
        allows(app.and_then(|app| app.allowed_origins.as_ref()), origin)
    }

    /// Returns the limits of an app: its own, or those of `[limits]`. 0 means no limit.
    pub fn app_limits(&self, app: &AppId) -> AppLimits {
        let known = self.apps.iter().find(|known| known.id == *app);
        let own = known.map(|app| app.limits).unwrap_or_default();
        let limits = &self.limits;
        AppLimits {
            messages_per_second: own.messages_per_second.unwrap_or(limits.app_messages_per_second),
            logins_per_second: own.logins_per_second.unwrap_or(limits.app_logins_per_second),
            sessions: own.sessions.unwrap_or(limits.app_sessions),
            channels: own.channels.unwrap_or(limits.app_channels),
        }
    }

    /// Returns the RTM backend of an app.
    pub fn upstream_of(&self, app: &AppId) -> UpstreamKind {
        let known = self.apps.iter().find(|known| known.id == *app);
        known.map_or(self.upstream.kind, |known| known.upstream)
    }

    /// Returns the configured App IDs.
    pub fn app_ids(&self) -> impl Iterator<Item = &str> {
        let listed = self.apps.iter().map(|app| app.id.as_str());
        listed.chain(self.auth.app_id.as_ref().map(AppId::as_str))
    }

    /// Returns the only app: that of `[auth]`, a single `[[app]]`, or any.
    pub fn only_app(&self) -> Option<AppId> {
        match (&self.apps[..], &self.auth.app_id) {
            ([], Some(app)) => Some(app.clone()),
            ([], None) => AppId::new("sigbridge").ok(),
            ([app], _) => Some(app.id.clone()),
            _ => None,
        }
    }

    /// Returns true if any app uses this backend.
    pub fn uses(&self, kind: UpstreamKind) -> bool {
        if self.apps.is_empty() {
            return self.upstream.kind == kind;
        }
        self.apps.iter().any(|app| app.upstream == kind)
    }

    /// Returns true if the sessions of an app are kept in Redis.
    pub fn is_durable(&self, app: &AppId) -> bool {
        self.keeps_sessions(self.upstream_of(app))
    }

    /// Returns true if an app has a Redis, for RTM or for sessions.
    pub fn uses_redis(&self) -> bool {
        [UpstreamKind::Redis, UpstreamKind::Agent]
            .into_iter()
            .any(|kind| self.uses(kind) && self.keeps_sessions(kind))
    }

    fn keeps_sessions(&self, kind: UpstreamKind) -> bool {
        match kind {
            UpstreamKind::Redis => true,
            UpstreamKind::Agent => self.redis.url.is_some(),
            UpstreamKind::Embedded => false,
        }
    }
}

/// Limits of an app; 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppLimits {
    pub messages_per_second: u32,
    pub logins_per_second: u32,
    pub sessions: u32,
    pub channels: u32,
}

impl Listen {
    /// Returns true if a page of this origin may open a WebSocket; a request without an origin is not from a page.
    pub fn allows(&self, origin: Option<&str>, is_api: bool) -> bool {
        let api = self.api_allowed_origins.as_ref().filter(|_| is_api);
        allows(api.or(self.allowed_origins.as_ref()), origin)
    }
}

/// Returns true if the list contains the origin, or if either is missing.
fn allows(allowed: Option<&Vec<String>>, origin: Option<&str>) -> bool {
    allowed.is_none_or(|allowed| origin.is_none_or(|origin| allowed.iter().any(|known| known == origin)))
}

/// Host name and port, e.g. `bridge.example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Letters, digits, dots and hyphens.
    pub host: Text,
    /// TCP port, not 0.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Result of reading a missing attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingAttribute {
    /// `"fail"`: the call fails with `no such attr`.
    #[default]
    Fail,
    /// `"empty"`: an empty value; of all attributes, none.
    Empty,
}

impl MissingAttribute {
    /// Names in the config.
    pub const NAMES: &[(&str, Self)] = &[("fail", Self::Fail), ("empty", Self::Empty)];
}

/// Treatment of a second call to the same party about the same channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatedInvite {
    /// `"replace"`: withdraws the first one if it still rings.
    #[default]
    Replace,
    /// `"fail"`: the second one fails with 701.
    Fail,
}

impl RepeatedInvite {
    /// Names in the config.
    pub const NAMES: &[(&str, Self)] = &[("replace", Self::Replace), ("fail", Self::Fail)];
}

/// Treatment of messages over [`Limits::messages_per_second`] or [`Limits::channel_messages_per_second`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverRate {
    /// `"fail"`: the call fails with `too often`.
    #[default]
    Fail,
    /// `"discard"`: the call succeeds and the message is dropped, as in the legacy service.
    Discard,
}

impl OverRate {
    /// Names in the config.
    pub const NAMES: &[(&str, Self)] = &[("fail", Self::Fail), ("discard", Self::Discard)];
}
