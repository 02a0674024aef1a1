//! Outcomes of rows.

use smallvec::{SmallVec, smallvec};

use protocol::event::{Event, Refusal};
use rtm::FieldType;
use rtm::value::{Text, Value};
use tables::condition::EmulationOutcome;
use tables::reason::{Reason, ReasonSource};
use tables::row::{CallTemplate, Emission, Failure};
use tables::ty::Ty;

use crate::api::Effect;
use crate::context::Ctx;
use crate::emulate::outbox::Message;
use crate::requests::Request;
use crate::run::Run;
use crate::session::Session;
use crate::session::scope::{Ambients, RunScope};

impl Session {
    /// Executes an outcome of the run's row: RTM call, note, failure, event, in that order.
    pub(super) fn fire(&mut self, run: &mut Run, outcome: usize, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        let Some(outcome) = env.row(run.row).outcomes.get(outcome) else {
            return;
        };
        if !self.scope(run).all_hold(&outcome.conds) {
            if let Some(otherwise) = outcome.otherwise {
                self.fire(run, otherwise, ctx);
            }
            return;
        }
        if outcome.hold && !self.store_message(run, ctx) {
            self.fire_emulated(run, EmulationOutcome::Undelivered, ctx);
        }
        if let Some(call) = &outcome.rtm {
            self.call_aside(run, call, ctx);
        }
        if let Some(code) = outcome.code {
            let about = run.account(env).or_else(|| run.channel(env)).cloned();
            let row = run.row;
            ctx.push(Effect::Note { row, code, about });
        }
        if let Some(failure) = &outcome.failure {
            self.fail(run, failure, None, ctx);
        }
        if let Some(emission) = &outcome.emission {
            for event in self.events(run, emission, Ambients::NONE) {
                self.emit_event(run, event, ctx);
            }
        }
    }

    /// Executes an outcome of the row's emulation, if the row has it.
    pub(super) fn fire_emulated(&mut self, run: &mut Run, outcome: EmulationOutcome, ctx: &mut Ctx<'_>) {
        if let Some(outcome) = ctx.env.row(run.row).emulation_outcomes[outcome as usize] {
            self.fire(run, outcome, ctx);
        }
    }

    /// Stores the message of a run for its peer; returns false if it cannot.
    fn store_message(&mut self, run: &Run, ctx: &mut Ctx<'_>) -> bool {
        let Some(message) = Message::of(run, ctx) else {
            return false;
        };
        let bound = self.client.store_bytes(&ctx.env.limits);
        self.outbox.store(message, bound, &mut self.requests, ctx)
    }

    /// Reports a failure: as the answer if the call is unanswered, otherwise as its event.
    pub(super) fn fail(&mut self, run: &mut Run, failure: &Failure, given: Option<Reason>, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        let reason = match (given, failure.reason) {
            (Some(reason), _) => reason.id(),
            (None, ReasonSource::Fixed(reason)) => reason,
            (None, ReasonSource::Member(row)) => env.row(row).reason_of(run.error),
            (None, ReasonSource::Given | ReasonSource::Parameter) => Reason::Failed.id(),
        };
        let ecode = env.wire.ecode(failure.class, reason);
        let reason = env.tables.reason(reason);
        let ambients = Ambients {
            reason: Some(reason.clone()),
            ecode,
            ..Ambients::NONE.clone()
        };
        let Some(event) = self.events(run, &failure.emission, &ambients).pop() else {
            return;
        };
        if run.call.is_some() && !run.answered {
            run.refusal = Some(Refusal {
                class: failure.class,
                reason,
                ecode,
                event,
            });
        } else {
            self.emit_event(run, event, ctx);
        }
    }

    /// Adds an event to the run's answer, or sends it.
    fn emit_event(&mut self, run: &mut Run, event: Event, ctx: &mut Ctx<'_>) {
        if run.parent.is_some() {
            return;
        }
        if run.call.is_some() && !run.answered {
            run.events.push(event);
        } else {
            self.client.deliver(event, &mut self.channel, ctx);
        }
    }

    fn events(&self, run: &Run, emission: &Emission, ambients: &Ambients) -> SmallVec<[Event; 1]> {
        if let Some(rule) = &emission.list {
            let mut cut = run.clone();
            cut.slots[rule.slot] = self.list_of_users(run, rule.slot, rule.last);
            return smallvec![self.event(&cut, emission, ambients)];
        }
        let Some(each) = &emission.each else {
            return smallvec![self.event(run, emission, ambients)];
        };
        let entries = self.eval(each, run);
        let entries = entries.as_map().unwrap_or_default().iter();
        let one = |(key, value): &(Text, Value)| {
            // A channel attribute is an object; Signaling's value is its member `value`.
            let value = value.get("value").unwrap_or(value).clone();
            let ambients = Ambients {
                key: key.clone().into(),
                value: Some(value),
                ..ambients.clone()
            };
            self.event(run, emission, &ambients)
        };
        entries.map(one).collect()
    }

    fn event(&self, run: &Run, emission: &Emission, ambients: &Ambients) -> Event {
        let scope = RunScope {
            session: self,
            run,
            ambients,
        };
        Event {
            sig: emission.event,
            row: emission.row,
            args: emission.args.iter().map(|arg| arg.eval(&scope)).collect(),
        }
    }

    /// Returns the newest `last` users of a list, with the session's own user at the end (decisions
    /// H1).
    fn list_of_users(&self, run: &Run, slot: usize, last: usize) -> Value {
        let env = &self.env;
        let user_ids = matches!(env.row(run.row).slots.get(slot), Some((_, Ty::Rtm(FieldType::UserIds))));
        let own = if user_ids {
            env.names.user_id(&env.account)
        } else {
            env.account.clone()
        };
        let users = run.slots[slot].as_list().unwrap_or_default();
        let mut users: Vec<Value> = users
            .iter()
            .filter(|user| user.as_text() != Some(&own))
            .cloned()
            .collect();
        users.push(Value::Text(own));
        let cut = users.len().saturating_sub(last);
        Value::List(users.split_off(cut))
    }

    /// Starts a call whose result is ignored.
    fn call_aside(&mut self, run: &mut Run, template: &CallTemplate, ctx: &mut Ctx<'_>) {
        if let Ok(call) = self.build(run, template) {
            self.send(Request::aside(call), ctx);
        }
    }
}
