//! Mapping tables in use. A reload replaces them for new sessions. A session keeps its own while something refers to
//! their rows by number, and then takes the new ones (decisions H15).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::admin::Usage;
use protocol::encoder::Encoder;
use protocol::encoders;
use protocol::event::Event;
use tables::Tables;
use tables::row::{RowId, SigId};
use trace::Coverage;
use trace::coverage::Key;

/// Largest number of earlier tables that sessions still use.
const MAX_EARLIER: usize = 8;

/// Compiled tables with their encoders and counters.
pub struct TableSet {
    pub tables: Arc<Tables>,
    /// Encoders of the profiles, in the order of the tables.
    pub encoders: Vec<Arc<dyn Encoder>>,
    /// Counts of calls and events of the sessions with these tables.
    pub usage: Usage,
}

impl TableSet {
    /// Creates a set. Returns `None` if the tables have no wire for a profile.
    pub fn new(tables: Arc<Tables>) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            encoders: encoders(&tables)?,
            usage: Usage::new(&tables),
            tables,
        }))
    }
}

impl std::fmt::Debug for TableSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableSet").finish_non_exhaustive()
    }
}

/// Current tables, and earlier ones that sessions still use.
pub struct TableSets {
    current: ArcSwap<TableSet>,
    /// Number of the current tables, for a cheap comparison.
    generation: AtomicU64,
    earlier: Mutex<Earlier>,
}

#[derive(Default)]
struct Earlier {
    sets: Vec<Arc<TableSet>>,
    /// Usage of sets without sessions, by the numbers of the current tables.
    ended: Coverage,
}

/// Too many earlier tables are in use for another reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sessions still use the tables of {MAX_EARLIER} earlier reloads")]
pub struct TooManyTables;

impl TableSets {
    pub fn new(first: Arc<TableSet>) -> Self {
        Self {
            current: ArcSwap::new(first),
            generation: AtomicU64::new(1),
            earlier: Mutex::default(),
        }
    }

    /// Returns the tables for new sessions.
    pub fn current(&self) -> Arc<TableSet> {
        self.current.load_full()
    }

    /// Returns the number of the current tables, from 1; [`current`](Self::current) then returns these or later ones.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns the current tables and the earlier ones that sessions still use.
    pub fn all(&self) -> Vec<Arc<TableSet>> {
        let earlier = self.earlier.lock();
        let current = self.current();
        earlier.sets.iter().cloned().chain([current]).collect()
    }

    /// Replaces the tables for new calls and sessions. `convert` gets the old and the new ones.
    ///
    /// # Errors
    /// [`TooManyTables`]; then nothing changes.
    pub fn replace(
        &self,
        new: Arc<TableSet>,
        convert: impl FnOnce(&TableSet, &Arc<TableSet>),
    ) -> Result<(), TooManyTables> {
        let mut earlier = self.earlier.lock();
        let old = self.current();
        let (used, unused): (Vec<_>, Vec<_>) = std::mem::take(&mut earlier.sets)
            .into_iter()
            .partition(|set| Arc::strong_count(set) > 1);
        for set in unused {
            let usage = converted(&set.usage.coverage(), &set.tables, &old.tables);
            add(&mut earlier.ended, usage);
        }
        earlier.sets = used;
        if earlier.sets.len() >= MAX_EARLIER {
            return Err(TooManyTables);
        }
        earlier.ended = converted(&earlier.ended, &old.tables, &new.tables);
        earlier.sets.push(old.clone());
        self.current.store(new.clone());
        self.generation.fetch_add(1, Ordering::Release);
        convert(&old, &new);
        Ok(())
    }

    /// Returns the usage of all sessions, by the numbers of the current tables.
    pub fn coverage(&self) -> (Arc<TableSet>, Coverage) {
        let earlier = self.earlier.lock();
        let current = self.current();
        let mut coverage = current.usage.coverage();
        add(&mut coverage, earlier.ended.clone());
        for set in &earlier.sets {
            add(
                &mut coverage,
                converted(&set.usage.coverage(), &set.tables, &current.tables),
            );
        }
        (current, coverage)
    }
}

/// Returns the numbers of an event in other tables, by names; `None` if these do not have it in this form.
pub fn event_between(event: &Event, from: &Tables, to: &Tables) -> Option<(SigId, RowId)> {
    let (sig, row) = key_between((event.sig, event.row), from, to)?;
    let is_same = to.signatures[sig].args.len() == event.args.len();
    is_same.then_some((sig, row))
}

fn row_between(row: RowId, from: &Tables, to: &Tables) -> Option<RowId> {
    to.row_named(&from.rows.get(row)?.id)
}

fn key_between((sig, row): Key, from: &Tables, to: &Tables) -> Option<(SigId, RowId)> {
    let sig = to.signature_named(&from.signatures.get(sig)?.name)?;
    Some((sig, row_between(row, from, to)?))
}

/// Converts counts. Those of rows that the other tables do not have are left out.
fn converted(coverage: &Coverage, from: &Tables, to: &Tables) -> Coverage {
    let calls = coverage.calls.iter();
    let events = coverage.events.iter();
    let notes = coverage.notes.iter().filter_map(|((row, code), count)| {
        let name = from.code_name(*code);
        let code = to.codes.iter().position(|known| known.name == *name)?;
        Some(((row_between(*row, from, to)?, code), *count))
    });
    Coverage {
        sessions: coverage.sessions,
        calls: calls
            .filter_map(|(key, calls)| Some((key_between(*key, from, to)?, calls.clone())))
            .collect(),
        events: events
            .filter_map(|(key, count)| Some((key_between(*key, from, to)?, *count)))
            .collect(),
        notes: notes.collect(),
        wire: coverage.wire.clone(),
        unknown: coverage.unknown.clone(),
        unreadable: coverage.unreadable,
    }
}

fn add(sum: &mut Coverage, more: Coverage) {
    sum.sessions += more.sessions;
    sum.unreadable += more.unreadable;
    for (key, calls) in more.calls {
        let into = sum.calls.entry(key).or_default();
        into.count += calls.count;
        into.failed += calls.failed;
        into.refused += calls.refused;
        for (reason, count) in calls.reasons {
            *into.reasons.entry(reason).or_default() += count;
        }
    }
    for (key, count) in more.events {
        *sum.events.entry(key).or_default() += count;
    }
    for (key, count) in more.notes {
        *sum.notes.entry(key).or_default() += count;
    }
    for (from, into) in [(more.wire, &mut sum.wire), (more.unknown, &mut sum.unknown)] {
        for (name, count) in from {
            *into.entry(name).or_default() += count;
        }
    }
}
