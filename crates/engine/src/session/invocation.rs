//! The execution of runs: steps, answers, and the order of runs.

use smallvec::SmallVec;

use protocol::event::{Answer, CallRef, Event};
use rtm::value::Value;
use tables::bridge_messages::parse_end_call;
use tables::condition::{Condition, Emulation, EmulationInput, EmulationOutcome};
use tables::expr::Expr;
use tables::reason::Reason;
use tables::row::{AnswerAt, Lane, RowId, StepKind};
use tables::wire::Target;

use crate::api::Effect;
use crate::context::Ctx;
use crate::emulate::invitations::Call;
use crate::emulate::system_attributes;
use crate::run::Run;
use crate::session::Session;
use crate::session::scope::{Ambients, RunScope};
use crate::session::stored::{answers_late, late_failure};

impl Session {
    /// Creates a run of a row with these arguments; the other slots are empty, except for the `let`
    /// values.
    pub(super) fn new_run(&mut self, row: RowId, args: Vec<Value>, ctx: &Ctx<'_>) -> Box<Run> {
        let env = ctx.env;
        let row_ref = env.row(row);
        let mut slots = args;
        slots.resize(row_ref.slots.len(), Value::Null);
        let mut run = self.runs.create(row, slots);
        let default_secs = i64::try_from(env.limits.invite.as_secs()).unwrap_or(i64::MAX);
        for item in &row_ref.let_values {
            let from = self.eval(&item.from, &run);
            run.slots[item.slot] = item.compute(from, default_secs, &env.account);
        }
        run
    }

    pub(super) fn scope<'s>(&'s self, run: &'s Run) -> RunScope<'s> {
        RunScope {
            session: self,
            run,
            ambients: Ambients::NONE,
        }
    }

    pub(super) fn eval(&self, expr: &Expr, run: &Run) -> Value {
        expr.eval(&self.scope(run))
    }

    /// Starts a run, at once or when its lane is free.
    pub(super) fn start(&mut self, run: Box<Run>, ctx: &mut Ctx<'_>) {
        if self.runs.is_full() {
            return self.refuse(run, Reason::TooOften, ctx);
        }
        if self.runs.must_wait(&run, ctx.env.row(run.row).lane) {
            self.runs.wait(run);
        } else {
            self.begin(run, ctx);
        }
    }

    fn begin(&mut self, mut run: Box<Run>, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        let row = env.row(run.row);
        if run.parent.is_none() && (row.lane == Lane::Serial || self.starts_transient_join(&run, ctx)) {
            self.runs.hold_lane(run.id);
        }
        run.started = true;
        self.emulate_start(&mut run, ctx);
        let is_early = row.answer.at == AnswerAt::Accepted && !answers_late(&run, ctx);
        if is_early && run.parent.is_none() && !run.answered {
            self.answer(&mut run, ctx);
        }
        self.advance(run, ctx);
    }

    /// Returns true if the run will start a transient join. It then holds the channel lane, so that
    /// later messages find the channel joined.
    fn starts_transient_join(&self, run: &Run, ctx: &Ctx<'_>) -> bool {
        run.emulation(ctx.env) == Some(Emulation::TransientJoin)
            && ctx.env.limits.force_join
            && !self.scope(run).holds(Condition::Joined)
            && !self.scope(run).holds(Condition::TransientlyJoined)
    }

