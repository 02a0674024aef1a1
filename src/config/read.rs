//! Conversion of the file's text to a [`Config`].

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::log::log;
use crate::config::redis::redis;
use crate::config::tls::tls;
use crate::config::upstream::{app_certificate, apps, embedded, local_secret, origins, upstream};
use crate::config::values::{
    CERTIFICATE_ENV, address, address_at, address_or_off, addresses, duration, host_name, host_port, ipv4, line_key,
    number, size, valid_certificate, value,
};
use crate::config::webhook::webhook;
use crate::config::{
    Admin, Config, Discovery, DiskFiles, Files, Invite, Limits, Listen, Mailbox, MissingAttribute, OverRate, Policy,
    RecordConfig, RepeatedInvite, Session,
};
use identity::TokenPolicy;
use rtm::AppId;
use rtm::value::Text;
use tables::diagnostics::{Diag, Diags, Source};
use tables::spanned_toml::{Table, read};
use text_files::read_text;
use trace::Policy as Replaced;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

impl Config {
    /// Reads the config at `path` and the files it names.
    ///
    /// # Errors
    /// All errors of the file.
    pub fn load(path: &Path) -> Result<Self, Diags> {
        Self::parse(&source_at(path)?, &DiskFiles::beside(path))
    }

    /// Creates a source for a config text. Errors show no line of it, since it may hold a misplaced secret.
    pub fn source(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Source::private(name, text)
    }

    /// Reads `[listen]` and `[discovery]` only; other sections get defaults. For commands that create files named in
    /// other sections.
    ///
    /// # Errors
    /// All errors of these sections.
    pub fn load_addresses(path: &Path) -> Result<Self, Diags> {
        read(&source_at(path)?, |mut root| {
            let config = Self {
                listen: section(&mut root, "listen", |table| listen(table, true)),
                discovery: section(&mut root, "discovery", discovery),
                ..Self::default()
            };
            root.into_entries();
            Some(config)
        })
    }

    /// Parses a config text (see [`Config::source`]) and reads its files from `files`.
    ///
    /// # Errors
    /// All errors of the text.
    pub fn parse(source: &Arc<Source>, files: &dyn Files) -> Result<Self, Diags> {
        read(source, |root| Some(config(root, files)))
    }
}

fn source_at(path: &Path) -> Result<Arc<Source>, Diags> {
    let name = path.display().to_string();
    match read_text(path) {
        Ok(text) => Ok(Config::source(name, text)),
        Err(error) => {
            let nowhere = Source::new(name, "").span(0..0);
            let diag = Diag::new(&nowhere, format!("cannot read the config file: {error}"));
            Err(match error.kind() {
                ErrorKind::NotFound => {
                    diag.help("check the path; start from config.example.toml, or omit --config to use the defaults")
                }
                _ => diag,
            }
            .into())
        }
    }
}

/// Builds the config; invalid keys get defaults, and [`read`] then returns errors only.
pub(super) fn config(mut root: Table<'_>, files: &dyn Files) -> Config {
    let (tls, has_tls) = section(&mut root, "tls", |table| tls(table, files));
    let (upstream, rest) = section(&mut root, "upstream", |table| upstream(table, files));
    if root.has("app") && root.has("auth") {
        root.error("`[auth]` and `[[app]]` are mutually exclusive");
    }
    let config = Config {
        listen: section(&mut root, "listen", |table| listen(table, has_tls)),
        tls,
        discovery: section(&mut root, "discovery", discovery),
        auth: section(&mut root, "auth", |table| auth(table, files)),
        session: section(&mut root, "session", |table| session(table, files)),
        invite: section(&mut root, "invite", invite),
        record: section(&mut root, "record", |table| record(table, files)),
        mailbox: section(&mut root, "mailbox", |table| mailbox(table, files)),
        limits: section(&mut root, "limits", limits),
        policy: section(&mut root, "policy", policy),
        uid: root.take_table("uid").map(uids).unwrap_or_default(),
        apps: apps(root.take_tables("app"), files, upstream.kind),
        upstream,
        rest,
        redis: section(&mut root, "redis", |table| redis(table, files)),
        embedded: section(&mut root, "embedded", |table| embedded(table, files)),
        webhook: section(&mut root, "webhook", |table| webhook(table, files)),
        log: section(&mut root, "log", log),
        admin: section(&mut root, "admin", |table| admin(table, files)),
    };
    root.finish();
    config
}

