//! Conversion of the file's text to a [`Config`].

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::config::declare::{Reader, Section};
use crate::config::otel::otel;
use crate::config::redis::redis;
use crate::config::rest::rest;
use crate::config::sunset::sunsets;
use crate::config::tls::tls;
use crate::config::upstream::{agent, apps, auth, embedded, needs_secret};
use crate::config::webhook::webhook;
use crate::config::{
    Admin, Config, Discovery, DiskFiles, Drain, Files, Invite, KeyPositions, Limits, Listen, Log, Mailbox, Policy,
    RecordConfig, Rest, Session, Upstream,
};
use rtm::value::Text;
use tables::diagnostics::{Diag, Diags, Source};
use tables::spanned_toml::{Table, read};
use text_files::read_text;

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

    /// Reads the environment variables alone, for a process without a config file.
    ///
    /// # Errors
    /// All errors of the variables.
    pub fn of_environment() -> Result<Self, Diags> {
        Self::parse(&Self::source("", ""), &DiskFiles::beside(Path::new("")))
    }

    /// Reads `[listen]` and `[discovery]` only; other sections get defaults. For commands that create files named in
    /// other sections.
    ///
    /// # Errors
    /// All errors of these sections.
    pub fn load_addresses(path: &Path) -> Result<Self, Diags> {
        let files = DiskFiles::beside(path);
        read(&source_at(path)?, |mut root| {
            let mut given = KeyPositions::default();
            let mut sections = Sections {
                files: &files,
                given: &mut given,
            };
            let config = Self {
                listen: sections.read(&mut root, "listen", |reader| listen(reader, true)),
                discovery: sections.read(&mut root, "discovery", Discovery::read),
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
    let mut given = KeyPositions::default();
    let mut sections = Sections {
        files,
        given: &mut given,
    };
    let (tls, has_tls) = sections.read(&mut root, "tls", |reader| tls(reader, files));
    let (upstream, rest) = upstream(&mut root, &mut sections);
    if root.has("app") && root.has("auth") {
        root.error("`[auth]` and `[[app]]` are mutually exclusive");
    }
    let mut config = Config {
        listen: sections.read(&mut root, "listen", |reader| listen(reader, has_tls)),
        tls,
        discovery: sections.read(&mut root, "discovery", Discovery::read),
        auth: sections.read(&mut root, "auth", |reader| auth(reader, files)),
        session: sections.read(&mut root, "session", Session::read),
        drain: sections.read(&mut root, "drain", Drain::read),
        invite: sections.read(&mut root, "invite", Invite::read),
        record: sections.read(&mut root, "record", RecordConfig::read),
        mailbox: sections.read(&mut root, "mailbox", Mailbox::read),
        limits: sections.read(&mut root, "limits", Limits::read),
        policy: sections.read(&mut root, "policy", Policy::read),
        uid: root.take_table("uid").map(uids).unwrap_or_default(),
        apps: apps(root.take_tables("app"), files, upstream.kind),
        sunsets: sunsets(root.take_tables("sunset"), files),
        upstream,
        rest,
        redis: sections.read(&mut root, "redis", |reader| redis(reader, files)),
        embedded: sections.read(&mut root, "embedded", embedded),
        webhook: sections.read(&mut root, "webhook", webhook),
        log: sections.read(&mut root, "log", Log::read),
        otel: sections.read(&mut root, "otel", otel),
        admin: sections.read(&mut root, "admin", admin),
        given: KeyPositions::default(),
    };
    root.finish();
    config.given = given;
    config
}

/// Reader of sections, which notes where keys are set.
struct Sections<'s> {
    files: &'s dyn Files,
    given: &'s mut KeyPositions,
}

impl Sections<'_> {
    /// Reads the section `name`, which is also read if it is missing: environment variables may set its keys.
    fn read<T: Default>(
        &mut self,
        parent: &mut Table<'_>,
        name: &'static str,
        build: impl FnOnce(&mut Reader<'_, '_>) -> T,
    ) -> T {
        let key = name.rsplit('.').next().unwrap_or(name);
        let Some(mut table) = parent.take_table_or_empty(key) else {
            return T::default();
        };
        let section = self.keys(&mut table, name, build);
        table.finish();
        section
    }

    /// Reads the keys of a table that may have further ones.
    fn keys<T>(
        &mut self,
        table: &mut Table<'_>,
        name: &'static str,
        build: impl FnOnce(&mut Reader<'_, '_>) -> T,
    ) -> T {
        let mut reader = Reader::new(table, self.files, Some(name));
        let section = build(&mut reader);
        self.given.note(name, reader.given());
        section
    }
}

fn upstream(root: &mut Table<'_>, sections: &mut Sections<'_>) -> (Upstream, Option<Rest>) {
    let Some(mut table) = root.take_table_or_empty("upstream") else {
        return Default::default();
    };
    let agent = sections.read(&mut table, "upstream.agent", agent);
    // Only a section that exists enables it.
    let rest = match table.has("rest") {
        true => {
            let files = sections.files;
            sections.read(&mut table, "upstream.rest", |reader| rest(reader, files))
        }
        false => None,
    };
    let upstream = sections.keys(&mut table, "upstream", Upstream::read);
    table.finish();
    (Upstream { agent, ..upstream }, rest)
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

fn listen(reader: &mut Reader<'_, '_>, has_tls: bool) -> Listen {
    let listen = Listen::read(reader);
    if let Some(place) = reader.place("wss").filter(|_| !has_tls) {
        let plain = Diag::new(place, "`listen.wss`: requires `[tls]`");
        reader.report(
            plain.help("set the certificate and key in `[tls]`; `sigbridge dev-cert` creates them for development"),
        );
    }
    listen
}

fn admin(reader: &mut Reader<'_, '_>) -> Admin {
    let admin = Admin::read(reader);
    needs_secret(reader, admin.listen, "token_file");
    admin
}
