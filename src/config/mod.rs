//! Configuration with units and defaults.
//!
//! Every key is optional; `config.example.toml` shows all keys with their defaults. [`Config::load`] reports every
//! error of the file with its place.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use identity::{SessionLineKey, TokenPolicy};
use rtm::AppId;
use rtm::value::Text;
use trace::Policy as Replaced;

mod files;
mod log;
#[cfg(test)]
mod outbound_tests;
mod read;
mod redis;
mod rest;
mod size;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;
mod values;
mod webhook;

pub use files::{DiskFiles, Files};
pub use log::{Accounts, Log};
pub use redis::Redis;
pub use rest::Rest;
pub use tls::{BadIdentity, Identity, Tls};
pub use upstream::{Agent, App, Embedded, RtmToken, Upstream, UpstreamKind};
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
    /// `[admin]`
    pub admin: Admin,
    /// `[[app]]`: apps, if there are several. Default: the app of `[auth]`.
    pub apps: Vec<App>,
}

impl Config {
    /// Returns the token policy of an app; `None` for an unknown app.
    pub fn auth_of(&self, app: &AppId) -> Option<&TokenPolicy> {
        if self.apps.is_empty() {
            return Some(&self.auth);
        }
        self.apps.iter().find(|known| known.id == *app).map(|known| &known.auth)
    }

    /// Returns true if a page of this origin may log in to an app.
    pub fn allows(&self, app: &AppId, origin: Option<&str>) -> bool {
        let app = self.apps.iter().find(|known| known.id == *app);
        allows(app.and_then(|app| app.allowed_origins.as_ref()), origin)
    }

    /// Returns the RTM backend of an app.
    pub fn upstream_of(&self, app: &AppId) -> UpstreamKind {
        let known = self.apps.iter().find(|known| known.id == *app);
        known.map_or(self.upstream.kind, |known| known.upstream)
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
            UpstreamKind::Agent => self.redis.is_set,
            UpstreamKind::Embedded => false,
        }
    }
}

/// `[listen]`: listen addresses for legacy clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// `http`: address and port of `GET /getaddr` and WebSockets. Default `"127.0.0.1:8001"`; port 0 selects a free
    /// port.
    pub http: SocketAddr,
    /// `tcp`: address and port for native clients. Default `"127.0.0.1:8003"`; port 0 selects a free port, `"off"`
    /// disables it.
    pub tcp: Option<SocketAddr>,
    /// `udp`: addresses and ports for lookups of native clients, which only use ports 8180 and 8181 (signaling-wire
    /// 10).
    /// Default: both on loopback; an empty list disables it.
    pub udp: Vec<SocketAddr>,
    /// `reports`: address and port for login reports of native clients (port 8000), which are discarded. Default:
    /// disabled.
    pub reports: Option<SocketAddr>,
    /// `wss`: second address for Web SDKs, which connect with TLS to the port above the advertised one
    /// (signaling-wire 1.3); requires `[tls]`. Default: none.
    pub wss: Option<SocketAddr>,
    /// `allowed_origins`: origins of pages that may open a WebSocket, except at `/api` (`"https://app.example.com"`).
    /// Programs send no origin and are always allowed. Default: any origin.
    pub allowed_origins: Option<Vec<String>>,
    /// `api_allowed_origins`: allowed origins for `/api`. Default: the value of `allowed_origins`.
    pub api_allowed_origins: Option<Vec<String>>,
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

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            http: local(8001),
            tcp: Some(local(8003)),
            udp: vec![local(8180), local(8181)],
            reports: None,
            wss: None,
            allowed_origins: None,
            api_allowed_origins: None,
        }
    }
}

/// `[discovery]`: addresses advertised by `GET /getaddr` and by UDP lookups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// `advertise_ip`: advertised IPv4 address. Default `"127.0.0.1"`.
    pub advertise_ip: Ipv4Addr,
    /// `advertise_port`: advertised port, 1 to 65534; Java and Python connect to it, Web SDKs to the next port.
    /// Default: the bound port.
    pub advertise_port: Option<u16>,
    /// `advertise_host`: `"host:port"` advertised to Web SDKs instead, with TLS (signaling-wire 1.6). Default: none.
    pub advertise_host: Option<HostPort>,
    /// `advertise_tcp`: `"host:port"` advertised to native clients; the host may be an IPv4 address. Default:
    /// `advertise_ip`
    /// and the bound port of `[listen] tcp`.
    pub advertise_tcp: Option<HostPort>,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            advertise_ip: Ipv4Addr::LOCALHOST,
            advertise_port: None,
            advertise_host: None,
            advertise_tcp: None,
        }
    }
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

/// `[session]`: sessions of clients.
#[derive(Clone, Debug)]
pub struct Session {
    /// `login_timeout`: time limit for a login on a new socket. Default `"10s"`.
    pub login_timeout: Duration,
    /// `rtm_login_timeout`: time limit for a login to RTM; Java and Python give up after 5 s. Default `"4s"`.
    pub rtm_login_timeout: Duration,
    /// `grace`: how long a session outlives its socket; `"0s"` disables it. Default `"30s"`.
    pub grace: Duration,
    /// `twin_window`: two equal logins of one peer within this time are a race of one client (decisions H4); `"0s"`
    /// disables it. Default `"500ms"`.
    pub twin_window: Duration,
    /// `line_key_file`: path of a file with the secret that signs session lines, at least 16 bytes, trimmed; equal
    /// for all sidecars of a service. Default: a random key per start.
    pub line_key: Option<SessionLineKey>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            login_timeout: Duration::from_secs(10),
            rtm_login_timeout: Duration::from_secs(4),
            grace: Duration::from_secs(30),
            twin_window: Duration::from_millis(500),
            line_key: None,
        }
    }
}