/// Keys are accounts, so no key is unknown.
fn uids(table: Table<'_>) -> Arc<HashMap<Text, u32>> {
    let mut uids = HashMap::new();
    for (account, item) in table.into_entries() {
        let legal = |text: &str| match text.parse::<u32>() {
            Ok(number) if (1..=0x7fff_ffff).contains(&number) => Ok(number),
            _ => Err(format!(
                "expected a number from 1 to 2147483647 in quotes, got \"{text}\""
            )),
        };
        if let Some(number) = item.into_parsed(legal) {
            uids.insert(account.value, number.value);
        }
    }
    Arc::new(uids)
}

fn section<'r, T: Default>(root: &mut Table<'r>, key: &str, build: impl FnOnce(&mut Table<'r>) -> T) -> T {
    let Some(mut table) = root.take_table(key) else {
        return T::default();
    };
    let section = build(&mut table);
    table.finish();
    section
}

fn listen(table: &mut Table<'_>, has_tls: bool) -> Listen {
    let default = Listen::default();
    let wss = address_at(table, "wss");
    if let Some(wss) = &wss
        && !has_tls
    {
        let plain = Diag::new(&wss.span, "`listen.wss`: requires `[tls]`");
        table.report(
            plain.help("set the certificate and key in `[tls]`; `sigbridge dev-cert` creates them for development"),
        );
    }
    Listen {
        http: address(table, "http").unwrap_or(default.http),
        tcp: address_or_off(table, "tcp").unwrap_or(default.tcp),
        udp: addresses(table, "udp").unwrap_or(default.udp),
        reports: address(table, "reports"),
        wss: value(wss),
        allowed_origins: origins(table, "allowed_origins"),
        api_allowed_origins: origins(table, "api_allowed_origins"),
    }
}

fn discovery(table: &mut Table<'_>) -> Discovery {
    let default = Discovery::default();
    Discovery {
        advertise_ip: value(table.take_parsed("advertise_ip", ipv4)).unwrap_or(default.advertise_ip),
        // Web SDKs need the port above it.
        advertise_port: number(table, "advertise_port", 1..=65534).map(|port| port as u16),
        advertise_host: value(table.take_parsed("advertise_host", host_port)),
        advertise_tcp: value(table.take_parsed("advertise_tcp", host_port)),
    }
}

fn auth(table: &mut Table<'_>, files: &dyn Files) -> TokenPolicy {
    let has_app_id = table.has("app_id");
    let app_id = table.take_parsed("app_id", |text| AppId::new(text));
    let file = app_certificate(table, files, has_app_id);
    let from_env = || files.env(CERTIFICATE_ENV).filter(|_| has_app_id);
    let certificate = file.or_else(|| valid_certificate(table, table.span(), &from_env()?));
    TokenPolicy {
        app_id: value(app_id),
        certificate,
        allow_no_token: value(table.take_bool("allow_no_token")).unwrap_or_default(),
    }
}

fn session(table: &mut Table<'_>, files: &dyn Files) -> Session {
    let default = Session::default();
    Session {
        login_timeout: duration(table, "login_timeout", SECOND..=HOUR).unwrap_or(default.login_timeout),
        rtm_login_timeout: duration(table, "rtm_login_timeout", 100 * MS..=HOUR).unwrap_or(default.rtm_login_timeout),
        grace: duration(table, "grace", Duration::ZERO..=24 * HOUR).unwrap_or(default.grace),
        twin_window: duration(table, "twin_window", Duration::ZERO..=HOUR).unwrap_or(default.twin_window),
        line_key: line_key(table, files),
    }
}

