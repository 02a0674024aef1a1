//! The config file: what an operator may say, with units and defaults.
//!
//! Every key is optional; `config.example.toml` shows all of them with their defaults. [`Config::load`] reports every
//! error of the file at its place. Durations are written `"500ms"`, `"20s"`, `"5m"` or `"1h"`.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use identity::{LineKey, TokenPolicy};
use rtm::AppId;
use rtm::value::Text;
use trace::Policy as Replaced;

mod duration;
mod files;
mod log;
mod mask;
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

pub use duration::{BadDuration, parse_duration};
pub use files::{DiskFiles, Files};
pub use log::{Accounts, Log};
pub use redis::Redis;
pub use rest::Rest;
pub use tls::{BadIdentity, Identity, Tls};
pub use upstream::{Agent, App, Embedded, RtmToken, Upstream, UpstreamKind};
pub use values::{CERTIFICATE_HINT, SECRET_HINT, reachable};
pub use webhook::Webhook;

/// The whole config; [`Default`] is what an empty file means.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `[listen]`
    pub listen: Listen,
    /// `[tls]`: `certificate` and `key` (PEM files, both or none). Default: none, plain text only.
    pub tls: Option<Tls>,
    /// `[discovery]`
    pub discovery: Discovery,
    /// `[auth]`: `app_id` (text; any when missing), `certificate` or `certificate_file` (the App Certificate, or the
    /// path of a file that holds it; either needs `app_id`; without one every token passes), `allow_no_token`
    /// (default `false`: whether `_no_need_token` passes although there is a certificate).
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
    /// `[uid]`: numbers of accounts that are not to be derived, as `"account" = "number"`, for apps that stored those of
    /// the legacy service (decisions H5). Default: none.
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
    /// `[[app]]`: the apps that are served, where there are several. Default: what `[auth]` says.
    pub apps: Vec<App>,
}

impl Config {
    /// How tokens of an app are verified; none for an app that is not served.
    pub fn auth_of(&self, app: &AppId) -> Option<&TokenPolicy> {
        if self.apps.is_empty() {
            return Some(&self.auth);
        }
        self.apps.iter().find(|known| known.id == *app).map(|known| &known.auth)
    }

    /// Whether a page of an origin may log in to an app.
    pub fn allows(&self, app: &AppId, origin: Option<&str>) -> bool {
        let app = self.apps.iter().find(|known| known.id == *app);
        allows(app.and_then(|app| app.allowed_origins.as_ref()), origin)
    }

    /// Where an app's RTM is.
    pub fn upstream_of(&self, app: &AppId) -> UpstreamKind {
        let known = self.apps.iter().find(|known| known.id == *app);
        known.map_or(self.upstream.kind, |known| known.upstream)
    }

    /// The app, where there is only one to speak of: the one of `[auth]`, a single `[[app]]`, or any.
    pub fn only_app(&self) -> Option<AppId> {
        match (&self.apps[..], &self.auth.app_id) {
            ([], Some(app)) => Some(app.clone()),
            ([], None) => AppId::new("sigbridge").ok(),
            ([app], _) => Some(app.id.clone()),
            _ => None,
        }
    }

    /// Whether any app uses that kind of upstream.
    pub fn uses(&self, kind: UpstreamKind) -> bool {
        if self.apps.is_empty() {
            return self.upstream.kind == kind;
        }
        self.apps.iter().any(|app| app.upstream == kind)
    }
}

