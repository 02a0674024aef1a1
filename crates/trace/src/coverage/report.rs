//! Coverage report for migration teams.

use std::collections::BTreeMap;

use serde::Serialize;

use rtm::value::Text;
use tables::Tables;
use tables::row::{CodeId, RowId};

use crate::coverage::class::{Class, Noted};
use crate::coverage::{Coverage, Key};

/// Report; every list is sorted by its counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub summary: Summary,
    /// Refused, unknown and inexact items, with workarounds.
    pub look_at_first: Vec<Finding>,
    pub calls: Vec<Used>,
    /// Documented events sent to clients; SDKs derive others from answers.
    pub events: Vec<Used>,
    /// Wire functions without a documented call.
    pub wire: Vec<Named>,
    /// Unknown functions.
    pub unknown: Vec<Named>,
}

/// Totals: each call is in one of the five classes, or unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub sessions: u64,
    /// Documented and unknown calls.
    pub calls: u64,
    /// One call of the other side, without a limitation.
    pub exact: u64,
    /// Made of other calls, without a limitation.
    pub emulated: u64,
    /// Done by the SDK itself.
    pub client_side: u64,
    /// With a limitation.
    pub inexact: u64,
    /// Refused because of a limitation.
    pub refused: u64,
    /// Unknown functions.
    pub unknown: u64,
    /// Failed for any reason.
    pub failed: u64,
    /// Events sent to clients.
    pub events: u64,
    /// Invalid frames.
    pub unreadable: u64,
}

/// Call or event, and its mapping.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Used {
    /// Documented name.
    pub name: Text,
    pub row: Text,
    pub count: u64,
    /// Exactness.
    pub class: Class,
    /// Mapping status.
    pub status: &'static str,
    /// Emulation in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emulation: Option<&'static str>,
    /// Noted limitations with counts, over all calls of the row.
    pub noted: BTreeMap<Text, u64>,
    /// Limitations that always apply.
    pub always: Vec<Text>,
    /// Refusals because of a limitation.
    pub refused: u64,
    /// All refusals, by reason.
    pub failures: BTreeMap<Text, u64>,
}

/// Limitation in use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Resulting class.
    pub class: Class,
    pub code: Text,
    /// Number of notes; for one that always applies, number of affected uses.
    pub count: u64,
    /// True if it always applies.
    pub always: bool,
    /// Affected rows.
    pub rows: Vec<Text>,
    /// Used calls and events of these rows.
    pub used_by: Vec<Text>,
    /// Reason for the inexact translation.
    pub cause: Text,
    /// Workaround for apps.
    pub workaround: Text,
}

/// Function with its number of calls.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    pub name: Text,
    pub count: u64,
}

impl Coverage {
    /// Creates the report, with the tables used for counting.
    pub fn report(&self, tables: &Tables) -> Report {
        let noted = Noted::of(tables);
        let empty = BTreeMap::new();
        let mut calls: Vec<Used> = self
            .calls
            .iter()
            .map(|(&key, calls)| self.used(tables, &noted, key, calls.count, calls.refused, &calls.reasons))
            .collect();
        let mut events: Vec<Used> = self
            .events
            .iter()
            .map(|(&key, &count)| self.used(tables, &noted, key, count, 0, &empty))
            .collect();
        for used in [&mut calls, &mut events] {
            used.sort_by(|a, b| (b.count, &a.name, &a.row).cmp(&(a.count, &b.name, &b.row)));
        }
        Report {
            summary: self.summary(tables, &noted),
            look_at_first: self.findings(tables, &noted, &calls, &events),
            calls,
            events,
            wire: named(&self.wire),
            unknown: named(&self.unknown),
        }
    }

    fn used(
        &self,
        tables: &Tables,
        noted: &Noted,
        (sig, row): Key,
        count: u64,
        refused: u64,
        failures: &BTreeMap<Text, u64>,
    ) -> Used {
        let of = &tables.rows[row];
        let code = |code: &CodeId| tables.code_name(*code).clone();
        let always = noted.always(tables, row);
        let was_noted: BTreeMap<Text, u64> = self.noted_in(row).map(|(at, n)| (code(&at), n)).collect();
        let class = match Class::of(of.status) {
            Class::Refused => Class::Refused,
            _ if refused > 0 && refused == count => Class::Refused,
            _ if !was_noted.is_empty() || !always.is_empty() => Class::Inexact,
            class => class,
        };
        Used {
            name: tables.signatures[sig].name.clone(),
            row: of.id.clone(),
            count,
            class,
            status: of.status.name(),
            emulation: of.emulation.map(|emulation| emulation.name()),
            noted: was_noted,
            always: always.iter().map(code).collect(),
            refused,
            failures: failures.clone(),
        }
    }

