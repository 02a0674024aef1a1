//! All keys of a config with their values: for `sigbridge config show`, and for the changes of a reload.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::Config;
use crate::config::declare::{Change, Section, SectionSpec, Shown};
use crate::config::rest::RestKeys;
use crate::config::sunset::SunsetKeys;
use crate::config::tls::TlsKeys;
use crate::config::upstream::{Agent, AppKeys, AuthKeys, Embedded, Upstream};
use crate::config::{
    Admin, Discovery, Drain, Invite, Limits, Listen, Log, Mailbox, Otel, Policy, RecordConfig, Redis, Session, Webhook,
};
use tables::diagnostics::Span;

/// Places of the keys that are set, by dotted name.
#[derive(Clone, Default)]
pub struct KeyPositions(BTreeMap<String, Span>);

impl KeyPositions {
    /// Notes the keys of a section.
    pub(super) fn note(&mut self, section: &str, keys: &BTreeMap<&'static str, Span>) {
        let keys = keys
            .iter()
            .map(|(key, span)| (format!("{section}.{key}"), span.clone()));
        self.0.extend(keys);
    }

    /// Returns the place of a key, if it is set.
    pub fn place(&self, name: &str) -> Option<&Span> {
        self.0.get(name)
    }
}

/// Prints nothing of it, so that equal configs print alike.
impl fmt::Debug for KeyPositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPositions")
    }
}

/// Key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Dotted name; that of an app has its App ID.
    pub name: String,
    pub shown: Shown,
}

/// Change of a key between two configs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Dotted name.
    pub name: String,
    /// Old and new value as TOML; secrets are not shown.
    pub old: Option<String>,
    pub new: Option<String>,
    pub change: Change,
}

impl Config {
    /// Returns the declarations of all sections, in the order of documents.
    pub fn sections() -> Vec<SectionSpec> {
        let uid = SectionSpec {
            name: "uid",
            text:
                "Numeric ids (uid) of accounts, for apps that have stored those of the legacy service. All others are \
                   derived from the account. An entry is an account and a number, both in quotes: \"alice\" = \
                   \"1868405786\""
                    .to_owned(),
            repeated: false,
            keys: Vec::new(),
        };
        let repeated = |spec| SectionSpec { repeated: true, ..spec };
        vec![
            Listen::spec(),
            TlsKeys::spec(),
            Discovery::spec(),
            AuthKeys::spec(),
            Session::spec(),
            Drain::spec(),
            Invite::spec(),
            Mailbox::spec(),
            Limits::spec(),
            Policy::spec(),
            uid,
            Upstream::spec(),
            Agent::spec(),
            RestKeys::spec(),
            Redis::spec(),
            Embedded::spec(),
            repeated(AppKeys::spec()),
            repeated(SunsetKeys::spec()),
            RecordConfig::spec(),
            Webhook::spec(),
            Log::spec(),
            Otel::spec(),
            Admin::spec(),
        ]
    }

    /// Returns all keys with their values.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        add(&mut entries, &self.listen);
        add(
            &mut entries,
            &self.tls.as_ref().map_or_else(TlsKeys::default, TlsKeys::from),
        );
        if let Some(tls) = &self.tls {
            // The path is the same when the file changes.
            let content = tls.identity.content();
            let of_tls = entries.iter_mut().filter(|entry| entry.name.starts_with("tls."));
            of_tls.for_each(|entry| entry.shown.content.push_str(&content));
        }
        add(&mut entries, &self.discovery);
        if self.apps.is_empty() {
            add(&mut entries, &AuthKeys::from(&self.auth));
        }
        add(&mut entries, &self.session);
        add(&mut entries, &self.drain);
        add(&mut entries, &self.invite);
        add(&mut entries, &self.mailbox);
        add(&mut entries, &self.limits);
        add(&mut entries, &self.policy);
        let uids: BTreeMap<_, _> = self.uid.iter().collect();
        entries.extend(uids.into_iter().map(|(account, uid)| Entry {
            name: format!("uid.{account}"),
            shown: Shown {
                key: "uid",
                value: Some(format!("\"{uid}\"")),
                content: uid.to_string(),
                change: Change::Reload,
                is_secret: false,
            },
        }));
        add(&mut entries, &self.upstream);
        add(&mut entries, &self.upstream.agent);
        add(
            &mut entries,
            &self.rest.as_ref().map_or_else(RestKeys::default, RestKeys::from),
        );
        add(&mut entries, &self.redis);
        add(&mut entries, &self.embedded);
        for app in &self.apps {
            add_named(&mut entries, &format!("app.{}", app.id.as_str()), &AppKeys::from(app));
        }
        for (at, sunset) in self.sunsets.iter().enumerate() {
            add_named(&mut entries, &format!("sunset.{}", at + 1), &SunsetKeys::from(sunset));
        }
        add(&mut entries, &self.record);
        add(&mut entries, &self.webhook);
        add(&mut entries, &self.log);
        add(&mut entries, &self.otel);
        add(&mut entries, &self.admin);
        entries
    }

    /// Returns the keys whose values differ from those of a newer config.
    pub fn changes(&self, new: &Config) -> Vec<Changed> {
        let by_name = |config: &Config| -> BTreeMap<String, Shown> {
            let entries = config.entries().into_iter();
            entries.map(|entry| (entry.name, entry.shown)).collect()
        };
        let (old, new) = (by_name(self), by_name(new));
        let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
        names
            .filter_map(|name| {
                let (old, new) = (old.get(name), new.get(name));
                let is_same = old.map(|old| &old.content) == new.map(|new| &new.content);
                let known = old.or(new).filter(|_| !is_same)?;
                // A key of an app that comes or goes takes effect with it.
                let change = match (old, new) {
                    (Some(_), Some(_)) => known.change,
                    _ => Change::Reload,
                };
                Some(Changed {
                    name: name.clone(),
                    old: old.and_then(|shown| shown.value.clone()),
                    new: new.and_then(|shown| shown.value.clone()),
                    change,
                })
            })
            .collect()
    }
}

fn add<S: Section>(entries: &mut Vec<Entry>, section: &S) {
    add_named(entries, S::NAME, section);
}

fn add_named<S: Section>(entries: &mut Vec<Entry>, name: &str, section: &S) {
    let values = section.values().into_iter();
    entries.extend(values.map(|shown| Entry {
        name: format!("{name}.{}", shown.key),
        shown,
    }));
}
