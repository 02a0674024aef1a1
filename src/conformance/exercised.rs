//! Which pairs of the comparison pages sessions have exercised: a call when it has succeeded (one that is refused there, when
//! it was made), an event when the client was told it or makes it of an answer.

use std::collections::{BTreeMap, BTreeSet};

use tables::Tables;
use tables::comparison::{Pair, Resolved, real_names, resolve};
use tables::row::{Row, RowId, RowKind, Status};
use trace::{PlayedSession, Used};

/// The families of a page's legacy clients, as their wires name them.
const FAMILIES: &[(&str, &[&str])] = &[
    ("ios-macos", &["native"]),
    ("web", &["web"]),
    ("linux-java", &["javasdk", "native"]),
    ("linux-cpp", &["native"]),
    ("linux-cpp-2019-08", &["native"]),
];

/// Calls that SDKs send as another one, for their own account: the wire has one function for both (signaling-wire 4).
const FOR_ONESELF: &[(&str, &str)] = &[("user-attr.get-all", "user-attr.get-all-of-user")];

/// The families of a page's legacy clients; none for what is no page.
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

    /// The traces that exercise a pair.
    pub fn traces(&self, pair: &Pair) -> Vec<&str> {
        let traces = self.by_pair.get(&key(pair)).into_iter().flatten();
        traces.map(String::as_str).collect()
    }
}

/// Whether something of it is on the wire.
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
        RowKind::Event(_) => used.told.iter().any(|(_, of)| *of == found.row),
        RowKind::Result => result_is_used(tables, row, used),
    }
}

/// A result is told by the row itself, by a row of its section that tells the same event, or, where it has no event of its
/// own, by any success of its section.
fn result_is_used(tables: &Tables, row: &Row, used: &Used) -> bool {
    let names = real_names(tables, row);
    let is_near = |of: &usize| section(&tables.rows[*of].id) == section(&row.id);
    if names.is_empty() {
        return used.succeeded.iter().any(is_near);
    }
    let told = |(sig, of): &(usize, usize)| is_near(of) && names.contains(&tables.signatures[*sig].name);
    used.told.iter().any(told)
}

/// `peer` of `peer.send`.
pub(super) fn section(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}
