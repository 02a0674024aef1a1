//! Live counters of the calls and events in use, in all and by kind of client; `sigbridge coverage` counts the same in
//! traces.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use engine::Effect;
use protocol::event::Event;
use rtm::time::Time;
use rtm::value::Text;
use tables::Tables;
use tables::row::{CodeId, Limit, RowId, RowKind, SigId};
use tables::wire::{Target, Wire};
use trace::Coverage;
use trace::coverage::{Calls, Key};

/// Maximum of kinds of clients; further ones are counted together.
const MAX_GROUPS: usize = 64;
/// Name of the parts of further kinds.
const OTHERS: &str = "(others)";

/// Sums of all calls and events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    pub sessions: u64,
    pub calls: u64,
    /// Calls that send a message.
    pub messages: u64,
    pub events: u64,
    /// Inexact translations as `row code count`, separated by commas.
    pub inexact: String,
}

/// Counters by signature and row. Frequent events use an atomic counter, rare ones a lock.
#[derive(Debug)]
pub struct Usage {
    signatures: usize,
    sessions: AtomicU64,
    unknown: AtomicU64,
    calls: Vec<AtomicU64>,
    events: Vec<AtomicU64>,
    rare: Mutex<Coverage>,
    rows: usize,
    groups: Mutex<BTreeMap<[Text; 3], Arc<Group>>>,
}

/// Counters of one kind of client.
#[derive(Debug)]
pub struct Group {
    pub app: Text,
    pub profile: Text,
    pub build: Text,
    logins: AtomicU64,
    last_login: AtomicU64,
    /// By row.
    calls: Box<[AtomicU64]>,
    events: AtomicU64,
    rare: Mutex<Rare>,
}

#[derive(Debug, Default)]
struct Rare {
    refused: BTreeMap<RowId, Calls>,
    notes: BTreeMap<(RowId, CodeId), u64>,
}

impl Usage {
    pub fn new(tables: &Tables) -> Self {
        let signatures = tables.signatures.len();
        let zeros = || (0..signatures * tables.rows.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            signatures,
            sessions: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            calls: zeros(),
            events: zeros(),
            rare: Mutex::default(),
            rows: tables.rows.len(),
            groups: Mutex::default(),
        }
    }

    /// Counts a session.
    pub fn session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call of an unknown function, without its name, since clients choose it.
    pub fn unknown(&self) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a login of a kind of client, and returns its counters.
    pub fn login(&self, kind: [Text; 3], now: Time) -> Arc<Group> {
        let mut groups = self.groups.lock();
        let has_room = groups.len() < MAX_GROUPS || groups.contains_key(&kind);
        let kind = if has_room { kind } else { [OTHERS; 3].map(Text::from) };
        let group = groups.entry(kind.clone()).or_insert_with(|| {
            let [app, profile, build] = kind;
            Arc::new(Group {
                app,
                profile,
                build,
                logins: AtomicU64::new(0),
                last_login: AtomicU64::new(0),
                calls: (0..self.rows).map(|_| AtomicU64::new(0)).collect(),
                events: AtomicU64::new(0),
                rare: Mutex::default(),
            })
        });
        group.logins.fetch_add(1, Ordering::Relaxed);
        group.last_login.store(now.as_millis(), Ordering::Relaxed);
        group.clone()
    }

    /// Returns the kinds of clients.
    pub fn groups(&self) -> Vec<Arc<Group>> {
        self.groups.lock().values().cloned().collect()
    }

    /// Counts the effects of one step; a call counts when it is answered.
    pub fn count(&self, wire: &Wire, effects: &[Effect], group: Option<&Group>) {
        for effect in effects {
            if let Some(group) = group {
                group.count(wire, effect, effects);
            }
            match effect {
                Effect::Answer { call, row, answer } => {
                    let Target::Row(of) = &wire.function(call.function).target else {
                        continue;
                    };
                    self.add(&self.calls, (of.sig, *row));
                    if let Some(failure) = &answer.failure {
                        self.refused((of.sig, *row), &failure.reason, effects);
                    }
                }
                Effect::Notify {
                    event: Event { sig, row, .. },
                    ..
                } => self.add(&self.events, (*sig, *row)),
                Effect::Note { row, code, .. } => {
                    *self.rare.lock().notes.entry((*row, *code)).or_default() += 1;
                }
                _ => {}
            }
        }
    }

