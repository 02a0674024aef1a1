//! Runs: the execution of a row for one call.

use protocol::event::{Answer, CallRef, Event, Refusal};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{InvitationId, RtmError};
use tables::expr::Expr;
use tables::row::{AnswerAt, Lane, RowId, StepKind};

use crate::api::Effect;
use crate::eval_context::{Ambients, RunScope};
use crate::session::{Ctx, Session};

/// Maximum number of runs of one session; further calls are refused.
pub(super) const MAX_RUNS: usize = 256;

/// The number of a run in its session.
pub(super) type RunId = u64;

/// The execution of a row.
#[derive(Clone, Debug)]
pub(super) struct Run {
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
    pub events: Vec<Event>,
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
            events: Vec::new(),
        }
    }
}

impl Session {
    /// Creates a run of a row with these arguments; the other slots are empty, except for the `let`
    /// values.
    pub(super) fn new_run(&mut self, row: RowId, args: Vec<Value>) -> Run {
        let tables = self.context.tables.clone();
        let row_ref = &tables.rows[row];
        let mut slots = args;
        slots.resize(row_ref.slots.len(), Value::Null);
        self.next_run += 1;
        let mut run = Run::new(self.next_run, row, slots);
        let default_secs = i64::try_from(self.context.limits.invite.as_secs()).unwrap_or(i64::MAX);
        for item in &row_ref.let_values {
            let from = self.eval(&item.from, &run);
            run.slots[item.slot] = item.compute(from, default_secs, &self.account);
        }
        run
    }

    pub(super) fn eval(&self, expr: &Expr, run: &Run) -> Value {
        self.eval_with(expr, run, &Ambients::default())
    }

    pub(super) fn eval_with(&self, expr: &Expr, run: &Run, ambients: &Ambients) -> Value {
        expr.eval(&RunScope {
            session: self,
            run,
            ambients,
        })
    }

    /// Starts a run, at once or when its lane is free.
    pub(super) fn start(&mut self, run: Run, ctx: &mut Ctx<'_>) {
        if self.runs.len() >= MAX_RUNS {
            self.refuse(run, "too often", ctx);
            return;
        }
        if self.must_wait(&run) {
            self.lane.push_back(run);
            return;
        }
        self.begin(run, ctx);
    }

    /// Returns true if the run must wait. Inner runs belong to a run that already holds the lane.
    fn must_wait(&self, run: &Run) -> bool {
        let lane = self.context.tables.rows[run.row].lane;
        let busy = self.lane_holder.is_some() || !self.lane.is_empty();
        lane != Lane::Free && run.parent.is_none() && busy
    }

    fn begin(&mut self, mut run: Run, ctx: &mut Ctx<'_>) {
        let row = &self.context.tables.clone().rows[run.row];
        if run.parent.is_none() && (row.lane == Lane::Serial || self.starts_transient_join(&run)) {
            self.lane_holder = Some(run.id);
        }
        run.started = true;
        self.emulate_start(&mut run, ctx);
        let is_early = row.answer.at == AnswerAt::Accepted && !self.answers_late(&run);
        if is_early && run.parent.is_none() && !run.answered {
            self.answer(&mut run, ctx);
        }
        self.advance(run, ctx);
    }

    /// Executes a run as far as possible.
    pub(super) fn advance(&mut self, mut run: Run, ctx: &mut Ctx<'_>) {
        let tables = self.context.tables.clone();
        let row = &tables.rows[run.row];
        loop {
            let Some(next) = row.steps.get(run.pc) else {
                if run.pending == 0 {
                    self.finish(run, ctx);
                } else {
                    self.runs.insert(run.id, run);
                }
                return;
            };
            if run.pending > 0 && !(run.together && next.together) {
                self.runs.insert(run.id, run);
                return;
            }
            run.pc += 1;
            if !self.holds(&next.conds, &run) {
                continue;
            }
            match &next.kind {
                StepKind::Rtm(_) => {
                    run.together = next.together;
                    let at = run.pc - 1;
                    if let Err(outcome) = self.issue(&mut run, at, ctx) {
                        self.conclude(run, outcome, ctx);
                        return;
                    }
                }
                StepKind::Row { row: inner, args } => {
                    let args = args.iter().map(|arg| self.eval(arg, &run)).collect();
                    let mut child = self.new_run(*inner, args);
                    child.parent = Some(run.id);
                    run.pending += 1;
                    run.together = false;
                    self.runs.insert(run.id, run);
                    self.start(child, ctx);
                    return;
                }
                StepKind::Value { expr, expect } => {
                    run.value = self.eval(expr, &run);
                    if let Some(expect) = expect
                        && !expect.holds(&self.part(&run.value, expect.at.as_ref(), &run))
                    {
                        self.conclude(run, Some(expect.otherwise), ctx);
                        return;
                    }
                }
                StepKind::Outcome(outcome) => {
                    self.conclude(run, Some(*outcome), ctx);
                    return;
                }
            }
        }
    }

