//! Requests to RTM: sent, awaited, retried, merged.

use std::collections::HashMap;

use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{BadField, CallKind, ChannelId, RtmCall, RtmError, RtmReply};
use tables::row::{AnswerAt, CallTemplate, Handling, RtmStep, StepKind};

use crate::api::{DropReason, Effect, TimerKey};
use crate::emulate::invitations::Call;
use crate::invocation::{Run, RunId};
use crate::lanes::{Lanes, Turn, may_be_of_one, merge};
use crate::session::{Ctx, Session};

/// Maximum number of retries; the last error is then final.
const MAX_TRIES: u32 = 20;

/// A pending or waiting request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The runs and steps that wait for it; none if the result is ignored.
    pub asked_by: Vec<Asker>,
    pub call: RtmCall,
    pub tries: u32,
    /// The channel whose other session makes the call.
    pub via: Option<ChannelId>,
    /// The lane of the request.
    pub lane: Option<Text>,
    /// The request is a part of a merged one that was refused.
    pub is_part: bool,
}

impl Request {
    fn effect(&self, request: u64) -> Effect {
        let call = self.call.clone();
        match self.via.clone() {
            Some(channel) => Effect::RtmVia { request, channel, call },
            None => Effect::Rtm { request, call },
        }
    }
}

/// A run that waits for a request.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub run: RunId,
    pub step: usize,
    /// The item that it added to a gathered call.
    pub item: Option<Value>,
    /// Its own call, if it was merged with others.
    pub own: Option<RtmCall>,
}

/// All requests of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    next: u64,
    out: HashMap<u64, Request>,
    lanes: Lanes,
    /// Gathered kinds: the time of the last request, and the waiting runs.
    gathered: HashMap<CallKind, Gathered>,
}

#[derive(Clone, Debug, Default)]
struct Gathered {
    last: Option<Time>,
    waiting: Vec<Asker>,
    armed: bool,
}

impl Session {
    /// Sends the RTM step at `at` of a run. `Err` is the outcome of a call that cannot be built.
    pub(super) fn issue(&mut self, run: &mut Run, at: usize, ctx: &mut Ctx<'_>) -> Result<(), Option<usize>> {
        let tables = self.context.tables.clone();
        let StepKind::Rtm(rtm) = &tables.rows[run.row].steps[at].kind else {
            return Ok(());
        };
        if let Some(gather) = &rtm.gather {
            let item = self.eval(&gather.item, run);
            run.pending += 1;
            let asker = Asker {
                run: run.id,
                step: at,
                item: Some(item),
                own: None,
            };
            let kind = rtm.call.kind;
            self.requests.gathered.entry(kind).or_default().waiting.push(asker);
            self.send_gathered(kind, rtm, ctx);
            return Ok(());
        }
        let call = match self.build(run, &rtm.call) {
            Ok(call) => call,
            Err(_) => return Err(bad_call_outcome(rtm)),
        };
        run.pending += 1;
        let asked_by = vec![Asker {
            run: run.id,
            step: at,
            item: None,
            own: None,
        }];
        self.before_call(run, &call, ctx);
        let request = Request {
            asked_by,
            tries: 0,
            via: channel_of(&call).filter(|_| rtm.via_member),
            call,
            lane: rtm.lane.as_ref().map(|lane| self.eval(lane, run).into_text()),
            is_part: false,
        };
        if !self.send(request, ctx) {
            run.pending -= 1;
            return Err(bad_call_outcome(rtm));
        }
        Ok(())
    }

    /// Sends a call whose result is ignored.
    pub(super) fn send_aside(&mut self, call: RtmCall, ctx: &mut Ctx<'_>) {
        self.send(
            Request {
                asked_by: Vec::new(),
                call,
                tries: 0,
                via: None,
                lane: None,
                is_part: false,
            },
            ctx,
        );
    }

    /// Sends a request when its lane permits. Returns false if the queue is full.
    fn send(&mut self, request: Request, ctx: &mut Ctx<'_>) -> bool {
        let number = self.requests.next + 1;
        let turn = self.requests.lanes.enter(number, &request);
        if turn == Turn::Full {
            ctx.out.push(Effect::Dropped(DropReason::Requests));
            return false;
        }
        self.requests.next = number;
        self.requests.out.insert(number, request);
        if turn == Turn::Now {
            self.go_out(number, ctx);
        }
        true
    }

    /// Sends a request, for the first time or again.
    fn go_out(&mut self, number: u64, ctx: &mut Ctx<'_>) {
        self.join_neighbours(number);
        let Some(request) = self.requests.out.get(&number) else {
            return;
        };
        ctx.out.push(request.effect(number));
        let call = request.call.clone();
        self.writing(&call);
    }

