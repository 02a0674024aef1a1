//! `[auth]`, `[upstream]`, `[upstream.agent]`, `[embedded]`, `[[app]]`: apps and their RTM backends.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use identity::TokenPolicy;
use rtm::AppId;
use rtm::BadName;
use tables::diagnostics::Diag;
use tables::spanned_toml::Table;

use crate::config::Files;
use crate::config::declare::{Reader, Section, section};
use crate::config::kinds::{Address, Bool, Choice, Int, Maybe, Origins, Parsed, Time};
use crate::config::sections::{SECOND, local, secret_of};
use crate::config::values::{CERTIFICATE_ENV, file_text, local_secret, valid_certificate};

section! {
    /// Access of clients to a single app. [[app]] replaces it for several apps.
    pub struct AuthKeys("auth") derives() {
        /// The only App ID that is served. Default: any App ID; apps are isolated from each other.
        app_id: Option<AppId> = None, example "\"0123456789abcdef0123456789abcdef\"" => Maybe(Parsed(app_id)), Reload;
        /// File with the App Certificate for the verification of tokens; needs app_id. Default: the environment variable
        /// SIGBRIDGE_CERTIFICATE; without a certificate every token is accepted.
        certificate as "certificate_file": Option<SecretString> = None, example "\"certificate.txt\""
            => secret_of(certificate), Reload;
        /// Accept the token "_no_need_token" although a certificate is set.
        allow_no_token: bool = false => Bool, Reload;
    }
}

section! {
    /// RTM backend.
    pub struct Upstream("upstream") derives() {
        /// "embedded": an in-memory RTM in this process, for development and tests. "redis": an RTM service of all sidecars
        /// that share a Redis (docs/guide/cluster.md). "agent": the vendor's RTM SDK in an agent process that connects to
        /// this server (docs/agent-link.md).
        kind: UpstreamKind = UpstreamKind::Embedded => Choice(UpstreamKind::NAMES), Restart;
        /// Logins per second when sessions are restored at the next agent.
        login_rate: u32 = 50 => Int::new(1..=10_000), Restart;
        /// RTM token made with the App Certificate: "006" (AccessToken), "007" (AccessToken2, RTM 1.5 and later), or "none".
        rtm_token: RtmToken = RtmToken::V006 => Choice(RtmToken::NAMES), Restart;
    }
    agent: Agent;
}

section! {
    /// Connections of agents.
    pub struct Agent("upstream.agent") derives() {
        /// Address for agents.
        listen: SocketAddr = local(8010) => Address, Restart;
        /// File with the shared secret, 16 characters or more. Required for an address other than loopback.
        secret as "secret_file": Option<SecretString> = None, example "\"agent.secret\""
            => secret_of(local_secret), Restart;
        /// Origins of pages that may connect. The web agent needs "http://127.0.0.1:8011". Processes send no origin.
        origins: Vec<String> = Vec::new() => Origins, Restart;
        /// Waiting time of calls while no agent is connected; "0s" makes them fail at once.
        call_wait: Duration = 4 * SECOND => Time(Duration::ZERO..=60 * SECOND), Restart;
    }
}

section! {
    /// The embedded RTM.
    pub struct Embedded("embedded") derives() {
        /// Factor for RTM's documented call rates.
        rate_scale: u32 = 1 => Int::new(1..=1_000_000), Restart;
        /// Offer RTM's offline messages.
        offline_messages: bool = false => Bool, Restart;
        /// Address for users of the embedded RTM, by the agent link. Default: disabled.
        listen: Option<SocketAddr> = None, example "\"127.0.0.1:8012\"" => Maybe(Address), Restart;
        /// File with the shared secret. Required for an address other than loopback.
        secret as "secret_file": Option<SecretString> = None, example "\"rtm.secret\"" => secret_of(local_secret), Restart;
        /// Origins of pages that may connect.
        origins: Vec<String> = Vec::new() => Origins, Restart;
    }
}