    fn noted_in(&self, row: RowId) -> impl Iterator<Item = (CodeId, u64)> {
        let notes = self.notes.range((row, 0)..=(row, CodeId::MAX));
        notes.map(|((_, code), n)| (*code, *n))
    }

    /// Counts by row, since limitations are noted by row.
    fn summary(&self, tables: &Tables, noted: &Noted) -> Summary {
        let unknown = self.unknown.values().sum();
        let mut summary = Summary {
            sessions: self.sessions,
            calls: unknown,
            unknown,
            events: self.events.values().sum(),
            unreadable: self.unreadable,
            ..Summary::default()
        };
        let mut rows: BTreeMap<RowId, (u64, u64)> = BTreeMap::new();
        for (&(_, row), calls) in &self.calls {
            summary.failed += calls.failed;
            let (count, refused) = rows.entry(row).or_default();
            *count += calls.count;
            *refused += calls.refused;
        }
        for (row, (count, refused)) in rows {
            summary.calls += count;
            let class = Class::of(tables.rows[row].status);
            let refused = if class == Class::Refused {
                count
            } else {
                refused.min(count)
            };
            let rest = count - refused;
            let inexact = if noted.always(tables, row).is_empty() {
                // A refused call has noted its reason.
                let notes: u64 = self.noted_in(row).map(|(_, n)| n).sum();
                notes.saturating_sub(refused).min(rest)
            } else {
                rest
            };
            summary.refused += refused;
            summary.inexact += inexact;
            *match class {
                Class::Exact => &mut summary.exact,
                Class::ClientSide => &mut summary.client_side,
                _ => &mut summary.emulated,
            } += rest - inexact;
        }
        summary
    }

    fn findings(&self, tables: &Tables, noted: &Noted, calls: &[Used], events: &[Used]) -> Vec<Finding> {
        let mut rows_by_code: BTreeMap<CodeId, (u64, bool, Vec<RowId>)> = BTreeMap::new();
        for (&(row, code), &count) in &self.notes {
            let found = rows_by_code.entry(code).or_default();
            found.0 += count;
            found.2.push(row);
        }
        let used = self.calls.iter().map(|(key, calls)| (key.1, calls.count));
        let used = used.chain(self.events.iter().map(|(key, count)| (key.1, *count)));
        for (row, count) in used {
            for code in noted.always(tables, row) {
                let found = rows_by_code.entry(code).or_default();
                found.0 += count;
                found.1 = true;
                if !found.2.contains(&row) {
                    found.2.push(row);
                }
            }
        }
        let finding = |(code, (count, always, rows)): (CodeId, (u64, bool, Vec<RowId>))| {
            let limit = &tables.codes[code];
            let rows: Vec<Text> = rows.into_iter().map(|row| tables.rows[row].id.clone()).collect();
            let concerned = || calls.iter().chain(events).filter(|used| rows.contains(&used.row));
            let refused = concerned().any(|used| used.refused > 0 || used.class == Class::Refused);
            let mut used_by: Vec<Text> = concerned().map(|used| used.name.clone()).collect();
            used_by.sort();
            used_by.dedup();
            Finding {
                class: if refused && !always {
                    Class::Refused
                } else {
                    Class::Inexact
                },
                code: limit.name.clone(),
                count,
                always,
                used_by,
                rows,
                cause: limit.cause.clone(),
                workaround: limit.workaround.clone(),
            }
        };
        let mut findings: Vec<Finding> = rows_by_code.into_iter().map(finding).collect();
        // A noted occurrence is more specific than a permanent limitation.
        findings.sort_by(|a, b| (a.class, a.always, b.count, &a.code).cmp(&(b.class, b.always, a.count, &b.code)));
        findings
    }
}

fn named(names: &BTreeMap<Text, u64>) -> Vec<Named> {
    let one = |(name, &count): (&Text, &u64)| Named {
        name: name.clone(),
        count,
    };
    let mut names: Vec<Named> = names.iter().map(one).collect();
    names.sort_by(|a, b| (b.count, &a.name).cmp(&(a.count, &b.name)));
    names
}
