//! Pairs of the comparison pages that sessions exercised. A call counts if it succeeded, or was refused where the
//! vendor refuses it. An event counts if it was sent to the client or derived by it from an answer.

use std::collections::{BTreeMap, BTreeSet};

use tables::Tables;
use tables::comparison::{Pair, Resolved, real_names, resolve};
use tables::row::{Row, RowId, RowKind, Status};
use trace::{PlayedSession, Used};

/// Client families of a page, by wire name.
const FAMILIES: &[(&str, &[&str])] = &[
    ("ios-macos", &["native"]),
    ("web", &["web"]),
    ("linux-java", &["javasdk", "native"]),
    ("linux-cpp", &["native"]),
    ("linux-cpp-2019-08", &["native"]),
];

/// Calls that SDKs send as another call for their own account: both share one wire function (signaling-wire 4).
const FOR_ONESELF: &[(&str, &str)] = &[("user-attr.get-all", "user-attr.get-all-of-user")];

/// Returns the client families of a page; none for an unknown page.
pub fn families(platform: &str) -> &'static [&'static str] {
    let known = FAMILIES.iter().find(|(page, _)| *page == platform);
    known.map_or(&[], |(_, families)| families)
}

/// Pairs and the traces that exercise them, by name.
#[derive(Clone, Debug, Default)]
pub struct Exercised {
    by_pair: BTreeMap<(&'static str, &'static str), BTreeSet<String>>,
}

impl Exercised {
    /// Counts the sessions of a trace.
    pub fn add(&mut self, tables: &Tables, trace: &str, sessions: &[PlayedSession]) {
        for found in resolve(tables).iter().filter(|found| crosses(found.status)) {
            let is_meant = |session: &&PlayedSession| {
                session.platform.as_deref() == Some(found.pair.platform)
                    && families(found.pair.platform).contains(&&*session.family)
            };
            if sessions
                .iter()
                .filter(is_meant)
                .any(|session| uses(tables, found, &session.used))
            {
                self.by_pair
                    .entry(key(&found.pair))
                    .or_default()
                    .insert(trace.to_owned());
            }
        }
    }

    /// Returns the traces that exercise a pair.
    pub fn traces(&self, pair: &Pair) -> Vec<&str> {
        let traces = self.by_pair.get(&key(pair)).into_iter().flatten();
        traces.map(String::as_str).collect()
    }
}

/// Returns true if a pair of this status reaches the wire.
pub(super) fn crosses(status: Status) -> bool {
    match status {
        Status::Direct | Status::Emulated | Status::Refused => true,
        Status::ClientSide | Status::Internal => false,
    }
}

fn key(pair: &Pair) -> (&'static str, &'static str) {
    (pair.id, pair.platform)
}

fn uses(tables: &Tables, found: &Resolved, used: &Used) -> bool {
    let row = &tables.rows[found.row];
    match row.kind {
        RowKind::Call(_) => {
            let served = |row: &RowId| match found.status {
                Status::Refused => used.called.contains(row),
                _ => used.succeeded.contains(row),
            };
            let other = FOR_ONESELF.iter().find(|(id, _)| *id == &*row.id);
            let other = other.and_then(|(_, other)| tables.row_named(other));
            served(&found.row) || other.is_some_and(|other| used.for_oneself.contains(&other) && served(&other))
        }
        RowKind::Event(_) => used.emitted.iter().any(|(_, of)| *of == found.row),
        RowKind::Result => result_is_used(tables, row, used),
    }
}

/// A row's own event reports its result. Otherwise, a row of its section with the same event, or any success of the
/// section counts.
fn result_is_used(tables: &Tables, row: &Row, used: &Used) -> bool {
    let names = real_names(tables, row);
    let is_near = |of: &usize| section(&tables.rows[*of].id) == section(&row.id);
    if names.is_empty() {
        return used.succeeded.iter().any(is_near);
    }
    let is_named = |(sig, of): &(usize, usize)| is_near(of) && names.contains(&tables.signatures[*sig].name);
    used.emitted.iter().any(is_named)
}

/// Returns `peer` for `peer.send`.
pub(super) fn section(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}