section! {
    /// One of several apps, each with its own certificate and backend, in place of [auth]. Other App IDs are refused (206).
    pub struct AppKeys("app") derives() {
        /// The App ID.
        id: Option<AppId> = None, example "\"0123456789abcdef0123456789abcdef\"" => Maybe(Parsed(app_id)), Reload;
        /// File with the App Certificate, as in [auth].
        certificate as "certificate_file": Option<SecretString> = None, example "\"certificate.txt\""
            => secret_of(certificate), Reload;
        /// As in [auth].
        allow_no_token: bool = false => Bool, Reload;
        /// RTM backend of this app: "embedded", "redis" or "agent". Default: upstream.kind.
        upstream: Option<UpstreamKind> = None, example "\"agent\"" => Maybe(Choice(UpstreamKind::NAMES)), Restart;
        /// Origins of pages that may log in to this app. Default: any page.
        allowed_origins: Option<Vec<String>> = None, example "[\"https://app.example.com\"]" => Maybe(Origins), Reload;
        /// Messages per second of this app. Default: limits.app_messages_per_second.
        messages_per_second: Option<u32> = None, example "1000" => Maybe(Int::new(0..=1_000_000)), Reload;
        /// Logins per second of this app. Default: limits.app_logins_per_second.
        logins_per_second: Option<u32> = None, example "50" => Maybe(Int::new(0..=1_000_000)), Reload;
        /// Sessions of this app. Default: limits.app_sessions.
        sessions: Option<u32> = None, example "5000" => Maybe(Int::new(0..=10_000_000)), Reload;
        /// Channels of this app. Default: limits.app_channels.
        channels: Option<u32> = None, example "1000" => Maybe(Int::new(0..=10_000_000)), Reload;
    }
}

/// `[[app]]` with its defaults.
#[derive(Clone, Debug)]
pub struct App {
    /// The legacy `vid`, and RTM's App ID.
    pub id: AppId,
    /// Verification of tokens.
    pub auth: TokenPolicy,
    /// RTM backend.
    pub upstream: UpstreamKind,
    /// Origins of pages that may log in. Programs are always allowed. Default: any origin.
    pub allowed_origins: Option<Vec<String>>,
    /// Limits of its own.
    pub limits: OwnLimits,
}

/// Limits that an app sets itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnLimits {
    pub messages_per_second: Option<u32>,
    pub logins_per_second: Option<u32>,
    pub sessions: Option<u32>,
    pub channels: Option<u32>,
}

impl From<&App> for AppKeys {
    fn from(app: &App) -> Self {
        Self {
            id: Some(app.id.clone()),
            certificate: app.auth.certificate.clone(),
            allow_no_token: app.auth.allow_no_token,
            upstream: Some(app.upstream),
            allowed_origins: app.allowed_origins.clone(),
            messages_per_second: app.limits.messages_per_second,
            logins_per_second: app.limits.logins_per_second,
            sessions: app.limits.sessions,
            channels: app.limits.channels,
        }
    }
}

impl From<&TokenPolicy> for AuthKeys {
    fn from(policy: &TokenPolicy) -> Self {
        Self {
            app_id: policy.app_id.clone(),
            certificate: policy.certificate.clone(),
            allow_no_token: policy.allow_no_token,
        }
    }
}

/// Kinds of RTM backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamKind {
    /// `"embedded"`: in-memory RTM in this process, for development and tests.
    #[default]
    Embedded,
    /// `"redis"`: an RTM service of all sidecars that share a Redis (docs/guide/cluster.md).
    Redis,
    /// `"agent"`: RTM's SDK in a process that connects to this one (docs/agent-link.md).
    Agent,
}

/// RTM token kinds (upstreams 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtmToken {
    /// `"006"`: AccessToken, for any RTM 1.x.
    #[default]
    V006,
    /// `"007"`: AccessToken2, for RTM 1.5 and later.
    V007,
    /// `"none"`: no token, for apps without a certificate.
    None,
}

