//! Which documented calls and events apps really use, how often, and by which row: counted from traces, or by a server
//! while it serves.

mod class;
mod report;
mod session;
#[cfg(test)]
mod tests;
mod text;

pub use class::Class;
pub use report::{Finding, Named, Report, Summary, Used};

use std::collections::BTreeMap;

use rtm::value::Text;
use tables::Tables;
use tables::row::{CodeId, RowId, SigId};

use crate::reader::Trace;
use session::Counted;

/// Names that come from clients are counted one by one up to so many; the rest together.
const MAX_NAMES: usize = 1000;
const OTHERS: &str = "(others)";

/// A documented call or event, and the row that served it.
pub type Key = (SigId, RowId);

/// What was counted of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    /// How often it was made.
    pub count: u64,
    /// How often it was answered by a refusal.
    pub failed: u64,
    /// How often because of a limitation, which was noted along with it.
    pub refused: u64,
    /// Reasons of the refusals.
    pub reasons: BTreeMap<Text, u64>,
}

impl Calls {
    /// A refusal; `limited` when a limitation was noted along with it.
    pub fn fail(&mut self, reason: &Text, limited: bool) {
        self.failed += 1;
        self.refused += u64::from(limited);
        Coverage::function(&mut self.reasons, reason);
    }
}

/// Counters, by the numbers of the tables that they were counted with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Sessions.
    pub sessions: u64,
    /// Calls.
    pub calls: BTreeMap<Key, Calls>,
    /// Events that were told.
    pub events: BTreeMap<Key, u64>,
    /// Limitations that were noted.
    pub notes: BTreeMap<(RowId, CodeId), u64>,
    /// Functions of the wire that are no documented call: the mailbox.
    pub wire: BTreeMap<Text, u64>,
    /// Functions that no table knows.
    pub unknown: BTreeMap<Text, u64>,
    /// Frames that are none, and records that belong to no session whose beginning is there.
    pub unreadable: u64,
}

impl Coverage {
    /// Counts a trace.
    pub fn add(&mut self, tables: &Tables, trace: &Trace) {
        let mut sessions: BTreeMap<u64, Counted<'_>> = BTreeMap::new();
        for (_, record) in &trace.records {
            if let Some(begin) = record.data.get("begin") {
                self.sessions += 1;
                if let Some(session) = Counted::new(tables, begin) {
                    sessions.insert(record.session, session);
                }
            }
            match sessions.get_mut(&record.session) {
                Some(session) => session.take(self, record),
                None if record.session == 0 => {}
                None => self.unreadable += 1,
            }
        }
        for session in sessions.values_mut() {
            session.settle(self);
        }
    }

    fn function(names: &mut BTreeMap<Text, u64>, name: &Text) {
        let known = names.len() < MAX_NAMES || names.contains_key(name);
        let name = if known { name.clone() } else { OTHERS.into() };
        *names.entry(name).or_default() += 1;
    }
}
