//! The RTM steps of runs: calls are built and sent, and their results passed to the runs.

use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use rtm::value::Value;
use rtm::{BadField, CallKind, ChannelId, RtmCall, RtmError, RtmReply};
use tables::condition::Emulation;
use tables::expr::Expr;
use tables::row::{AnswerAt, CallTemplate, Handling, RtmStep, StepKind};

use crate::context::Ctx;
use crate::emulate::call_role::Role;
use crate::emulate::invitations::Call;
use crate::lanes::may_be_of_one;
use crate::requests::{Added, Request, WaitingRun};
use crate::run::Run;
use crate::session::Session;

impl Session {
    /// Sends the RTM step at `at` of a run. `Err` is the outcome of a call that cannot be built.
    pub(super) fn issue(&mut self, run: &mut Run, at: usize, ctx: &mut Ctx<'_>) -> Result<(), Option<usize>> {
        let env = ctx.env;
        let StepKind::Rtm(rtm) = &env.row(run.row).steps[at].kind else {
            return Ok(());
        };
        if let Some(gather) = &rtm.gather {
            let item = self.eval(&gather.item, run);
            run.pending += 1;
            let kind = rtm.call.kind;
            self.requests.gather(kind, WaitingRun::new(run.id, at, Some(item)));
            self.send_gathered(kind, rtm, ctx);
            return Ok(());
        }
        let Ok(call) = self.build(run, &rtm.call) else {
            return Err(bad_call_outcome(rtm));
        };
        run.pending += 1;
        self.before_call(run, &call, ctx);
        let via = channel_of(&call).filter(|_| rtm.via_member);
        let mut request = Request::of(smallvec![WaitingRun::new(run.id, at, None)], call);
        request.via = via;
        request.lane = rtm.lane.as_ref().map(|lane| self.eval(lane, run).into_text());
        if !self.send(request, ctx) {
            run.pending -= 1;
            return Err(bad_call_outcome(rtm));
        }
        Ok(())
    }

    /// Sends a request when its lane permits. Returns false if the queue is full.
    pub(super) fn send(&mut self, request: Request, ctx: &mut Ctx<'_>) -> bool {
        let added = self.requests.add(request, ctx);
        if let Added::Now(number) = added {
            self.go_out(number, ctx);
        }
        added != Added::Full
    }

    /// Sends a request, for the first time or again.
    pub(super) fn go_out(&mut self, number: u64, ctx: &mut Ctx<'_>) {
        if let Some(call) = self.requests.go_out(number, ctx) {
            self.channel.write_sent(call);
        }
    }

    fn send_gathered(&mut self, kind: CallKind, rtm: &RtmStep, ctx: &mut Ctx<'_>) {
        let Some(gather) = &rtm.gather else { return };
        if let Some(request) = self.requests.gathered(kind, gather, ctx) {
            self.send(request, ctx);
        }
    }

    /// Handles the timer of gathered calls.
    pub(super) fn gather_timer(&mut self, kind: CallKind, ctx: &mut Ctx<'_>) {
        let Some((row, step)) = self.requests.gather_due(kind, |run| self.runs.row_of(run)) else {
            return;
        };
        let env = ctx.env;
        if let StepKind::Rtm(rtm) = &env.row(row).steps[step].kind {
            self.send_gathered(kind, rtm, ctx);
        }
    }

    /// Handles RTM's reply to a request.
    #[inline(never)]
    pub(super) fn replied(&mut self, number: u64, result: Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        let Some(mut request) = self.requests.take(number) else {
            return;
        };
        if let Err(error) = result
            && request.has_tries()
            && let Some(wait) = self.wait_for(&request, error, ctx)
        {
            self.channel.write_failed(&request.call);
            return self.requests.retry(number, request, wait, ctx);
        }
        self.after_call(&request.call, &result, ctx);
        if matches!(result, Err(error) if may_be_of_one(error)) && request.waiting_runs.len() > 1 {
            for next in self.requests.split(number, request) {
                self.go_out(next, ctx);
            }
            return;
        }
        for requester in std::mem::take(&mut request.waiting_runs) {
            self.resume_run(&requester, result.clone(), ctx);
        }
        for next in self.requests.done(number, &request) {
            self.go_out(next, ctx);
        }
    }