    /// Sends the gathered calls if it is time; otherwise sets the timer.
    fn send_gathered(&mut self, kind: CallKind, rtm: &RtmStep, ctx: &mut Ctx<'_>) {
        let Some(gather) = &rtm.gather else { return };
        let gathered = self.requests.gathered.entry(kind).or_default();
        let due = gathered.last.map_or(ctx.now, |last| last + gather.every);
        if gathered.waiting.is_empty() {
            return;
        }
        if due > ctx.now {
            if !gathered.armed {
                gathered.armed = true;
                ctx.out.push(Effect::SetTimer {
                    key: TimerKey::Gather(kind),
                    at: due,
                });
            }
            return;
        }
        gathered.last = Some(ctx.now);
        let count = gathered.waiting.len().min(gather.max);
        let asked_by: Vec<Asker> = gathered.waiting.drain(..count).collect();
        if !gathered.waiting.is_empty() {
            gathered.armed = true;
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Gather(kind),
                at: ctx.now + gather.every,
            });
        }
        let mut items: Vec<Value> = Vec::new();
        for item in asked_by.iter().filter_map(|asker| asker.item.clone()) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        let mut values = vec![Value::Null; kind.fields().len()];
        values[gather.arg] = Value::List(items);
        if let Ok(call) = kind.build(&values) {
            self.send(
                Request {
                    asked_by,
                    call,
                    tries: 0,
                    via: None,
                    lane: None,
                    is_part: false,
                },
                ctx,
            );
        }
    }

    /// Handles the timer of gathered calls.
    pub(super) fn gather_timer(&mut self, kind: CallKind, ctx: &mut Ctx<'_>) {
        let Some(gathered) = self.requests.gathered.get_mut(&kind) else {
            return;
        };
        gathered.armed = false;
        let Some(first) = gathered.waiting.first() else { return };
        let Some(row) = self.runs.get(&first.run).map(|run| run.row) else {
            gathered.waiting.remove(0);
            return self.gather_timer(kind, ctx);
        };
        let at = first.step;
        let tables = self.context.tables.clone();
        if let StepKind::Rtm(rtm) = &tables.rows[row].steps[at].kind {
            self.send_gathered(kind, rtm, ctx);
        }
    }

    /// Handles RTM's reply to a request.
    pub(super) fn replied(&mut self, number: u64, result: Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        let Some(mut request) = self.requests.out.remove(&number) else {
            return;
        };
        if let Err(error) = result
            && request.tries < MAX_TRIES
            && let Some(wait) = self.wait_for(&request, error)
        {
            self.write_failed(&request.call);
            request.tries += 1;
            self.requests.lanes.refused(number, request.call.kind());
            self.requests.out.insert(number, request);
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Retry(number),
                at: ctx.now + wait,
            });
            return;
        }
        self.after_call(&request.call, &result, ctx);
        if matches!(result, Err(error) if may_be_of_one(error)) && request.asked_by.len() > 1 {
            return self.split(number, request, ctx);
        }
        for asker in std::mem::take(&mut request.asked_by) {
            self.deal(asker, result.clone(), ctx);
        }
        let Requests { out, lanes, .. } = &mut self.requests;
        for next in lanes.done(number, &request, |next| Some(out.get(&next)?.call.kind())) {
            self.go_out(next, ctx);
        }
    }

    /// Handles the retry timer of a request.
    pub(super) fn retry_timer(&mut self, number: u64, ctx: &mut Ctx<'_>) {
        self.go_out(number, ctx);
    }

    /// Merges the attribute writes directly behind one in its lane (decisions H7).
    fn join_neighbours(&mut self, number: u64) {
        let Requests { out, lanes, .. } = &mut self.requests;
        let Some(mut first) = out.remove(&number) else { return };
        if let Some(lane) = first.lane.clone().filter(|_| !first.is_part) {
            lanes.join(&lane, first.tries > 0, |next| {
                let Some(request) = out.get(&next).filter(|next| !next.is_part) else {
                    return false;
                };
                let alone = first.asked_by.iter_mut().filter(|asker| asker.own.is_none());
                alone.for_each(|asker| asker.own = Some(first.call.clone()));
                if !merge(&mut first.call, &request.call) {
                    return false;
                }
                let Some(request) = out.remove(&next) else { return false };
                let own = |asker: Asker| Asker {
                    own: Some(request.call.clone()),
                    ..asker
                };
                first.asked_by.extend(request.asked_by.into_iter().map(own));
                true
            });
        }
        out.insert(number, first);
    }

    /// Splits merged writes that were refused, because only one of them may be invalid.
    fn split(&mut self, number: u64, mut request: Request, ctx: &mut Ctx<'_>) {
        let mut parts = Vec::new();
        for asker in std::mem::take(&mut request.asked_by) {
            self.requests.next += 1;
            let part = Request {
                call: asker.own.clone().unwrap_or_else(|| request.call.clone()),
                asked_by: vec![asker],
                tries: 0,
                via: None,
                lane: request.lane.clone(),
                is_part: true,
            };
            self.requests.out.insert(self.requests.next, part);
            parts.push(self.requests.next);
        }
        for next in self.requests.lanes.split(number, &request, &parts) {
            self.go_out(next, ctx);
        }
    }

    fn wait_for(&self, request: &Request, error: RtmError) -> Option<std::time::Duration> {
        let asker = request.asked_by.first()?;
        let row = self.runs.get(&asker.run)?.row;
        let StepKind::Rtm(rtm) = &self.context.tables.rows[row].steps[asker.step].kind else {
            return None;
        };
        rtm.waits.iter().find(|(e, _)| *e == error).map(|(_, wait)| *wait)
    }

    /// Passes a result to one of the waiting runs.
    fn deal(&mut self, asker: Asker, result: Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        let Some(mut run) = self.runs.remove(&asker.run) else {
            return;
        };
        let tables = self.context.tables.clone();
        let row = &tables.rows[run.row];
        let StepKind::Rtm(rtm) = &row.steps[asker.step].kind else {
            return;
        };
        run.pending -= 1;
        match result {
            Ok(reply) => {
                let value = reply.to_value();
                if let Some(at) = &rtm.value {
                    run.value = self.part(&value, at.as_ref(), &run);
                }
                if let Some(expect) = &rtm.expect
                    && !expect.holds(&self.part(&value, expect.at.as_ref(), &run))
                {
                    return self.conclude(run, Some(expect.otherwise), ctx);
                }
                if let Some(slot) = rtm.bind {
                    run.slots[slot] = value;
                }
                if row.answer.at == AnswerAt::First && rtm.expect.is_none() && !run.answered {
                    self.answer(&mut run, ctx);
                }
            }
            Err(error) => {
                run.error = Some(error);
                let handling = rtm.errors.iter().find(|(e, _)| *e == error).map(|(_, h)| *h);
                if let Some(Handling::Outcome(outcome)) = handling {
                    return self.conclude(run, Some(outcome), ctx);
                }
            }
        }
        self.advance(run, ctx);
    }

    /// Returns the part of a result that a step uses.
    pub(super) fn part(&self, value: &Value, at: Option<&tables::expr::Expr>, run: &Run) -> Value {
        match at {
            None => value.clone(),
            Some(at) => value.get(&self.eval(at, run).into_text()).cloned().unwrap_or_default(),
        }
    }

    /// Discards the results of requests of an ended run.
    pub(super) fn forget_requests(&mut self, run: RunId) {
        for request in self.requests.out.values_mut() {
            request.asked_by.retain(|asker| asker.run != run);
        }
    }

    /// Builds a call; the invitation is the run's own.
    pub(super) fn build(&mut self, run: &mut Run, template: &CallTemplate) -> Result<RtmCall, BadField> {
        let mut values = Vec::with_capacity(template.args.len());
        for arg in &template.args {
            values.push(match arg {
                Some(expr) => self.eval(expr, run),
                None => self.invitation_for(run, template.kind),
            });
        }
        template.kind.build(&values)
    }

    fn invitation_for(&mut self, run: &mut Run, kind: CallKind) -> Value {
        if kind == CallKind::LocalInvitationSend {
            run.invitation = Some(self.calls.new_invitation());
        }
        // A row may end two calls, one of each direction.
        let id = run.invitation.or_else(|| {
            let call = match kind {
                CallKind::LocalInvitationCancel => self.call_of(run, Call::is_calling),
                _ => self.call_of(run, Call::is_ringing),
            };
            call.map(|call| call.invitation)
        });
        if kind == CallKind::RemoteInvitationAccept {
            run.invitation = id;
        }
        id.map_or(Value::Null, |id| Value::Int(i64::try_from(id.0).unwrap_or(i64::MAX)))
    }
}

/// Returns the channel whose membership a call requires.
fn channel_of(call: &RtmCall) -> Option<ChannelId> {
    match call {
        RtmCall::GetMembers { channel_id } => Some(channel_id.clone()),
        _ => None,
    }
}

/// Returns the outcome of a call that RTM's types refuse (for example an id without an RTM form):
/// that of RTM's last error.
fn bad_call_outcome(rtm: &RtmStep) -> Option<usize> {
    rtm.errors.iter().rev().find_map(|(_, handling)| match handling {
        Handling::Outcome(outcome) => Some(*outcome),
        Handling::Continue => None,
    })
}