/// `[invite]`: call invitations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// `timeout`: ringing time if the caller sets none; 1 s to 55 s, since RTM ends every invitation after 60 s
    /// (decisions H9). Default `"20s"`.
    pub timeout: Duration,
}

impl Default for Invite {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
        }
    }
}

/// `[mailbox]`: messages that a client has not fetched yet (decisions H3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// `limit`: maximum of messages per session. A full mailbox drops new messages, since clients lose messages at a
    /// gap. No sender and no kind of message may use all of it. Default `1000`.
    pub limit: usize,
    /// `bytes`: maximum size; messages to offline peers have a separate limit of the same size per session. Default
    /// `"4MiB"`.
    pub bytes: usize,
    /// `ttl`: maximum age of a message at the client's login; older ones of absent accounts are dropped. Default
    /// `"1h"`.
    pub ttl: Duration,
    /// `file`: path of a file that keeps messages while the sidecar is stopped, relative to the config file. Default:
    /// none, they are lost.
    pub file: Option<PathBuf>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            limit: 1000,
            bytes: 4 << 20,
            ttl: Duration::from_secs(3600),
            file: None,
        }
    }
}

/// `[limits]`: limits per client and in total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `messages_per_second`: maximum of messages per session (signaling-wire 8). Default `60`.
    pub messages_per_second: u32,
    /// `channel_messages_per_second`: maximum of messages to one channel by all clients of this sidecar
    /// (signaling-wire 8); 0 disables it. Default `200`.
    pub channel_messages_per_second: u32,
    /// `invitations_per_second`: maximum of calls and call signals per session. Default `60`.
    pub invitations_per_second: u32,
    /// `sockets`: maximum of open sockets; also of sessions that wait for a reconnect. Default `10000`.
    pub sockets: usize,
    /// `write_stall`: a client whose connection accepts no data for this time, with data waiting, is closed. Default
    /// `"10s"`.
    pub write_stall: Duration,
    /// `outbound_bytes`: a client with more unsent data is closed. Default `"1MiB"`.
    pub outbound_bytes: usize,
    /// `memory`: maximum of data waiting for clients; beyond it, the oldest messages of absent accounts are dropped,
    /// and no client gets more than a small share. Default `"256MiB"`.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages_per_second: 60,
            channel_messages_per_second: 200,
            invitations_per_second: 60,
            sockets: 10_000,
            write_stall: Duration::from_secs(10),
            outbound_bytes: 1 << 20,
            memory: 256 << 20,
        }
    }
}

/// `[policy]`: choices where the legacy behaviour is undocumented or surprising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `over_rate`: treatment of messages over the rate limit. Default `"fail"`.
    pub over_rate: OverRate,
    /// `missing_attribute`: result of reading an attribute that is missing, or whose user is offline. Default
    /// `"fail"`.
    pub missing_attribute: MissingAttribute,
    /// `repeated_invite`: treatment of a second call to the same party about the same channel while the first is
    /// open. Default `"replace"`.
    pub repeated_invite: RepeatedInvite,
    /// `force_join`: whether a message to a channel from outside is sent by joining it, if the upstream has no other
    /// way; its members see the sender join and leave. Default `false`.
    pub force_join: bool,
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

/// Treatment of a second call to the same party about the same channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatedInvite {
    /// `"replace"`: withdraws the first one if it still rings.
    #[default]
    Replace,
    /// `"fail"`: the second one fails with 701.
    Fail,
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

/// `[record]`: traces of sessions (docs/trace.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordConfig {
    /// `folder`: directory of traces, relative to the config file; if set, recording starts with the process.
    /// Default: none.
    pub folder: Option<PathBuf>,
    /// `file_size`: size in megabytes after which new sessions use a new file. Default `64`.
    pub file_size: u64,
    /// `file_time`: age after which new sessions use a new file. Default `"1h"`.
    pub file_time: Duration,
    /// `files`: number of kept files; the oldest are removed. Default `100`.
    pub files: usize,
    /// `names`: redaction of accounts, channels and similar: `"keep"`, `"placeholder"`, `"hash"`. Default
    /// `"placeholder"`.
    pub names: Replaced,
    /// `bodies`: redaction of messages and values. Default `"placeholder"`.
    pub bodies: Replaced,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            folder: None,
            file_size: 64,
            file_time: Duration::from_secs(3600),
            files: 100,
            names: Replaced::default(),
            bodies: Replaced::default(),
        }
    }
}

/// `[admin]`: admin address.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// `listen`: address and port of `/metrics`, `/livez`, `/readyz` and the rest. Default: none.
    pub listen: Option<SocketAddr>,
    /// `token_file`: path of a file with the token of requests, at least 16 bytes. Default: none, allowed for
    /// loopback addresses only.
    pub token: Option<SecretString>,
    /// `allowed_hosts`: accepted `Host` names of this machine. Default: `localhost` only.
    pub allowed_hosts: Vec<Text>,
}
