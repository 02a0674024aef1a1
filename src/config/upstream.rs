//! `[upstream]`, `[upstream.agent]`, `[embedded]`, `[[app]]`: where RTM is, and for whom.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use agent_link::acceptor::MIN_SECRET_BYTES;
use identity::TokenPolicy;
use rtm::AppId;
use rtm::value::Text;
use tables::diagnostics::Diag;
use tables::spanned_toml::{Spanned, Table};
use text_files::{NotOneLine, one_line};

use crate::config::Files;
use crate::config::rest::{Rest, rest};
use crate::config::values::{SECRET_HINT, address_at, certificate, duration, file_text, number, value};

const MAX_WAIT: Duration = Duration::from_secs(60);
const KINDS: &[(&str, UpstreamKind)] = &[
    ("embedded", UpstreamKind::Embedded),
    ("redis", UpstreamKind::Redis),
    ("agent", UpstreamKind::Agent),
];

/// `[upstream]`: where RTM is.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `kind`: which upstream. Default `"embedded"`.
    pub kind: UpstreamKind,
    /// `login_rate`: logins per second when the sessions of an agent that has died are built again. Default `50`.
    pub login_rate: u32,
    /// `rtm_token`: what is made of the App Certificate for RTM. Default `"006"`.
    pub rtm_token: RtmToken,
    /// `[upstream.agent]`
    pub agent: Agent,
}

/// The kinds of upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamKind {
    /// `"embedded"`: an RTM service inside this process, for development and tests.
    #[default]
    Embedded,
    /// `"redis"`: an RTM service of all sidecars that share a Redis (docs/guide/cluster.md).
    Redis,
    /// `"agent"`: RTM's own SDK in a process that dials in (docs/agent-link.md).
    Agent,
}

/// Tokens for RTM (upstreams 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtmToken {
    /// `"006"`: AccessToken, for any RTM 1.x.
    #[default]
    V006,
    /// `"007"`: AccessToken2, for RTM 1.5 and later.
    V007,
    /// `"none"`: none, for an app without a certificate.
    None,
}

/// `[upstream.agent]`: where agents come in.
#[derive(Clone, Debug)]
pub struct Agent {
    /// `listen`: address and port. Default `"127.0.0.1:8010"`.
    pub listen: SocketAddr,
    /// `secret_file`: what agents must know, 16 bytes or more. Default: none, which only a loopback address may.
    pub secret: Option<SecretString>,
    /// `origins`: pages that may connect. Default: none; processes have no origin.
    pub origins: Vec<String>,
    /// `call_wait`: how long calls wait for an agent that is away; `"0s"` has them fail at once. Default `"4s"`.
    pub call_wait: Duration,
}

/// `[embedded]`: the embedded RTM.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// `rate_scale`: RTM's documented call rates are multiplied by it. Default `1`.
    pub rate_scale: u32,
    /// `offline_messages`: whether it offers RTM's offline messages, which not every SDK has. Default `false`.
    pub offline_messages: bool,
    /// `listen`: address and port at which apps may be users of it, by the agent link. Default: none.
    pub listen: Option<SocketAddr>,
    /// `secret_file`: what they must know. Default: none, which only a loopback address may.
    pub secret: Option<SecretString>,
    /// `origins`: pages that may connect. Default: none.
    pub origins: Vec<String>,
}

/// `[[app]]`: an app among several.
#[derive(Clone, Debug)]
pub struct App {
    /// `id`: the legacy `vid`, and RTM's App ID.
    pub id: AppId,
    /// `certificate` or `certificate_file`, `allow_no_token`: as in `[auth]`.
    pub auth: TokenPolicy,
    /// `upstream`: `"embedded"`, `"redis"` or `"agent"`. Default: that of `[upstream]`.
    pub upstream: UpstreamKind,
    /// `allowed_origins`: pages whose browsers may log in to it. Programs always may. Default: pages of any origin.
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

/// Origins of pages; `None` where the key is missing.
pub(super) fn origins(table: &mut Table<'_>, key: &str) -> Option<Vec<String>> {
    let listed = table.take_strs(key)?;
    let mut origins = Vec::new();
    for origin in listed {
        let legal = origin.contains("://") && !origin.ends_with('/') && !origin.contains('*');
        if legal {
            origins.push(origin.value.to_string());
        } else {
            let title = format!("`{}.{key}`: expected an origin, got \"{}\"", table.path(), origin.value);
            table.report(Diag::new(&origin.span, title).help("such as \"http://127.0.0.1:8011\", without a path"));
        }
    }
    Some(origins)
}

/// Reads the secret of an address. Without one, only a loopback address is accepted.
pub(super) fn local_secret(
    table: &mut Table<'_>,
    files: &dyn Files,
    key: &str,
    listen: Option<&Spanned<SocketAddr>>,
) -> Option<SecretString> {
    let what = key.trim_end_matches("_file");
    let Some(path) = table.take_str(key) else {
        if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback()) {
            let title = format!("`{}.listen`: others than this machine need a {what}", table.path());
            table.report(
                Diag::new(&listen.span, title).help(format!("name a `{key}`; `openssl rand -hex 32` makes one")),
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
            "`{}.{key}`: the {what} needs {MIN_SECRET_BYTES} visible ASCII characters or more",
            table.path()
        );
        table.report(Diag::new(&path.span, title).help("make one with `openssl rand -hex 32`"));
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
                    format!("`app`: `{}` is there twice", id.value.as_str()),
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

/// `certificate` or `certificate_file`; both are one too many, and either belongs to an app.
pub(super) fn app_certificate(table: &mut Table<'_>, files: &dyn Files, has_app_id: bool) -> Option<SecretString> {
    let inline: Option<Spanned<Text>> = table.take_str("certificate");
    let file = table.take_str("certificate_file");
    if let (Some(inline), Some(_)) = (&inline, &file) {
        let title = format!(
            "`{}`: both `certificate` and `certificate_file` are given",
            table.path()
        );
        let both = Diag::new(&inline.span, title);
        table.report(both.help("keep `certificate_file`, so that the secret is not in the config"));
    }
    if let Some(given) = inline.as_ref().or(file.as_ref())
        && !has_app_id
    {
        let title = format!("`{}`: a certificate needs `app_id`", table.path());
        let alone = Diag::new(&given.span, title);
        table.report(alone.help("an App Certificate belongs to one App ID: name it"));
    }
    let inline = inline.and_then(|text| certificate(table, &text.span, &text));
    let file = file.and_then(|path| certificate(table, &path.span, &file_text(table, files, &path)?));
    inline.or(file)
}
