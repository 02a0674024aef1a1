//! Runs: the execution of a row for one call, and the order of runs.

use std::collections::VecDeque;

use smallvec::SmallVec;

use protocol::event::{CallRef, Event, Refusal};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{InvitationId, RtmError};
use tables::condition::{Emulation, EmulationInput, EmulationValue};
use tables::row::{Lane, RowId};

use crate::context::Env;

/// Maximum number of runs of one session; further calls are refused.
const MAX_RUNS: usize = 256;
/// Maximum number of runs that wait for the channel lane; more are refused.
const MAX_WAITING: usize = 200;

/// The number of a run in its session.
pub(crate) type RunId = u64;

/// The execution of a row.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub id: RunId,
    pub row: RowId,
    /// The call to answer.
    pub call: Option<CallRef>,
    /// The run whose step this run is; it then sends no events.
    pub parent: Option<RunId>,
    pub slots: Vec<Value>,
    /// `$value`.
    pub value: Value,
    /// The error that selected the outcome.
    pub error: Option<RtmError>,
    /// The invitation that the run refers to.
    pub invitation: Option<InvitationId>,
    /// The expiry of a stored message.
    pub until: Option<Time>,
    /// The index of the next step.
    pub pc: usize,
    /// Number of pending requests and inner runs.
    pub pending: u32,
    /// The last step was sent in one request with others.
    pub together: bool,
    pub answered: bool,
    pub started: bool,
    pub refusal: Option<Refusal>,
    /// The events of the answer.
    pub events: SmallVec<[Event; 1]>,
}

impl Run {
    pub fn new(id: RunId, row: RowId, slots: Vec<Value>) -> Self {
        Self {
            id,
            row,
            call: None,
            parent: None,
            slots,
            value: Value::Null,
            error: None,
            invitation: None,
            until: None,
            pc: 0,
            pending: 0,
            together: false,
            answered: false,
            started: false,
            refusal: None,
            events: SmallVec::new(),
        }
    }

    pub fn emulation(&self, env: &Env) -> Option<Emulation> {
        env.row(self.row).emulation
    }

    /// Returns the account that the run refers to.
    pub fn account(&self, env: &Env) -> Option<&Text> {
        self.slots.get(env.row(self.row).account?)?.as_text()
    }

    /// Returns the channel that the run refers to.
    pub fn channel(&self, env: &Env) -> Option<&Text> {
        self.slots.get(env.row(self.row).channel?)?.as_text()
    }

    /// Returns channel and account of the call that the run refers to.
    pub fn party(&self, env: &Env) -> Option<(&Text, &Text)> {
        self.channel(env).zip(self.account(env))
    }

    /// Returns a value that the row's emulation reads.
    pub fn input(&self, env: &Env, input: EmulationInput) -> Option<&Value> {
        self.slots.get(env.row(self.row).emulation_inputs[input as usize]?)
    }

    /// Sets a value for the outcomes of the row's emulation, if the row has it.
    pub fn set(&mut self, env: &Env, value: EmulationValue, content: Value) {
        if let Some(slot) = env.row(self.row).emulation_slots[value as usize] {
            self.slots[slot] = content;
        }
    }
}

/// The runs of a session, and the channel lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    /// Few, by number: a session mostly has one.
    #[expect(clippy::vec_box, reason = "a run is large and moves several times")]
    active: Vec<Box<Run>>,
    last: RunId,
    /// The run that the channel lane waits for.
    holder: Option<RunId>,
    waiting: VecDeque<Box<Run>>,
}

impl Runs {
    /// Creates a run with a number of its own. It is boxed because it moves several times.
    pub fn create(&mut self, row: RowId, slots: Vec<Value>) -> Box<Run> {
        self.last += 1;
        Box::new(Run::new(self.last, row, slots))
    }

    /// Stores a run until its requests and inner runs have ended.
    pub fn insert(&mut self, run: Box<Run>) {
        if self.active.capacity() == 0 {
            self.active.reserve_exact(1);
        }
        let place = self.active.partition_point(|known| known.id < run.id);
        self.active.insert(place, run);
    }

    pub fn take(&mut self, run: RunId) -> Option<Box<Run>> {
        let place = self.place_of(run)?;
        let run = self.active.remove(place);
        if self.active.is_empty() && self.active.capacity() > 1 {
            self.active = Vec::new();
        }
        Some(run)
    }

