//! The session's invitations: parties, channel and progress (decisions H9).
//!
//! A call is identified by its channel, the other party and its direction. Two users who call each
//! other have two calls, with an outcome each.

use std::time::Duration;

use rtm::value::{Text, Value};
use rtm::{InvitationApiCall, InvitationId, RtmCall, RtmError, RtmReply};
use tables::condition::{Emulation, EmulationOutcome, EmulationValue};
use tables::row::RowId;

use crate::api::{DropReason, Effect, TimerKey};
use crate::durable::SavedCall;
use crate::invocation::{Run, RunId};
use crate::session::{Ctx, Session};

/// RTM's error for a second accept of one invitation.
const ALREADY_ACCEPTED: RtmError = RtmError::InvitationApiCall(InvitationApiCall::AlreadyAccept);
/// Maximum number of calls; the first to be removed are calls without a pending answer.
const MAX_CALLS: usize = 256;

/// The session's side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The session has called.
    Caller,
    /// The session was called.
    Callee,
}

/// The progress of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// The call is unanswered.
    Ringing,
    /// The session has accepted, and RTM has not confirmed that the caller knows.
    Accepted,
    /// The call was accepted, and both sides know.
    Talking,
    /// The session has withdrawn the call; a late answer must be undone.
    Withdrawn,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The channel of the call.
    pub channel: Text,
    /// The other party's account.
    pub peer: Text,
    /// The session's side.
    pub role: Role,
    /// The RTM invitation.
    pub invitation: InvitationId,
    /// The progress.
    pub state: CallState,
    /// The run that ends the call on this side: later events of the call are ignored.
    closing: Option<RunId>,
    /// The row that started the call, with its values, for later outcomes.
    origin: Option<(RowId, Vec<Value>)>,
}

impl Call {
    /// Returns true for an unanswered outgoing call.
    pub fn is_calling(&self) -> bool {
        self.role == Role::Caller && self.state == CallState::Ringing
    }

    /// Returns true for an unanswered incoming call.
    pub fn is_ringing(&self) -> bool {
        self.role == Role::Callee && self.state == CallState::Ringing
    }

    /// Returns true for an accepted call.
    pub fn is_talking(&self) -> bool {
        matches!(self.state, CallState::Accepted | CallState::Talking)
    }

    /// Returns true while this side ends the call.
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }
}

/// All calls of a session.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    entries: Vec<Call>,
    next: u64,
}