    /// Returns the counters.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = self.rare.lock().clone();
        coverage.sessions = self.sessions.load(Ordering::Relaxed);
        for (key, count) in self.counted(&self.calls) {
            coverage.calls.entry(key).or_default().count = count;
        }
        coverage.events = self.counted(&self.events).collect();
        let unknown = self.unknown.load(Ordering::Relaxed);
        if unknown > 0 {
            coverage.unknown.insert("(any)".into(), unknown);
        }
        coverage
    }

    /// Returns the sums of all counts, for the report at the end of the process.
    pub fn totals(coverage: &Coverage, tables: &Tables) -> Totals {
        let calls = coverage.calls.iter().map(|((_, row), calls)| (*row, calls.count));
        let is_message = |row: RowId| matches!(tables.rows[row].limit, Some(Limit::Messages | Limit::ChannelMessages));
        let messages = calls.clone().filter(|(row, _)| is_message(*row));
        let inexact = coverage.notes.iter().map(|((row, code), count)| {
            let (row, code) = (&tables.rows[*row].id, tables.code_name(*code));
            format!("{row} {code} {count}")
        });
        Totals {
            sessions: coverage.sessions,
            messages: messages.map(|(_, count)| count).sum(),
            calls: calls.map(|(_, count)| count).sum(),
            events: coverage.events.values().sum(),
            inexact: inexact.collect::<Vec<_>>().join(", "),
        }
    }

    fn refused(&self, key: Key, reason: &Text, effects: &[Effect]) {
        let noted = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Note { row, .. } if *row == key.1));
        self.rare.lock().calls.entry(key).or_default().fail(reason, noted);
    }

    fn add(&self, counters: &[AtomicU64], (sig, row): (SigId, RowId)) {
        if let Some(counter) = counters.get(row * self.signatures + sig) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted<'c>(&self, counters: &'c [AtomicU64]) -> impl Iterator<Item = (Key, u64)> + use<'c> {
        let signatures = self.signatures;
        let all = counters.iter().enumerate();
        all.map(move |(at, count)| ((at % signatures, at / signatures), count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

impl Group {
    fn count(&self, wire: &Wire, effect: &Effect, effects: &[Effect]) {
        match effect {
            Effect::Answer { call, row, answer } => {
                if !matches!(wire.function(call.function).target, Target::Row(_)) {
                    return;
                }
                if let Some(counter) = self.calls.get(*row) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                if let Some(failure) = &answer.failure {
                    let noted = effects
                        .iter()
                        .any(|effect| matches!(effect, Effect::Note { row: noted, .. } if noted == row));
                    let mut rare = self.rare.lock();
                    rare.refused.entry(*row).or_default().fail(&failure.reason, noted);
                }
            }
            Effect::Notify { .. } => {
                self.events.fetch_add(1, Ordering::Relaxed);
            }
            Effect::Note { row, code, .. } => *self.rare.lock().notes.entry((*row, *code)).or_default() += 1,
            _ => {}
        }
    }

    /// Removes a login that another kind of client counts.
    pub fn forget_login(&self) {
        self.logins.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the time of the latest login in milliseconds of UNIX time.
    pub fn last_login(&self) -> u64 {
        self.last_login.load(Ordering::Relaxed)
    }

    /// Returns the number of events sent.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Returns the counters of calls and limitations. A row with several names counts under its first.
    pub fn coverage(&self, tables: &Tables) -> Coverage {
        let rare = self.rare.lock();
        let mut coverage = Coverage {
            sessions: self.logins.load(Ordering::Relaxed),
            notes: rare.notes.clone(),
            ..Coverage::default()
        };
        for (row, count) in self.calls.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            let RowKind::Call(names) = &tables.rows[row].kind else {
                continue;
            };
            let Some(sig) = names.first().filter(|_| count > 0) else {
                continue;
            };
            let refused = rare.refused.get(&row).cloned().unwrap_or_default();
            coverage.calls.insert((*sig, row), Calls { count, ..refused });
        }
        coverage
    }
}