    /// Frees the memory of ended runs, if no run is left.
    pub fn shrink(&mut self) {
        if self.active.is_empty() {
            self.active = Vec::new();
        }
    }

    /// Takes a run of that row.
    pub fn take_of_row(&mut self, row: RowId) -> Option<Box<Run>> {
        let id = self.active.iter().find(|run| run.row == row)?.id;
        self.take(id)
    }

    pub fn row_of(&self, run: RunId) -> Option<RowId> {
        self.get(run).map(|run| run.row)
    }

    /// Returns the call that a run belongs to, as a step of another run or by itself.
    pub fn call_of(&self, run: RunId) -> Option<CallRef> {
        let run = self.get(run)?;
        run.call.or_else(|| self.call_of(run.parent?))
    }

    fn get(&self, run: RunId) -> Option<&Run> {
        self.active.get(self.place_of(run)?).map(|run| &**run)
    }

    fn place_of(&self, run: RunId) -> Option<usize> {
        self.active.binary_search_by_key(&run, |known| known.id).ok()
    }

    /// Returns true if a run of a call is active or waits.
    pub fn has_call(&self, call: CallRef) -> bool {
        let mut runs = self.active.iter().chain(&self.waiting);
        runs.any(|run| run.call == Some(call))
    }

    /// Returns true if there are no runs.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.waiting.is_empty()
    }

    /// Returns true if no further run can start.
    pub fn is_full(&self) -> bool {
        self.active.len() >= MAX_RUNS
    }

    /// Returns true if no further run can wait for the channel lane.
    pub fn is_lane_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    /// Returns true if a run must wait. Inner runs belong to a run that already holds the lane.
    pub fn must_wait(&self, run: &Run, lane: Lane) -> bool {
        let is_busy = self.holder.is_some() || !self.waiting.is_empty();
        lane != Lane::Free && run.parent.is_none() && is_busy
    }

    /// Adds a run to the channel lane.
    pub fn wait(&mut self, run: Box<Run>) {
        self.waiting.push_back(run);
    }

    /// Makes the channel lane wait for a run.
    pub fn hold_lane(&mut self, run: RunId) {
        self.holder = Some(run);
    }

    /// Releases the channel lane, if the run holds it.
    pub fn release_lane(&mut self, run: RunId) {
        if self.holder == Some(run) {
            self.holder = None;
        }
    }

    /// Takes the next run of the channel lane, if it is free.
    pub fn next_of_lane(&mut self) -> Option<Box<Run>> {
        match self.holder {
            Some(_) => None,
            None => self.waiting.pop_front(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_runs_keep_the_memory_of_one() {
        let mut runs = Runs::default();
        for _ in 0..3 {
            let run = runs.create(0, Vec::new());
            runs.insert(run);
        }
        for id in [2, 1, 3] {
            assert_eq!(runs.take(id).map(|run| run.id), Some(id));
        }
        assert_eq!((runs.is_empty(), runs.active.capacity()), (true, 0));
        let run = runs.create(0, Vec::new());
        runs.insert(run);
        let run = runs.take(4).expect("the run");
        runs.insert(run);
        assert_eq!((runs.row_of(4), runs.active.capacity()), (Some(0), 1));
    }

    #[test]
    fn the_lane_starts_one_run_after_the_other() {
        let mut runs = Runs::default();
        let first = runs.create(0, Vec::new());
        assert!(!runs.must_wait(&first, Lane::Serial), "the lane is free");
        runs.hold_lane(first.id);
        let (second, mut inner) = (runs.create(0, Vec::new()), runs.create(0, Vec::new()));
        inner.parent = Some(first.id);
        assert!(runs.must_wait(&second, Lane::After));
        assert!(!runs.must_wait(&second, Lane::Free) && !runs.must_wait(&inner, Lane::Serial));
        runs.wait(second.clone());
        runs.release_lane(second.id);
        assert!(runs.next_of_lane().is_none(), "the first holds it");
        runs.release_lane(first.id);
        assert!(runs.must_wait(&first, Lane::Serial), "the second is before it");
        assert_eq!(runs.next_of_lane().map(|run| run.id), Some(second.id));
    }
}