impl Calls {
    /// Returns the calls with a party and channel that are not withdrawn, latest first.
    pub fn between<'c>(&'c self, channel: &str, peer: &str) -> impl Iterator<Item = &'c Call> {
        let fits = move |c: &&Call| &*c.channel == channel && &*c.peer == peer && c.state != CallState::Withdrawn;
        self.entries.iter().rev().filter(fits)
    }

    /// Returns the invitation of the latest such call that this side is not ending.
    fn find(&self, channel: &str, peer: &str, is: impl Fn(&Call) -> bool) -> Option<InvitationId> {
        let mut calls = self.between(channel, peer);
        calls.find(|c| is(c) && !c.is_closing()).map(|c| c.invitation)
    }

    /// Returns the call of an RTM invitation; RTM numbers both sides independently.
    pub fn by_invitation(&mut self, role: Role, invitation: InvitationId) -> Option<&mut Call> {
        self.entries
            .iter_mut()
            .find(|c| c.role == role && c.invitation == invitation)
    }

    /// Adds a call. Returns false if a ringing call was removed for it.
    pub fn add(&mut self, channel: Text, peer: Text, role: Role, invitation: InvitationId) -> bool {
        let mut has_room = true;
        if self.entries.len() >= MAX_CALLS {
            let over = self.entries.iter().position(|c| c.state == CallState::Withdrawn);
            let over = over.or_else(|| self.entries.iter().position(Call::is_talking));
            has_room = over.is_some();
            self.entries.remove(over.unwrap_or(0));
        }
        self.entries.push(Call {
            channel,
            peer,
            role,
            invitation,
            state: CallState::Ringing,
            closing: None,
            origin: None,
        });
        has_room
    }

    /// Removes a call.
    pub fn remove(&mut self, role: Role, invitation: InvitationId) -> Option<Call> {
        let at = self
            .entries
            .iter()
            .position(|c| c.role == role && c.invitation == invitation)?;
        Some(self.entries.remove(at))
    }

    /// Returns the calls for a store.
    pub fn saved(&self) -> Vec<SavedCall> {
        let open = self.entries.iter().filter(|call| call.state != CallState::Withdrawn);
        open.map(|call| SavedCall {
            channel: call.channel.clone(),
            peer: call.peer.clone(),
            role: call.role,
            talking: call.is_talking(),
            origin: call.origin.clone(),
        })
        .collect()
    }

    /// Returns true if `saved` are these calls.
    pub fn are(&self, saved: &[SavedCall]) -> bool {
        let open = self.entries.iter().filter(|call| call.state != CallState::Withdrawn);
        let is = |(call, saved): (&Call, &SavedCall)| {
            call.role == saved.role
                && call.is_talking() == saved.talking
                && call.channel == saved.channel
                && call.peer == saved.peer
        };
        open.clone().count() == saved.len() && open.zip(saved).all(is)
    }

    /// Takes calls from a store. Their invitations ended with the RTM client that had them, so they get numbers that
    /// no RTM client uses. Returns the unanswered ones.
    pub fn restore(&mut self, saved: Vec<SavedCall>) -> Vec<(Role, InvitationId)> {
        let mut unanswered = Vec::new();
        for (call, number) in saved.into_iter().zip((0..=u64::MAX).rev()) {
            let invitation = InvitationId(number);
            self.add(call.channel, call.peer, call.role, invitation);
            if let Some(entry) = self.by_invitation(call.role, invitation) {
                entry.origin = call.origin;
                if call.talking {
                    entry.state = CallState::Talking;
                } else {
                    unanswered.push((call.role, invitation));
                }
            }
        }
        unanswered
    }

    /// Returns a number for an outgoing invitation.
    pub fn new_invitation(&mut self) -> InvitationId {
        self.next += 1;
        InvitationId(self.next)
    }
}

impl Session {
    /// Returns the latest matching call of the run. Calls that another run was already ending are
    /// excluded. For other runs a ringing call ends as soon as such a run starts.
    pub(crate) fn call_of(&self, run: &Run, is: impl Fn(&Call) -> bool) -> Option<&Call> {
        let (channel, peer) = self.channel_of(run).zip(self.account_of(run))?;
        let ends = matches!(self.emulation(run), Some(Emulation::CloseCall | Emulation::RefuseCall));
        let mut calls = self.calls.between(&channel, &peer);
        calls.find(|call| match call.closing {
            Some(by) => is(call) && (by == run.id || !ends && call.is_talking()),
            None => is(call) && !ends,
        })
    }

    /// Returns true if the run has a call, even one that another run is ending.
    pub(crate) fn has_call(&self, run: &Run) -> bool {
        let pair = self.channel_of(run).zip(self.account_of(run));
        pair.is_some_and(|(channel, peer)| self.calls.between(&channel, &peer).next().is_some())
    }

    /// Registers an outgoing invitation and starts its timer. A ringing one of the same party and
    /// channel is withdrawn, because clients only handle the latest one.
    pub(crate) fn calling(&mut self, run: &Run, invitation: InvitationId, ctx: &mut Ctx<'_>) {
        let Some((channel, peer)) = self.channel_of(run).zip(self.account_of(run)) else {
            return;
        };
        if let Some(earlier) = self.calls.find(&channel, &peer, Call::is_calling) {
            self.calls.remove(Role::Caller, earlier);
            self.send_aside(cancel(earlier), ctx);
        }
        self.add_call(run, (channel, peer), Role::Caller, invitation, ctx);
        let after = self.ring_time(run).unwrap_or(self.context.limits.invite);
        ctx.out.push(Effect::SetTimer {
            key: TimerKey::Invite(invitation),
            at: ctx.now + after,
        });
    }