    /// Executes a run as far as possible.
    pub(super) fn advance(&mut self, mut run: Box<Run>, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        let row = env.row(run.row);
        loop {
            let Some(next) = row.steps.get(run.pc) else {
                if run.pending == 0 {
                    self.finish(run, ctx);
                } else {
                    self.runs.insert(run);
                }
                return;
            };
            if run.pending > 0 && !(run.together && next.together) {
                self.runs.insert(run);
                return;
            }
            run.pc += 1;
            if !self.scope(&run).all_hold(&next.conds) {
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
                    let mut child = self.new_run(*inner, args, ctx);
                    child.parent = Some(run.id);
                    run.pending += 1;
                    run.together = false;
                    self.runs.insert(run);
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
    fn finish(&mut self, mut run: Box<Run>, ctx: &mut Ctx<'_>) {
        if run.emulation(ctx.env) == Some(Emulation::SingleChannel) {
            self.channel.settle_list(&mut run, ctx.env);
        }
        if !run.answered && run.parent.is_none() {
            self.answer(&mut run, ctx);
        }
        self.leave(run, ctx);
    }

    /// Ends a run with an outcome, or only with an answer.
    pub(super) fn conclude(&mut self, mut run: Box<Run>, outcome: Option<usize>, ctx: &mut Ctx<'_>) {
        self.requests.forget(run.id);
        if !run.answered && run.parent.is_none() && answers_late(&run, ctx) {
            if let Some(reason) = late_failure(&run, outcome, ctx) {
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
    pub(super) fn refuse(&mut self, mut run: Box<Run>, reason: Reason, ctx: &mut Ctx<'_>) {
        if let Some(failure) = &ctx.env.row(run.row).fail {
            self.fail(&mut run, failure, Some(reason), ctx);
        }
        if run.parent.is_none() {
            self.send_answer(&mut run, ctx);
        }
        self.leave(run, ctx);
    }

    /// Answers the call: first the row's own outcomes, then the reply.
    pub(super) fn answer(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        for &outcome in &env.row(run.row).answer.emit {
            self.fire(run, outcome, ctx);
        }
        self.send_answer(run, ctx);
    }

    fn send_answer(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        run.answered = true;
        let Some(call) = run.call else { return };
        let fields = ctx.env.row(run.row).answer.fields.iter();
        let fields = fields.map(|(_, expr)| self.eval(expr, run)).collect();
        let events = std::mem::take(&mut run.events);
        let sent = events.iter().filter(|event| !made_by_client(call, event.sig, ctx));
        let sent: SmallVec<[Event; 1]> = sent.cloned().collect();
        let refused = run.refusal.is_some();
        let answer = Answer {
            failure: run.refusal.take(),
            events,
            fields,
        };
        ctx.push(Effect::Answer {
            call,
            row: run.row,
            answer,
        });
        for event in sent {
            self.client.deliver_part(event, &mut self.channel, ctx);
        }
        self.after_answer(call, refused, ctx);
    }

    /// Removes a run; continues its lane, its emulation and its outer run.
    fn leave(&mut self, run: Box<Run>, ctx: &mut Ctx<'_>) {
        if run.started {
            self.emulate_end(&run, ctx);
        }
        self.runs.release_lane(run.id);
        if let Some(mut outer) = run.parent.and_then(|parent| self.runs.take(parent)) {
            outer.pending -= 1;
            self.advance(outer, ctx);
        }
        while let Some(next) = self.runs.next_of_lane() {
            self.begin(next, ctx);
        }
    }

    /// Runs the emulation before the first step of a run.
    fn emulate_start(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        match run.emulation(ctx.env) {
            Some(Emulation::SingleChannel) => self.channel.hold(run.channel(ctx.env)),
            Some(Emulation::RefuseCall) => self.invitations.closing(run, ctx.env, Call::is_ringing),
            Some(Emulation::CloseCall) => self.invitations.closing(run, ctx.env, |_| true),
            Some(Emulation::Outbox) => self.note_end_text(run, ctx),
            Some(Emulation::SystemAttributeWrite) => {
                let name = run.input(ctx.env, EmulationInput::Name).and_then(Value::as_text);
                if let Some(outcome) = name.and_then(|name| system_attributes::limitation(name)) {
                    self.fire_emulated(run, outcome, ctx);
                }
            }
            _ => {}
        }
    }

    /// Notes a message that its receiver interprets as the end of a call: RTM has no other form for
    /// that (rtm-api 11).
    fn note_end_text(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        let text = run.input(ctx.env, EmulationInput::Message).and_then(Value::as_text);
        let is_end = text.is_some_and(|text| parse_end_call(text).is_some());
        // A stored message is sent for the second time.
        if is_end && run.until.is_none() && !self.scope(run).holds(Condition::OneSelf) {
            self.fire_emulated(run, EmulationOutcome::EndText, ctx);
        }
    }

    /// Runs the emulation after the answer.
    fn emulate_end(&mut self, run: &Run, ctx: &mut Ctx<'_>) {
        match run.emulation(ctx.env) {
            Some(Emulation::SingleChannel) => self.release_channel(ctx),
            Some(Emulation::AnswerCall) => self.invitations.accept_over(run),
            Some(Emulation::RefuseCall) => self.invitations.closed(run, Call::is_ringing),
            Some(Emulation::CloseCall) => self.invitations.closed(run, |_| true),
            _ => {}
        }
    }
}

/// Returns true for an event that the client generates itself.
fn made_by_client(call: CallRef, event: usize, ctx: &Ctx<'_>) -> bool {
    match &ctx.env.wire.function(call.function).target {
        Target::Row(row) => row.made_by_client.contains(&event),
        Target::Local(_) | Target::Invoke(_) => false,
    }
}