    /// Completes all steps; answers the call if it is still unanswered.
    fn finish(&mut self, mut run: Run, ctx: &mut Ctx<'_>) {
        self.emulate_done(&mut run, ctx);
        if !run.answered && run.parent.is_none() {
            self.answer(&mut run, ctx);
        }
        self.leave(run, ctx);
    }

    /// Ends a run with an outcome, or only with an answer.
    pub(super) fn conclude(&mut self, mut run: Run, outcome: Option<usize>, ctx: &mut Ctx<'_>) {
        self.forget_requests(run.id);
        if !run.answered && run.parent.is_none() && self.answers_late(&run) {
            if let Some(reason) = self.late_failure(&run, outcome) {
                return self.refuse(run, reason, ctx);
            }
            self.answer(&mut run, ctx);
        }
        if let (Some(outcome), None) = (outcome, run.parent) {
            self.fire(&mut run, outcome, ctx);
        }
        if !run.answered && run.parent.is_none() {
            self.send_answer(&mut run, ctx);
        }
        self.leave(run, ctx);
    }

    /// Refuses a call before its run has started.
    pub(super) fn refuse(&mut self, mut run: Run, reason: &str, ctx: &mut Ctx<'_>) {
        if let Some(failure) = &self.context.tables.clone().rows[run.row].fail {
            self.fail(&mut run, failure, Some(reason.into()), ctx);
        }
        if run.parent.is_none() {
            self.send_answer(&mut run, ctx);
        }
        self.leave(run, ctx);
    }

    /// Answers the call: first the row's own outcomes, then the reply.
    pub(super) fn answer(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        let tables = self.context.tables.clone();
        for &outcome in &tables.rows[run.row].answer.emit {
            self.fire(run, outcome, ctx);
        }
        self.send_answer(run, ctx);
    }

    fn send_answer(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        run.answered = true;
        let Some(call) = run.call else { return };
        let tables = self.context.tables.clone();
        let fields = tables.rows[run.row]
            .answer
            .fields
            .iter()
            .map(|(_, expr)| self.eval(expr, run))
            .collect();
        let events = std::mem::take(&mut run.events);
        let refused = run.refusal.is_some();
        let answer = Answer {
            failure: run.refusal.take(),
            events: events.clone(),
            fields,
        };
        ctx.out.push(Effect::Answer {
            call,
            row: run.row,
            answer,
        });
        for event in events {
            if !self.made_by_client(call, event.sig) {
                self.deliver_part(event, ctx);
            }
        }
        self.after_answer(call, refused, ctx);
    }

    /// Removes a run; continues its lane, its emulation and its outer run.
    fn leave(&mut self, run: Run, ctx: &mut Ctx<'_>) {
        if run.started {
            self.emulate_end(&run, ctx);
        }
        if self.lane_holder == Some(run.id) {
            self.lane_holder = None;
        }
        if let Some(mut outer) = run.parent.and_then(|parent| self.runs.remove(&parent)) {
            outer.pending -= 1;
            self.advance(outer, ctx);
        }
        self.open_lane(ctx);
    }

    /// Starts the runs that wait for the lane, in order, until one holds it.
    fn open_lane(&mut self, ctx: &mut Ctx<'_>) {
        while self.lane_holder.is_none() {
            let Some(run) = self.lane.pop_front() else { return };
            self.begin(run, ctx);
        }
    }

    /// Returns true for an event that the client generates itself.
    fn made_by_client(&self, call: CallRef, event: usize) -> bool {
        use tables::wire::Target;
        match &self.context.wire.function(call.function).target {
            Target::Row(row) => row.made_by_client.contains(&event),
            Target::Local(_) | Target::Invoke(_) => false,
        }
    }

    /// Returns the reason of a refusal as text.
    pub(super) fn reason_text(value: Value) -> Text {
        match value {
            Value::Null => "failed".into(),
            value => value.into_text(),
        }
    }
}
