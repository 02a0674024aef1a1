//! Usage by day and kind of client, and the accounts by hash, bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::Day;

/// Version of the format.
const VERSION: u32 = 1;
/// Days that are kept.
const DAYS: i64 = 400;
/// Kinds of clients of one day; further ones are counted together.
const KINDS: usize = 64;
/// Accounts that are kept; the longest absent are dropped.
const ACCOUNTS: usize = 50_000;

/// Usage of a sidecar, as it is kept across restarts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageFile {
    sigbridge_usage: u32,
    pub days: BTreeMap<Day, Vec<(Kind, Use)>>,
    /// By hash.
    pub accounts: BTreeMap<String, Account>,
}

/// Kind of client.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kind {
    pub app: String,
    pub profile: String,
    /// Version of the SDK, if its logins have one.
    pub build: String,
}

/// Usage of a kind of client in a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    pub logins: u64,
    pub events: u64,
    /// Refused calls.
    pub refused: u64,
    /// Calls by row.
    pub rows: BTreeMap<String, u64>,
    /// Inexact translations that were noted, by code.
    pub codes: BTreeMap<String, u64>,
}

/// Account, known by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub kind: Kind,
    pub last_seen: Day,
}

impl Default for UsageFile {
    fn default() -> Self {
        Self {
            sigbridge_usage: VERSION,
            days: BTreeMap::new(),
            accounts: BTreeMap::new(),
        }
    }
}

impl UsageFile {
    /// Parses a file.
    ///
    /// # Errors
    /// The place and the mistake, or another version.
    pub fn read(text: &str) -> Result<Self, String> {
        let file: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if file.sigbridge_usage != VERSION {
            return Err(format!("version {} of the format is not known", file.sigbridge_usage));
        }
        Ok(file)
    }

    /// Encodes the file.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Adds usage of a day.
    pub fn add(&mut self, day: Day, kind: Kind, usage: &Use) {
        let kinds = self.days.entry(day).or_default();
        let at = kinds.iter().position(|(known, _)| *known == kind);
        let at = match at {
            Some(at) => at,
            None if kinds.len() < KINDS => {
                kinds.push((kind, Use::default()));
                kinds.len() - 1
            }
            None => kinds.len() - 1,
        };
        kinds[at].1.add(usage);
        if let Some((latest, _)) = self.days.last_key_value() {
            let oldest = latest.before(DAYS);
            self.days.retain(|day, _| *day > oldest);
        }
    }

    /// Notes that an account was there.
    pub fn see(&mut self, hash: String, kind: Kind, last_seen: Day) {
        let seen = self
            .accounts
            .get(&hash)
            .is_none_or(|known| known.last_seen <= last_seen);
        if seen {
            self.accounts.insert(hash, Account { kind, last_seen });
        }
        if self.accounts.len() > ACCOUNTS {
            let mut days: Vec<Day> = self.accounts.values().map(|account| account.last_seen).collect();
            days.sort();
            let oldest = days[ACCOUNTS / 10];
            self.accounts.retain(|_, account| account.last_seen > oldest);
        }
    }

    /// Adds another file, as of another sidecar.
    pub fn merge(&mut self, other: Self) {
        for (day, kinds) in other.days {
            for (kind, usage) in kinds {
                self.add(day, kind, &usage);
            }
        }
        for (hash, account) in other.accounts {
            self.see(hash, account.kind, account.last_seen);
        }
    }
}

impl Use {
    /// Adds other usage.
    pub fn add(&mut self, other: &Self) {
        self.logins += other.logins;
        self.events += other.events;
        self.refused += other.refused;
        for (row, count) in &other.rows {
            *self.rows.entry(row.clone()).or_default() += count;
        }
        for (code, count) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += count;
        }
    }

    /// Returns the increase since an earlier state.
    pub fn since(&self, earlier: &Self) -> Self {
        let less = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            let delta = |(name, count): (&String, &u64)| {
                let more = count.saturating_sub(before.get(name).copied().unwrap_or(0));
                (more > 0).then(|| (name.clone(), more))
            };
            now.iter().filter_map(delta).collect()
        };
        Self {
            logins: self.logins.saturating_sub(earlier.logins),
            events: self.events.saturating_sub(earlier.events),
            refused: self.refused.saturating_sub(earlier.refused),
            rows: less(&self.rows, &earlier.rows),
            codes: less(&self.codes, &earlier.codes),
        }
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> u64 {
        self.rows.values().sum()
    }

    /// Returns true if nothing is counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtm::time::Time;

    fn day(number: u64) -> Day {
        Day::of(Time::from_millis(number * 86_400_000))
    }

    fn kind(n: usize) -> Kind {
        Kind {
            app: format!("app{n}"),
            ..Kind::default()
        }
    }

    fn used(logins: u64) -> Use {
        Use {
            logins,
            rows: [("peer.send".to_owned(), 2 * logins)].into(),
            ..Use::default()
        }
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_new() {
        let mut file = UsageFile::default();
        for n in 0..200 {
            file.add(day(1), kind(n), &used(1));
        }
        assert_eq!(file.days[&day(1)].len(), KINDS);
        let all: u64 = file.days[&day(1)].iter().map(|(_, usage)| usage.logins).sum();
        assert_eq!(all, 200, "further kinds are counted together");
        for n in 0..2 * DAYS as u64 {
            file.add(day(n), kind(0), &used(1));
        }
        assert_eq!(file.days.len(), DAYS as usize);
        for n in 0..=ACCOUNTS {
            file.see(n.to_string(), kind(0), day(n as u64 / 100));
        }
        assert!(file.accounts.len() <= ACCOUNTS && file.accounts.contains_key(&ACCOUNTS.to_string()));
        assert!(!file.accounts.contains_key("0"), "the longest absent are dropped");
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        let mut file = UsageFile::default();
        file.add(day(20_784), kind(1), &used(3));
        file.see("b3c4ba7ce403".into(), kind(1), day(20_784));
        let text = file.text();
        assert!(
            text.starts_with("{\"sigbridge_usage\":1,\"days\":{\"2026-11-27\":[["),
            "{text}"
        );
        assert_eq!(UsageFile::read(&text), Ok(file.clone()));
        assert!(UsageFile::read(&text.replace("usage\":1", "usage\":2")).is_err());
        assert!(UsageFile::read("").is_err());
        let mut twice = file.clone();
        twice.merge(file.clone());
        assert_eq!(twice.days[&day(20_784)][0].1, used(6));
        assert_eq!(used(6).since(&used(4)), used(2));
        assert!(used(3).since(&used(3)).is_empty());
    }
}
