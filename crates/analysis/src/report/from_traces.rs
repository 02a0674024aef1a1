//! Usage in traces.

use std::collections::{BTreeMap, BTreeSet};

use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;
use trace::{Coverage, Trace};

use crate::report::{Day, Kind, UsageFile, Use};

/// Adds the sessions of a trace to the day of its beginning, by profile. A trace has no App ID and no version.
pub fn add_trace(file: &mut UsageFile, tables: &Tables, trace: &Trace) {
    let day = Day::of(Time::from_millis(trace.header.started_ms));
    let mut profiles: BTreeMap<Text, BTreeSet<u64>> = BTreeMap::new();
    for (_, record) in &trace.records {
        if let Some(begin) = record.data.get("begin")
            && let Some(profile) = begin.get("profile").and_then(Value::as_text)
        {
            profiles.entry(profile.clone()).or_default().insert(record.session);
        }
    }
    for (profile, sessions) in profiles {
        let records = trace.records.iter();
        let own = Trace {
            header: trace.header.clone(),
            records: records
                .filter(|(_, record)| sessions.contains(&record.session))
                .cloned()
                .collect(),
            unfinished: trace.unfinished,
        };
        let mut coverage = Coverage::default();
        coverage.add(tables, &own);
        let kind = Kind {
            profile: profile.to_string(),
            ..Kind::default()
        };
        file.add(day, kind, &usage_of(tables, &coverage));
    }
}

/// Returns the usage of counters.
pub fn usage_of(tables: &Tables, coverage: &Coverage) -> Use {
    let mut usage = Use {
        logins: coverage.sessions,
        events: coverage.events.values().sum(),
        ..Use::default()
    };
    for ((_, row), calls) in &coverage.calls {
        *usage.rows.entry(tables.rows[*row].id.to_string()).or_default() += calls.count;
        usage.refused += calls.failed;
    }
    for ((_, code), count) in &coverage.notes {
        *usage.codes.entry(tables.code_name(*code).to_string()).or_default() += count;
    }
    usage
}