    /// Registers an incoming invitation, replacing an earlier one of the same caller and channel. A
    /// banned caller cannot withdraw it, so the ring time is also limited on this side.
    pub(crate) fn called_by(
        &mut self,
        run: &Run,
        (channel, peer): (Text, Text),
        invitation: InvitationId,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(earlier) = self.calls.find(&channel, &peer, Call::is_ringing) {
            self.calls.remove(Role::Callee, earlier);
        }
        self.add_call(run, (channel, peer), Role::Callee, invitation, ctx);
        if let Some(after) = self.ring_time(run) {
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Ring(invitation),
                at: ctx.now + after,
            });
        }
    }

    fn add_call(
        &mut self,
        run: &Run,
        (channel, peer): (Text, Text),
        role: Role,
        invitation: InvitationId,
        ctx: &mut Ctx<'_>,
    ) {
        if !self.calls.add(channel, peer, role, invitation) {
            ctx.out.push(Effect::Dropped(DropReason::Calls));
        }
        if let Some(call) = self.calls.by_invitation(role, invitation) {
            call.origin = Some((run.row, run.slots.clone()));
        }
    }

    /// Returns the row's value `timeout`, if it has one.
    fn ring_time(&self, run: &Run) -> Option<Duration> {
        let seconds = self.named_slot(run, "timeout")?.as_int()?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    }

    /// Handles the timeout of an outgoing call.
    pub(crate) fn call_timed_out(&mut self, invitation: InvitationId, ctx: &mut Ctx<'_>) {
        let call = self.calls.by_invitation(Role::Caller, invitation);
        if let Some(call) = call.filter(|c| c.is_calling() && !c.is_closing()) {
            call.state = CallState::Withdrawn;
            self.fire_origin(Role::Caller, invitation, EmulationOutcome::TimedOut, ctx);
        }
    }

    /// Handles the timeout of an incoming call without a cancel.
    pub(crate) fn ring_timed_out(&mut self, invitation: InvitationId, ctx: &mut Ctx<'_>) {
        let call = self.calls.by_invitation(Role::Callee, invitation);
        if call.is_some_and(|c| c.is_ringing() && !c.is_closing()) {
            self.fire_origin(Role::Callee, invitation, EmulationOutcome::TimedOut, ctx);
            self.calls.remove(Role::Callee, invitation);
        }
    }

    /// Runs an outcome of the row that started the call.
    pub(crate) fn fire_origin(
        &mut self,
        role: Role,
        invitation: InvitationId,
        outcome: EmulationOutcome,
        ctx: &mut Ctx<'_>,
    ) {
        let call = self.calls.by_invitation(role, invitation);
        let Some((row, slots)) = call.and_then(|call| call.origin.clone()) else {
            return;
        };
        self.next_run += 1;
        let mut run = Run::new(self.next_run, row, slots);
        run.invitation = Some(invitation);
        self.set_value(&mut run, EmulationValue::Info, "".into());
        self.fire_named(&mut run, outcome, ctx);
    }

    /// Withdraws all unanswered outgoing calls.
    pub(crate) fn withdraw_calls(&mut self, ctx: &mut Ctx<'_>) {
        for invitation in self.outgoing() {
            if let Some(call) = self.calls.by_invitation(Role::Caller, invitation) {
                call.state = CallState::Withdrawn;
            }
            self.send_aside(cancel(invitation), ctx);
        }
    }

    /// Handles the reply to a `cancel`: successful or not, the invitation has ended.
    pub(crate) fn cancel_answered(&mut self, invitation: InvitationId) {
        let call = self.calls.by_invitation(Role::Caller, invitation);
        if call.is_some_and(|call| call.state == CallState::Withdrawn) {
            self.calls.remove(Role::Caller, invitation);
        }
    }

    /// Removes all calls of a terminated session. Returns the RTM calls that withdraw the
    /// unanswered ones.
    pub fn leave_calls(&mut self) -> Vec<RtmCall> {
        self.outgoing().into_iter().map(cancel).collect()
    }

    /// Returns the unanswered outgoing calls that this side is not ending.
    pub(crate) fn outgoing(&self) -> Vec<InvitationId> {
        let calling = self.calls.entries.iter().filter(|c| c.is_calling() && !c.is_closing());
        calling.map(|c| c.invitation).collect()
    }

    /// Handles a client that has lost its calls: outgoing ones are withdrawn, and events of the
    /// others are dropped.
    pub(crate) fn forget_calls(&mut self, ctx: &mut Ctx<'_>) {
        self.withdraw_calls(ctx);
        self.calls.entries.retain(|call| call.state == CallState::Withdrawn);
    }

    /// Marks the matching calls with the run's party as ending.
    pub(crate) fn closing_calls(&mut self, run: &Run, ends: impl Fn(&Call) -> bool) {
        let Some((channel, peer)) = self.channel_of(run).zip(self.account_of(run)) else {
            return;
        };
        for call in &mut self.calls.entries {
            let is_between = call.channel == channel && call.peer == peer && call.state != CallState::Withdrawn;
            if is_between && !call.is_closing() && ends(call) {
                call.closing = Some(run.id);
            }
        }
    }

    /// Removes the calls that this side has ended. A refusal does not affect a call that was
    /// accepted before.
    pub(crate) fn closed_calls(&mut self, run: &Run, is_over: impl Fn(&Call) -> bool) {
        self.calls
            .entries
            .retain(|call| call.closing != Some(run.id) || !is_over(call));
        for call in self.calls.entries.iter_mut().filter(|c| c.closing == Some(run.id)) {
            call.closing = None;
        }
    }

    /// Handles RTM's confirmation of an `accept`, now or before.
    pub(crate) fn accepted(&mut self, invitation: InvitationId, result: &Result<RtmReply, RtmError>) {
        let is_accepted = match result {
            Ok(_) => true,
            Err(error) => *error == ALREADY_ACCEPTED,
        };
        let call = self.calls.by_invitation(Role::Callee, invitation);
        if let Some(call) = call.filter(|call| is_accepted && call.state == CallState::Ringing) {
            call.state = CallState::Accepted;
        }
    }

    /// Handles the end of an accept: a call whose accept RTM refused has ended.
    pub(crate) fn accept_over(&mut self, run: &Run) {
        let is_over = run.error.is_some_and(|error| error != ALREADY_ACCEPTED);
        if let Some(invitation) = run.invitation.filter(|_| is_over) {
            self.calls.remove(Role::Callee, invitation);
        }
    }

    /// Handles RTM's confirmation that the caller has received the accept.
    pub(crate) fn accept_confirmed(&mut self, invitation: InvitationId) {
        if let Some(call) = self.calls.by_invitation(Role::Callee, invitation) {
            call.state = CallState::Talking;
        }
    }

    /// Ends the calls with a party about a channel, on the party's request: accepted ones,
    /// otherwise ringing ones. Returns false if there was none.
    pub(crate) fn ended_by_peer(&mut self, channel: &Text, peer: &Text) -> bool {
        let is_talking = self.calls.between(channel, peer).any(Call::is_talking);
        let before = self.calls.entries.len();
        self.calls.entries.retain(|call| {
            let is_between = call.channel == *channel && call.peer == *peer && call.state != CallState::Withdrawn;
            !is_between || call.is_talking() != is_talking
        });
        self.calls.entries.len() < before
    }
}

fn cancel(invitation: InvitationId) -> RtmCall {
    RtmCall::LocalInvitationCancel {
        invitation,
        content: Some("".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ringing_call_is_the_last_to_be_removed() {
        let mut calls = Calls::default();
        let fill = |calls: &mut Calls| {
            let invitation = calls.new_invitation();
            calls.add("r".into(), "bob".into(), Role::Caller, invitation)
        };
        for _ in 0..MAX_CALLS {
            assert!(fill(&mut calls));
        }
        calls.by_invitation(Role::Caller, InvitationId(9)).unwrap().state = CallState::Talking;
        assert!(fill(&mut calls), "an accepted call is removed first");
        assert!(!fill(&mut calls), "all calls are ringing");
        assert!(calls.by_invitation(Role::Caller, InvitationId(1)).is_none());
        assert!(calls.by_invitation(Role::Caller, InvitationId(2)).is_some());
        assert_eq!(calls.entries.len(), MAX_CALLS);
    }
}
