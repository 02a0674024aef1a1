//! Live counters of the calls and events in use; `sigbridge coverage` counts the same in traces.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use engine::Effect;
use protocol::event::Event;
use rtm::value::Text;
use tables::Tables;
use tables::row::{Limit, RowId, SigId};
use tables::wire::{Target, Wire};
use trace::Coverage;
use trace::coverage::Key;

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

    /// Counts the effects of one step; a call counts when it is answered.
    pub fn count(&self, wire: &Wire, effects: &[Effect]) {
        for effect in effects {
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
