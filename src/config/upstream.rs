//! `[upstream]`, `[upstream.agent]`, `[embedded]`, `[[app]]`: RTM backends.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use agent_link::acceptor::MIN_SECRET_BYTES;
use identity::TokenPolicy;
use rtm::AppId;
use tables::diagnostics::Diag;
use tables::spanned_toml::{Spanned, Table};
use text_files::{NotOneLine, one_line};

use crate::config::Files;
use crate::config::rest::{Rest, rest};
use crate::config::values::{
    CERTIFICATE_ENV, SECRET_HINT, address_at, duration, file_text, number, valid_certificate, value,
};

const MAX_WAIT: Duration = Duration::from_secs(60);
const KINDS: &[(&str, UpstreamKind)] = &[
    ("embedded", UpstreamKind::Embedded),
    ("redis", UpstreamKind::Redis),
    ("agent", UpstreamKind::Agent),
];

/// `[upstream]`: RTM backend.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `kind`: kind of backend. Default `"embedded"`.
    pub kind: UpstreamKind,
    /// `login_rate`: logins per second during a restore after an agent loss. Default `50`.
    pub login_rate: u32,
    /// `rtm_token`: kind of RTM token created from the App Certificate. Default `"006"`.
    pub rtm_token: RtmToken,
    /// `[upstream.agent]`
    pub agent: Agent,
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

/// `[upstream.agent]`: address for agents.
#[derive(Clone, Debug)]
pub struct Agent {
    /// `listen`: address and port. Default `"127.0.0.1:8010"`.
    pub listen: SocketAddr,
    /// `secret_file`: path of a file with the agents' secret, at least 16 bytes. Default: none, allowed for loopback
    /// only.
    pub secret: Option<SecretString>,
    /// `origins`: origins of pages that may connect. Default: none; processes send no origin.
    pub origins: Vec<String>,
    /// `call_wait`: how long calls wait for a disconnected agent; `"0s"` fails them immediately. Default `"4s"`.
    pub call_wait: Duration,
}

/// `[embedded]`: embedded RTM.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// `rate_scale`: multiplier for RTM's documented rate limits. Default `1`.
    pub rate_scale: u32,
    /// `offline_messages`: enables RTM's offline messages, which not every SDK has. Default `false`.
    pub offline_messages: bool,
    /// `listen`: address and port for other sidecars as clients, over the agent link. Default: none.
    pub listen: Option<SocketAddr>,
    /// `secret_file`: path of a file with their secret. Default: none, allowed for loopback only.
    pub secret: Option<SecretString>,
    /// `origins`: origins of pages that may connect. Default: none.
    pub origins: Vec<String>,
}

/// `[[app]]`: one of several apps.
#[derive(Clone, Debug)]
pub struct App {
    /// `id`: the legacy `vid`, and RTM's App ID.
    pub id: AppId,
    /// `certificate_file`, `allow_no_token`: as in `[auth]`.
    pub auth: TokenPolicy,
    /// `upstream`: `"embedded"`, `"redis"` or `"agent"`. Default: that of `[upstream]`.
    pub upstream: UpstreamKind,
    /// `allowed_origins`: origins of pages that may log in. Programs are always allowed. Default: any origin.
    pub allowed_origins: Option<Vec<String>>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            kind: UpstreamKind::default(),
            login_rate: 50,
            rtm_token: RtmToken::default(),
            agent: Agent::default(),
        }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8010)),
            secret: None,
            origins: Vec::new(),
            call_wait: Duration::from_secs(4),
        }
    }
}

impl Default for Embedded {
    fn default() -> Self {
        Self {
            rate_scale: 1,
            offline_messages: false,
            listen: None,
            secret: None,
            origins: Vec::new(),
        }
    }
}

pub(super) fn upstream(table: &mut Table<'_>, files: &dyn Files) -> (Upstream, Option<Rest>) {
    let default = Upstream::default();
    let tokens = [
        ("006", RtmToken::V006),
        ("007", RtmToken::V007),
        ("none", RtmToken::None),
    ];
    let agent = table.take_table("agent").map(|mut table| {
        let read = agent(&mut table, files);
        table.finish();
        read
    });
    let rest = table.take_table("rest").and_then(|mut table| {
        let read = rest(&mut table, files);
        table.finish();
        read
    });
    let upstream = Upstream {
        kind: value(table.take_choice("kind", KINDS)).unwrap_or_default(),
        login_rate: number(table, "login_rate", 1..=10_000).unwrap_or(default.login_rate),
        rtm_token: value(table.take_choice("rtm_token", &tokens)).unwrap_or_default(),
        agent: agent.unwrap_or_default(),
    };
    (upstream, rest)
}