impl UpstreamKind {
    /// Names in the config.
    pub const NAMES: &[(&str, Self)] = &[
        ("embedded", Self::Embedded),
        ("redis", Self::Redis),
        ("agent", Self::Agent),
    ];
}

impl RtmToken {
    /// Names in the config.
    pub const NAMES: &[(&str, Self)] = &[("006", Self::V006), ("007", Self::V007), ("none", Self::None)];
}

pub(super) fn app_id(text: &str) -> Result<AppId, BadName> {
    AppId::new(text)
}

/// Reads `[auth]`. Without a file, the certificate comes from the environment.
pub(super) fn auth(reader: &mut Reader<'_, '_>, files: &dyn Files) -> TokenPolicy {
    reader.refuse_inline_certificate();
    let keys = AuthKeys::read(reader);
    let has_app_id = reader.place("app_id").is_some();
    if let Some(place) = reader.place("certificate_file").filter(|_| !has_app_id) {
        let diag = Diag::new(place, "`auth`: a certificate needs `app_id`");
        reader.report(diag.help("set the App ID to which the App Certificate belongs"));
    }
    let from_env = || {
        let text = files.env(CERTIFICATE_ENV).filter(|_| has_app_id)?;
        reader.certificate_of_environment(&text)
    };
    TokenPolicy {
        certificate: keys.certificate.or_else(from_env),
        app_id: keys.app_id,
        allow_no_token: keys.allow_no_token,
    }
}

pub(super) fn agent(reader: &mut Reader<'_, '_>) -> Agent {
    let agent = Agent::read(reader);
    needs_secret(reader, Some(agent.listen), "secret_file");
    agent
}

pub(super) fn embedded(reader: &mut Reader<'_, '_>) -> Embedded {
    let embedded = Embedded::read(reader);
    needs_secret(reader, embedded.listen, "secret_file");
    embedded
}

/// Reports an address without a secret that other machines reach.
pub(super) fn needs_secret(reader: &Reader<'_, '_>, listen: Option<SocketAddr>, key: &str) {
    let is_public = listen.is_some_and(|listen| !listen.ip().is_loopback());
    let Some(place) = reader
        .place("listen")
        .filter(|_| is_public && reader.place(key).is_none())
    else {
        return;
    };
    let what = key.trim_end_matches("_file");
    let title = format!("`{}.listen`: a non-loopback address requires a {what}", reader.path());
    reader.report(Diag::new(place, title).help(format!("set `{key}`; `openssl rand -hex 32` generates a {what}")));
}

pub(super) fn apps(tables: Vec<Table<'_>>, files: &dyn Files, default: UpstreamKind) -> Vec<App> {
    let mut apps: Vec<App> = Vec::new();
    for mut table in tables {
        if !table.has("id") {
            table.error("the key `id` is missing");
        }
        let mut reader = Reader::new(&mut table, files, None);
        reader.refuse_inline_certificate();
        let keys = AppKeys::read(&mut reader);
        if let Some(id) = keys.id {
            if let Some(place) = reader.place("id")
                && apps.iter().any(|app| app.id == id)
            {
                reader.report(Diag::new(place, format!("`app`: duplicate id `{}`", id.as_str())));
            }
            apps.push(App {
                auth: TokenPolicy {
                    app_id: Some(id.clone()),
                    certificate: keys.certificate,
                    allow_no_token: keys.allow_no_token,
                },
                id,
                upstream: keys.upstream.unwrap_or(default),
                allowed_origins: keys.allowed_origins,
                limits: OwnLimits {
                    messages_per_second: keys.messages_per_second,
                    logins_per_second: keys.logins_per_second,
                    sessions: keys.sessions,
                    channels: keys.channels,
                },
            });
        }
        table.finish();
    }
    apps
}

/// Reads the file with an App Certificate.
fn certificate(table: &mut Table<'_>, files: &dyn Files, key: &str) -> Option<SecretString> {
    let path = table.take_str(key)?;
    valid_certificate(table, &path.span, &file_text(table, files, &path)?)
}
