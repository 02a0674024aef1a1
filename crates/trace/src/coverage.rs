//! Usage of documented calls and events, by row: counted from traces, or live by a server.

mod class;
mod report;
mod session;
#[cfg(test)]
mod tests;
mod text;

pub use class::{Class, Noted};
pub use report::{Finding, Named, Report, Summary, Used};

use std::collections::BTreeMap;

use rtm::value::Text;
use tables::Tables;
use tables::row::{CodeId, RowId, SigId};

use crate::reader::Trace;
use session::Counted;

/// Maximum of separately counted client-chosen names; the rest is counted together.
const MAX_NAMES: usize = 1000;
const OTHERS: &str = "(others)";

/// Documented call or event, and the row that served it.
pub type Key = (SigId, RowId);

/// Counters of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    /// Number of calls.
    pub count: u64,
    /// Number of refused calls.
    pub failed: u64,
    /// Number of refusals with a limitation note.
    pub refused: u64,
    /// Reasons of refusals.
    pub reasons: BTreeMap<Text, u64>,
}

impl Calls {
    /// Counts a refusal; `limited` if a limitation was noted with it.
    pub fn fail(&mut self, reason: &Text, limited: bool) {
        self.failed += 1;
        self.refused += u64::from(limited);
        Coverage::function(&mut self.reasons, reason);
    }
}

/// Counters, by index into the tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    pub sessions: u64,
    pub calls: BTreeMap<Key, Calls>,
    /// Events sent to clients.
    pub events: BTreeMap<Key, u64>,
    /// Limitation notes.
    pub notes: BTreeMap<(RowId, CodeId), u64>,
    /// Wire functions without a documented call: the mailbox.
    pub wire: BTreeMap<Text, u64>,
    /// Unknown functions.
    pub unknown: BTreeMap<Text, u64>,
    /// Invalid frames, and records of sessions without a beginning.
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