fn invite(table: &mut Table<'_>) -> Invite {
    let range = SECOND..=55 * SECOND;
    Invite {
        timeout: duration(table, "timeout", range).unwrap_or(Invite::default().timeout),
    }
}

fn mailbox(table: &mut Table<'_>, files: &dyn Files) -> Mailbox {
    let default = Mailbox::default();
    Mailbox {
        limit: number(table, "limit", 1..=100_000).map_or(default.limit, |n| n as usize),
        bytes: size(table, "bytes", (64 << 10)..=(1 << 30)).unwrap_or(default.bytes),
        ttl: duration(table, "ttl", SECOND..=720 * HOUR).unwrap_or(default.ttl),
        file: table.take_str("file").map(|path| files.path(Path::new(&*path.value))),
    }
}

fn record(table: &mut Table<'_>, files: &dyn Files) -> RecordConfig {
    let default = RecordConfig::default();
    RecordConfig {
        folder: table.take_str("folder").map(|path| files.path(Path::new(&*path.value))),
        file_size: number(table, "file_size", 1..=1_000_000).map_or(default.file_size, u64::from),
        file_time: duration(table, "file_time", SECOND..=720 * HOUR).unwrap_or(default.file_time),
        files: number(table, "files", 1..=1_000_000).map_or(default.files, |n| n as usize),
        names: value(table.take_choice("names", Replaced::NAMES)).unwrap_or_default(),
        bodies: value(table.take_choice("bodies", Replaced::NAMES)).unwrap_or_default(),
    }
}

fn limits(table: &mut Table<'_>) -> Limits {
    let default = Limits::default();
    Limits {
        messages_per_second: number(table, "messages_per_second", 1..=1_000_000).unwrap_or(default.messages_per_second),
        channel_messages_per_second: number(table, "channel_messages_per_second", 0..=1_000_000)
            .unwrap_or(default.channel_messages_per_second),
        invitations_per_second: number(table, "invitations_per_second", 1..=1_000_000)
            .unwrap_or(default.invitations_per_second),
        sockets: number(table, "sockets", 1..=10_000_000).map_or(default.sockets, |n| n as usize),
        write_stall: duration(table, "write_stall", SECOND..=HOUR).unwrap_or(default.write_stall),
        outbound_bytes: size(table, "outbound_bytes", (64 << 10)..=(1 << 30)).unwrap_or(default.outbound_bytes),
        memory: size(table, "memory", (1 << 20)..=(1 << 40)).unwrap_or(default.memory),
    }
}

fn policy(table: &mut Table<'_>) -> Policy {
    let over_rate = [("fail", OverRate::Fail), ("discard", OverRate::Discard)];
    let missing = [("fail", MissingAttribute::Fail), ("empty", MissingAttribute::Empty)];
    let repeated = [("replace", RepeatedInvite::Replace), ("fail", RepeatedInvite::Fail)];
    Policy {
        over_rate: value(table.take_choice("over_rate", &over_rate)).unwrap_or_default(),
        missing_attribute: value(table.take_choice("missing_attribute", &missing)).unwrap_or_default(),
        repeated_invite: value(table.take_choice("repeated_invite", &repeated)).unwrap_or_default(),
        force_join: value(table.take_bool("force_join")).unwrap_or_default(),
    }
}

fn admin(table: &mut Table<'_>, files: &dyn Files) -> Admin {
    let listen = address_at(table, "listen");
    let token = local_secret(table, files, "token_file", listen.as_ref());
    let hosts = table.take_array("allowed_hosts").into_iter().flatten();
    Admin {
        listen: value(listen),
        token,
        allowed_hosts: hosts.filter_map(|item| value(item.into_parsed(host_name))).collect(),
        usage_file: table
            .take_str("usage_file")
            .map(|path| files.path(Path::new(&*path.value))),
    }
}