    fn wait_for(&self, request: &Request, error: RtmError, ctx: &Ctx<'_>) -> Option<Duration> {
        let requester = request.waiting_runs.first()?;
        let row = self.runs.row_of(requester.run)?;
        let StepKind::Rtm(rtm) = &ctx.env.row(row).steps[requester.step].kind else {
            return None;
        };
        rtm.waits.iter().find(|(e, _)| *e == error).map(|(_, wait)| *wait)
    }

    /// Passes a result to one of the waiting runs.
    fn resume_run(&mut self, requester: &WaitingRun, result: Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        let Some(mut run) = self.runs.take(requester.run) else {
            return;
        };
        let env = ctx.env;
        let row = env.row(run.row);
        let StepKind::Rtm(rtm) = &row.steps[requester.step].kind else {
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
    pub(super) fn part(&self, value: &Value, at: Option<&Expr>, run: &Run) -> Value {
        match at {
            None => value.clone(),
            Some(at) => value.get(&self.eval(at, run).into_text()).cloned().unwrap_or_default(),
        }
    }

    /// Builds a call; the invitation is the run's own.
    pub(super) fn build(&mut self, run: &mut Run, template: &CallTemplate) -> Result<RtmCall, BadField> {
        let mut values: SmallVec<[Value; 6]> = SmallVec::new();
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
            run.invitation = Some(self.invitations.new_invitation());
        }
        // A row may end two calls, one of each direction.
        let id = run.invitation.or_else(|| {
            let call = match kind {
                CallKind::LocalInvitationCancel => self.invitations.call_of(run, &self.env, Call::is_calling),
                _ => self.invitations.call_of(run, &self.env, Call::is_ringing),
            };
            call.map(|call| call.invitation)
        });
        if kind == CallKind::RemoteInvitationAccept {
            run.invitation = id;
        }
        id.map_or(Value::Null, |id| Value::Int(i64::try_from(id.0).unwrap_or(i64::MAX)))
    }

    /// Registers an RTM call of a run, before it is sent.
    fn before_call(&mut self, run: &Run, call: &RtmCall, ctx: &mut Ctx<'_>) {
        match call {
            RtmCall::Join { channel_id } => {
                let Some(name) = run.channel(ctx.env) else { return };
                if run.emulation(ctx.env) == Some(Emulation::TransientJoin) {
                    self.transient_joins.start(name, channel_id, &mut self.requests, ctx);
                } else {
                    self.transient_joins.forget(channel_id);
                    self.channel.join(name.clone(), channel_id.clone());
                }
            }
            RtmCall::SendMessage { channel_id, .. } => self.transient_joins.sending(channel_id),
            RtmCall::Leave { channel_id } => self.channel.leave(channel_id),
            RtmCall::LocalInvitationSend { invitation, .. } => {
                self.invitations.sent(run, *invitation, &mut self.requests, ctx);
            }
            _ => {}
        }
    }

    /// Passes the result of an RTM call to its state machine.
    fn after_call(&mut self, call: &RtmCall, result: &Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        let reply = result.as_ref().ok();
        match call {
            RtmCall::Login { .. } => self.resumed_login(result.is_ok(), ctx),
            RtmCall::GetUserAttributesByKeys { user_id, .. } => {
                if let Some(resolved) = self.directory.replied(user_id, reply, ctx.env) {
                    self.release_named(resolved, ctx);
                }
            }
            RtmCall::GetMembers { channel_id } if self.lists_silently(channel_id, reply) => {}
            RtmCall::GetMembers { channel_id } => self.recounted(channel_id, reply, ctx),
            RtmCall::Join { channel_id } => {
                let is_transient = self.transient_joins.join_replied(channel_id, result, ctx);
                if !is_transient {
                    self.channel.join_replied(channel_id, result);
                }
            }
            RtmCall::SendMessage { channel_id, .. } => self.transient_joins.sent(channel_id, result, ctx),
            RtmCall::LocalInvitationSend { invitation, .. } if result.is_err() => {
                self.invitations.remove(Role::Caller, *invitation);
            }
            RtmCall::LocalInvitationCancel { invitation, .. } => self.invitations.cancel_replied(*invitation),
            RtmCall::RemoteInvitationAccept { invitation, .. } => self.invitations.accept_replied(*invitation, result),
            RtmCall::AddOrUpdateChannelAttributes { .. }
            | RtmCall::DeleteChannelAttributesByKeys { .. }
            | RtmCall::ClearChannelAttributes { .. } => match result {
                Ok(_) => self.channel.write_done(call),
                Err(_) => self.channel.write_failed(call),
            },
            _ => {}
        }
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
