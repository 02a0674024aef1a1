//! What a migration team reads: the counters with the tables' words.

use std::collections::BTreeMap;

use serde::Serialize;

use rtm::value::Text;
use tables::Tables;
use tables::row::{CodeId, RowId};

use crate::coverage::class::{Class, Noted};
use crate::coverage::{Coverage, Key};

/// A report; every list is sorted by its counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// In numbers.
    pub summary: Summary,
    /// What is refused, unknown or inexact, with what an app can do.
    pub look_at_first: Vec<Finding>,
    /// Documented calls.
    pub calls: Vec<Used>,
    /// Documented events that were told; clients make others by themselves, out of answers.
    pub events: Vec<Used>,
    /// Functions of the wire that are no documented call.
    pub wire: Vec<Named>,
    /// Functions that no table knows.
    pub unknown: Vec<Named>,
}

/// The report in numbers: each call is in one of the five classes, or unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Sessions.
    pub sessions: u64,
    /// Documented calls, and those that no table knows.
    pub calls: u64,
    /// Those that are one call of the other side, without a limitation.
    pub exact: u64,
    /// Those that are made out of other calls, without a limitation.
    pub emulated: u64,
    /// Those that the SDK does by itself.
    pub client_side: u64,
    /// Those with a limitation.
    pub inexact: u64,
    /// Those that are not served, because of a limitation.
    pub refused: u64,
    /// Those that no table knows.
    pub unknown: u64,
    /// Those that failed, for any reason.
    pub failed: u64,
    /// Events that were told.
    pub events: u64,
    /// Frames that could not be read.
    pub unreadable: u64,
}

/// A call or an event, and what serves it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Used {
    /// Its documented name.
    pub name: Text,
    /// The row.
    pub row: Text,
    /// How often.
    pub count: u64,
    /// How exact it was.
    pub class: Class,
    /// How the row is served.
    pub status: &'static str,
    /// The emulation that helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emulation: Option<&'static str>,
    /// Limitations that were noted, and how often; a row's are those of all its calls.
    pub noted: BTreeMap<Text, u64>,
    /// Limitations that hold at all times.
    pub always: Vec<Text>,
    /// Refusals because of a limitation.
    pub refused: u64,
    /// Refusals for any reason, by the reason.
    pub failures: BTreeMap<Text, u64>,
}

/// A limitation that was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What it leads to.
    pub class: Class,
    /// Its code.
    pub code: Text,
    /// How often it was noted; when it holds at all times, how often what it concerns was used.
    pub count: u64,
    /// It holds at all times.
    pub always: bool,
    /// Rows that it was met in.
    pub rows: Vec<Text>,
    /// Calls and events of these rows that were used.
    pub used_by: Vec<Text>,
    /// Why the translation is not exact.
    pub cause: Text,
    /// What an app can do.
    pub workaround: Text,
}

/// A function and how often it was called.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: Text,
    /// How often.
    pub count: u64,
}

impl Coverage {
    /// The report; by the tables that the counters were counted with.
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

    /// Counted by row: that is what limitations are noted for.
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
                // A call that was refused has noted why.
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
        // What happened says more than what always holds.
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