/// `[listen]`: where legacy clients come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// `http`: address and port of `GET /getaddr` and of the WebSockets, both on the one port. Default
    /// `"127.0.0.1:8001"`; port 0 takes any free one.
    pub http: SocketAddr,
    /// `tcp`: address and port of the native clients. Default `"127.0.0.1:8003"`; port 0 takes any free one, `"off"`
    /// serves none.
    pub tcp: Option<SocketAddr>,
    /// `udp`: addresses and ports at which native clients ask where `tcp` is; they know 8180 and 8181 and no others
    /// (signaling-wire 10). Default both on loopback; an empty list answers none.
    pub udp: Vec<SocketAddr>,
    /// `reports`: address and port to which native clients send login reports (port 8000), which are swallowed unread.
    /// Default: none, they go nowhere.
    pub reports: Option<SocketAddr>,
    /// `wss`: a second address of the same service, for the Web SDKs, which connect by TLS to the port above the
    /// advertised one (signaling-wire 1.3); needs `[tls]`. Default: none.
    pub wss: Option<SocketAddr>,
    /// `allowed_origins`: pages whose browsers may open a WebSocket, at any path but `/api`, as origins
    /// (`"https://app.example.com"`). Programs send no origin and always may. Default: pages of any origin.
    pub allowed_origins: Option<Vec<String>>,
    /// `api_allowed_origins`: the same for `/api`. Default: what `allowed_origins` says.
    pub api_allowed_origins: Option<Vec<String>>,
}

impl Listen {
    /// Whether a page of an origin may open a WebSocket; what has no origin is no page.
    pub fn allows(&self, origin: Option<&str>, is_api: bool) -> bool {
        let api = self.api_allowed_origins.as_ref().filter(|_| is_api);
        allows(api.or(self.allowed_origins.as_ref()), origin)
    }
}

/// Whether a list of origins has one; without a list, or without an origin, it is all right.
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

/// `[discovery]`: what `GET /getaddr`, and the answers by UDP, tell clients to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// `advertise_ip`: the IPv4 address in the list. Default `"127.0.0.1"`.
    pub advertise_ip: Ipv4Addr,
    /// `advertise_port`: the port in the list, 1 to 65534; Java and Python connect to it, the Web SDKs to the one
    /// above. Default: the port that is really bound.
    pub advertise_port: Option<u16>,
    /// `advertise_host`: `"host:port"` that the Web SDKs are sent to instead, by TLS (signaling-wire 1.6). Default:
    /// none.
    pub advertise_host: Option<HostPort>,
    /// `advertise_tcp`: `"host:port"` that native clients are sent to; the host may be an IPv4 address. Default:
    /// `advertise_ip` and the port that `[listen] tcp` has really bound.
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

/// A host name and a port, as in `bridge.example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Letters, digits, dots and hyphens.
    pub host: Text,
    /// The TCP port, not 0.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// `[session]`: the life of a login.
