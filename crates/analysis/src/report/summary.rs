//! Figures of the report.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use tables::Tables;
use tables::row::{CodeId, Status};
use trace::coverage::Noted;

use crate::report::{Day, Kind, UsageFile, Use};

/// Days of the trend.
const TREND: i64 = 60;

/// Migration report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub first: Day,
    /// Latest day with usage; days are counted back from it or from today.
    pub last: Day,
    pub today: Day,
    pub logins: u64,
    pub calls: u64,
    pub accounts: Accounts,
    /// Kinds of clients, latest first.
    pub kinds: Vec<KindUse>,
    /// Logins by day, oldest first, without gaps.
    pub trend: Vec<DayLogins>,
    pub rows: Vec<RowUse>,
    pub inexact: Vec<Inexact>,
}

/// Accounts by the time since their last login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Accounts {
    pub all: usize,
    pub last_7_days: usize,
    pub last_30_days: usize,
}

/// Usage of a kind of client.
#[derive(Clone, Debug, Serialize)]
pub struct KindUse {
    #[serde(flatten)]
    pub kind: Kind,
    pub first_seen: Day,
    pub last_seen: Day,
    pub days_since: i64,
    pub accounts: usize,
    pub logins: u64,
    pub calls: u64,
    /// Calls of rows with a limitation that always applies, and noted ones.
    pub inexact: u64,
    pub refused: u64,
    pub events: u64,
}

/// Logins of a day, by profile.
#[derive(Clone, Debug, Serialize)]
pub struct DayLogins {
    pub day: Day,
    pub logins: BTreeMap<String, u64>,
}

/// Calls of a row.
#[derive(Clone, Debug, Serialize)]
pub struct RowUse {
    pub row: String,
    /// Documented names.
    pub names: Vec<String>,
    pub status: &'static str,
    pub calls: u64,
    pub codes: Vec<String>,
}

/// Limitation in use.
#[derive(Clone, Debug, Serialize)]
pub struct Inexact {
    pub code: String,
    pub count: u64,
    /// Applies to every use of its rows.
    pub always: bool,
    /// Kinds of clients that meet it.
    pub whom: Vec<String>,
    pub cause: String,
    pub workaround: String,
}

impl Kind {
    /// Returns the parts that are known.
    pub fn name(&self) -> String {
        let parts = [&self.app, &self.profile, &self.build];
        let known: Vec<&str> = parts
            .iter()
            .map(|part| part.as_str())
            .filter(|part| !part.is_empty())
            .collect();
        known.join(" · ")
    }
}

/// Creates the report as of a day.
pub fn report(file: &UsageFile, tables: &Tables, today: Day) -> Report {
    let noted = Noted::of(tables);
    let mut kinds: BTreeMap<&Kind, (Day, Day, Use)> = BTreeMap::new();
    for (day, uses) in &file.days {
        for (kind, usage) in uses {
            let (_, last, sum) = kinds.entry(kind).or_insert_with(|| (*day, *day, Use::default()));
            *last = *day;
            sum.add(usage);
        }
    }
    let first = file.days.first_key_value().map_or(today, |(day, _)| *day);
    let last = file.days.last_key_value().map_or(today, |(day, _)| *day);
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    let mut codes: BTreeMap<CodeId, (u64, bool, BTreeSet<String>)> = BTreeMap::new();
    let mut shown = Vec::new();
    for (kind, (first_seen, last_seen, usage)) in &kinds {
        let mut inexact = 0;
        for (row, count) in &usage.rows {
            *rows.entry(row).or_default() += count;
            let Some(row) = tables.row_named(row) else { continue };
            let mut is_inexact = false;
            for code in noted.always(tables, row) {
                let (sum, always, whom) = codes.entry(code).or_default();
                *sum += count;
                *always = true;
                whom.insert(kind.name());
                is_inexact = true;
            }
            inexact += if is_inexact { *count } else { 0 };
        }
        for (code, count) in &usage.codes {
            inexact += count;
            if let Some(code) = tables.codes.iter().position(|known| *known.name == **code) {
                let (sum, _, whom) = codes.entry(code).or_default();
                *sum += count;
                whom.insert(kind.name());
            }
        }
        shown.push(KindUse {
            kind: (*kind).clone(),
            first_seen: *first_seen,
            last_seen: *last_seen,
            days_since: today.since(*last_seen),
            accounts: file.accounts.values().filter(|account| account.kind == **kind).count(),
            logins: usage.logins,
            calls: usage.calls(),
            inexact: inexact.min(usage.calls()),
            refused: usage.refused,
            events: usage.events,
        });
    }
    shown.sort_by(|a, b| (b.last_seen, b.logins, &a.kind).cmp(&(a.last_seen, a.logins, &b.kind)));
    let within = |days: i64| {
        let accounts = file.accounts.values();
        accounts.filter(|account| today.since(account.last_seen) < days).count()
    };
    Report {
        first,
        last,
        today,
        logins: shown.iter().map(|kind| kind.logins).sum(),
        calls: shown.iter().map(|kind| kind.calls).sum(),
        accounts: Accounts {
            all: file.accounts.len(),
            last_7_days: within(7),
            last_30_days: within(30),
        },
        trend: trend(file, last),
        rows: used_rows(tables, &noted, &rows),
        inexact: limitations(tables, codes),
        kinds: shown,
    }
}

fn trend(file: &UsageFile, last: Day) -> Vec<DayLogins> {
    let first = file.days.keys().next().copied().unwrap_or(last);
    let days = last.since(first).clamp(0, TREND - 1);
    (0..=days)
        .rev()
        .map(|back| {
            let day = last.before(back);
            let mut logins: BTreeMap<String, u64> = BTreeMap::new();
            for (kind, usage) in file.days.get(&day).into_iter().flatten() {
                *logins.entry(kind.profile.clone()).or_default() += usage.logins;
            }
            DayLogins { day, logins }
        })
        .collect()
}

fn used_rows(tables: &Tables, noted: &Noted, rows: &BTreeMap<&str, u64>) -> Vec<RowUse> {
    let mut used: Vec<RowUse> = rows
        .iter()
        .map(|(id, calls)| {
            let row = tables.row_named(id);
            let names = row.map(|row| tables::comparison::real_names(tables, &tables.rows[row]));
            RowUse {
                row: (*id).to_owned(),
                names: names.unwrap_or_default().iter().map(ToString::to_string).collect(),
                status: row.map_or("unknown row", |row| Status::name(tables.rows[row].status)),
                calls: *calls,
                codes: row
                    .into_iter()
                    .flat_map(|row| noted.always(tables, row))
                    .map(|code| tables.code_name(code).to_string())
                    .collect(),
            }
        })
        .collect();
    used.sort_by(|a, b| (b.calls, &a.row).cmp(&(a.calls, &b.row)));
    used
}

fn limitations(tables: &Tables, codes: BTreeMap<CodeId, (u64, bool, BTreeSet<String>)>) -> Vec<Inexact> {
    let mut inexact: Vec<Inexact> = codes
        .into_iter()
        .map(|(code, (count, always, whom))| Inexact {
            code: tables.code_name(code).to_string(),
            count,
            always,
            whom: whom.into_iter().collect(),
            cause: tables.codes[code].cause.to_string(),
            workaround: tables.codes[code].workaround.to_string(),
        })
        .collect();
    inexact.sort_by(|a, b| (a.always, b.count, &a.code).cmp(&(b.always, a.count, &b.code)));
    inexact
}
