//! The latest refused logins, for the admin address.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

use rtm::time::Time;

/// Number of kept refusals.
const KEPT: usize = 50;

/// Refused logins: counts by reason, and the latest ones.
#[derive(Debug, Default)]
pub struct Refusals {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Reasons are those of the tables and the program.
    counts: BTreeMap<Box<str>, u64>,
    latest: VecDeque<Refusal>,
}

/// Refused login, as logged.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub at: Time,
    pub reason: Box<str>,
    /// As `[log] accounts` shows it.
    pub account: Option<Box<str>>,
    pub app: Box<str>,
    pub profile: Box<str>,
    pub peer: String,
}

impl Refusals {
    /// Adds a refusal.
    pub fn add(&self, refusal: Refusal) {
        let mut state = self.state.lock();
        *state.counts.entry(refusal.reason.clone()).or_default() += 1;
        if state.latest.len() >= KEPT {
            state.latest.pop_back();
        }
        state.latest.push_front(refusal);
    }

    /// Returns the counts by reason, and the latest refusals, newest first.
    pub fn get(&self) -> (BTreeMap<Box<str>, u64>, Vec<Refusal>) {
        let state = self.state.lock();
        (state.counts.clone(), state.latest.iter().cloned().collect())
    }
}