#[derive(Clone, Debug)]
pub struct Session {
    /// `login_timeout`: a socket that has not logged in by then is closed. Default `"10s"`.
    pub login_timeout: Duration,
    /// `rtm_login_timeout`: how long a login waits for RTM before it is refused; Java and Python give up after 5 s.
    /// Default `"4s"`.
    pub rtm_login_timeout: Duration,
    /// `grace`: how long a session outlives its socket; `"0s"` for not at all. Default `"30s"`.
    pub grace: Duration,
    /// `twin_window`: two sockets of one peer that come within it and log in alike are one client's race
    /// (decisions H4); `"0s"` for never. Default `"500ms"`.
    pub twin_window: Duration,
    /// `line_key_file`: path of a file with the secret (16 bytes or more, white space around it is cut off) that signs
    /// session lines; give all sidecars of a service the same. Default: none, a random key for each start.
    pub line_key: Option<LineKey>,
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

/// `[invite]`: calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// `timeout`: how long a call rings when the caller does not say; 1 s to 55 s, since RTM ends every invitation at
    /// 60 s (decisions H9). Default `"20s"`.
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
    /// `limit`: messages kept for one session; when it is full, new ones are dropped and counted, since clients lose
    /// messages at a gap. No sender and no kind of message has all of it. Default `1000`.
    pub limit: usize,
    /// `bytes`: what they may take, beside the messages to peers who are offline, of which each session may keep as much.
    /// Default `"4MiB"`.
    pub bytes: usize,
    /// `ttl`: how old a message may be when its client logs in again; older ones of accounts that are away are dropped.
    /// Default `"1h"`.
    pub ttl: Duration,
    /// `file`: path of the file in which messages wait while the sidecar does not run, relative to the config file.
    /// Default: none, they are lost with the process.
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

/// `[limits]`: what one client, and all of them, may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `messages_per_second`: messages that one session may send (signaling-wire 8). Default `60`.
    pub messages_per_second: u32,
    /// `channel_messages_per_second`: messages that all clients of this sidecar together may send to one channel
    /// (signaling-wire 8); 0 for no bound. Default `200`.
    pub channel_messages_per_second: u32,
    /// `invitations_per_second`: calls, and signals about calls, that one session may send. Default `60`.
    pub invitations_per_second: u32,
    /// `sockets`: open sockets of this sidecar; more are refused. As many sessions may wait without a socket for their
    /// client to come back. Default `10000`.
    pub sockets: usize,
    /// `write_stall`: a client whose connection has taken nothing for so long, while something waits for it, is closed.
    /// Default `"10s"`.
    pub write_stall: Duration,
    /// `outbound_bytes`: a client is closed for which more waits that its connection does not take. Default `"1MiB"`.
    pub outbound_bytes: usize,
    /// `memory`: all that waits for clients on this sidecar; beyond it the oldest messages of accounts that are away are
    /// dropped, and no client gets more than a small share. Default `"256MiB"`.
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

/// `[policy]`: choices where the legacy service is undocumented or would surprise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `over_rate`: what happens to a message over the rate. Default `"fail"`.
    pub over_rate: OverRate,
    /// `missing_attribute`: what reading an attribute gives that is not there, or whose user is offline. Default
    /// `"fail"`.
    pub missing_attribute: MissingAttribute,
    /// `repeated_invite`: what a second call to the same party about the same channel does while the first one is open.
    /// Default `"replace"`.
    pub repeated_invite: RepeatedInvite,
    /// `force_join`: whether a message to a channel from outside is sent by joining it, where the upstream has no other
    /// way; its members see the sender come and go. Default `false`.
    pub force_join: bool,
}

/// What reading an attribute gives that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingAttribute {
    /// `"fail"`: the call fails with `no such attr`.
    #[default]
    Fail,
    /// `"empty"`: an empty value; of all attributes, none.
    Empty,
}

/// What a second call to the same party about the same channel does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatedInvite {
    /// `"replace"`: the first one is withdrawn when it still rings.
    #[default]
    Replace,
    /// `"fail"`: it fails with 701.
    Fail,
}

/// What happens to a message over [`Limits::messages_per_second`] or [`Limits::channel_messages_per_second`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverRate {
    /// `"fail"`: the call fails with `too often`.
    #[default]
    Fail,
    /// `"discard"`: the call succeeds and the message goes nowhere, as the legacy service did.
    Discard,
}

/// `[record]`: traces of sessions (docs/trace.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordConfig {
    /// `folder`: where traces go, relative to the config file. Sessions are recorded from the start on when it is given.
    /// Default: none.
    pub folder: Option<PathBuf>,
    /// `file_size`: megabytes after which new sessions go to a new file. Default `64`.
    pub file_size: u64,
    /// `file_time`: the time after which they do. Default `"1h"`.
    pub file_time: Duration,
    /// `files`: finished files that are kept; the oldest are removed. Default `100`.
    pub files: usize,
    /// `names`: what becomes of accounts, channels and the like: `"keep"`, `"placeholder"`, `"hash"`. Default
    /// `"placeholder"`.
    pub names: Replaced,
    /// `bodies`: what becomes of messages and values; the same words. Default `"placeholder"`.
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

/// `[admin]`: for the operator.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// `listen`: address and port of `/metrics`, `/livez`, `/readyz` and the rest. Default: none, they are not served.
    pub listen: Option<SocketAddr>,
    /// `token_file`: path of a file with the token that requests must carry, 16 bytes or more. Default: none, which only a
    /// loopback address may.
    pub token: Option<SecretString>,
    /// `allowed_hosts`: names of this machine that requests may have as their `Host`. Default: none but `localhost`.
    pub allowed_hosts: Vec<Text>,
}