fn agent(table: &mut Table<'_>, files: &dyn Files) -> Agent {
    let default = Agent::default();
    let listen = address_at(table, "listen");
    let secret = local_secret(table, files, "secret_file", listen.as_ref());
    Agent {
        listen: value(listen).unwrap_or(default.listen),
        secret,
        origins: origins(table, "origins").unwrap_or_default(),
        call_wait: duration(table, "call_wait", Duration::ZERO..=MAX_WAIT).unwrap_or(default.call_wait),
    }
}

pub(super) fn embedded(table: &mut Table<'_>, files: &dyn Files) -> Embedded {
    let default = Embedded::default();
    let listen = address_at(table, "listen");
    let secret = local_secret(table, files, "secret_file", listen.as_ref());
    Embedded {
        rate_scale: number(table, "rate_scale", 1..=1_000_000).unwrap_or(default.rate_scale),
        offline_messages: value(table.take_bool("offline_messages")).unwrap_or(default.offline_messages),
        listen: value(listen),
        secret,
        origins: origins(table, "origins").unwrap_or_default(),
    }
}

/// Reads origins; `None` if the key is missing.
pub(super) fn origins(table: &mut Table<'_>, key: &str) -> Option<Vec<String>> {
    let listed = table.take_strs(key)?;
    let mut origins = Vec::new();
    for origin in listed {
        let legal = origin.contains("://") && !origin.ends_with('/') && !origin.contains('*');
        if legal {
            origins.push(origin.value.to_string());
        } else {
            let title = format!("`{}.{key}`: expected an origin, got \"{}\"", table.path(), origin.value);
            table.report(Diag::new(&origin.span, title).help("write it as \"http://127.0.0.1:8011\", without a path"));
        }
    }
    Some(origins)
}

/// Reads the secret of an address. Only a loopback address may have none.
pub(super) fn local_secret(
    table: &mut Table<'_>,
    files: &dyn Files,
    key: &str,
    listen: Option<&Spanned<SocketAddr>>,
) -> Option<SecretString> {
    let what = key.trim_end_matches("_file");
    let Some(path) = table.take_str(key) else {
        if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback()) {
            let title = format!("`{}.listen`: a non-loopback address requires a {what}", table.path());
            table.report(
                Diag::new(&listen.span, title).help(format!("set `{key}`; `openssl rand -hex 32` generates a {what}")),
            );
        }
        return None;
    };
    let text = file_text(table, files, &path)?;
    let text = match one_line(&text) {
        Err(lines @ NotOneLine::Lines(_)) => {
            let title = format!("`{}.{key}`: `{}` {lines}", table.path(), path.value);
            table.report(Diag::new(&path.span, title).help(SECRET_HINT));
            return None;
        }
        line => line.unwrap_or_default(),
    };
    if text.len() < MIN_SECRET_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let title = format!(
            "`{}.{key}`: the {what} must have at least {MIN_SECRET_BYTES} visible ASCII characters",
            table.path()
        );
        table.report(Diag::new(&path.span, title).help("generate one with `openssl rand -hex 32`"));
        return None;
    }
    Some(text.into())
}

pub(super) fn apps(tables: Vec<Table<'_>>, files: &dyn Files, default: UpstreamKind) -> Vec<App> {
    let mut apps: Vec<App> = Vec::new();
    for mut table in tables {
        let id = table.require_parsed("id", |text| AppId::new(text));
        let secret = app_certificate(&mut table, files, true);
        let allow_no_token = value(table.take_bool("allow_no_token")).unwrap_or_default();
        let upstream = value(table.take_choice("upstream", KINDS)).unwrap_or(default);
        let allowed_origins = origins(&mut table, "allowed_origins");
        if let Some(id) = id {
            if apps.iter().any(|app| app.id == id.value) {
                table.report(Diag::new(
                    &id.span,
                    format!("`app`: duplicate id `{}`", id.value.as_str()),
                ));
            }
            apps.push(App {
                auth: TokenPolicy {
                    app_id: Some(id.value.clone()),
                    certificate: secret,
                    allow_no_token,
                },
                id: id.value,
                upstream,
                allowed_origins,
            });
        }
        table.finish();
    }
    apps
}

/// Reads `certificate_file`, which requires an App ID. Rejects an inline `certificate`.
pub(super) fn app_certificate(table: &mut Table<'_>, files: &dyn Files, has_app_id: bool) -> Option<SecretString> {
    if let Some(inline) = table.take_str("certificate") {
        let title = format!("`{}.certificate`: secrets must not be in the config", table.path());
        let hint = format!("set `certificate_file`; for `[auth]` also the environment variable {CERTIFICATE_ENV}");
        table.report(Diag::new(&inline.span, title).help(hint));
    }
    let path = table.take_str("certificate_file")?;
    if !has_app_id {
        let title = format!("`{}`: a certificate needs `app_id`", table.path());
        table.report(Diag::new(&path.span, title).help("set the App ID to which the App Certificate belongs"));
    }
    valid_certificate(table, &path.span, &file_text(table, files, &path)?)
}
