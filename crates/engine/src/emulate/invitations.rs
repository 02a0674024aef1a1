//! The session's invitations: parties, channel and progress (decisions H9).
//!
//! A call is identified by its channel, the other party and its direction. Two users who call each
//! other have two calls, with an outcome each.

use std::time::Duration;

use rtm::value::{Text, Value};
use rtm::{InvitationApiCall, InvitationId, RtmCall, RtmError, RtmEvent, RtmReply};
use tables::bridge_messages::parse_end_call;
use tables::condition::{Emulation, EmulationInput, EmulationOutcome};
use tables::row::RowId;

use crate::api::{DropReason, TimerKey};
use crate::context::{Ctx, Env};
use crate::durable::SavedCall;
use crate::emulate::call_role::Role;
use crate::requests::Requests;
use crate::run::{Run, RunId};

/// RTM's error for a second accept of one invitation.
const ALREADY_ACCEPTED: RtmError = RtmError::InvitationApiCall(InvitationApiCall::AlreadyAccept);
/// Maximum number of calls; the first to be removed are calls without a pending answer.
const MAX_CALLS: usize = 256;

/// The progress of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// The call is unanswered.
    Ringing,
    /// The session has accepted, and RTM has not confirmed the delivery to the caller.
    Accepted,
    /// The call was accepted, as both sides were notified.
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

/// The row that started a call, for a later outcome of it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The row.
    pub row: RowId,
    /// The values of the row.
    pub slots: Vec<Value>,
    /// The invitation of the call.
    pub invitation: InvitationId,
}

/// Meaning of an RTM event for a call.
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// No change, or none that is new to the client.
    Nothing,
    /// The callee has accepted a call that the session has withdrawn. It must not remain in a call
    /// without a caller.
    AnsweredLate(Origin),
    /// An outcome of the event's row.
    Changed(InvitationId, EmulationOutcome),
    /// The callee has ended the call, in the form of a refusal.
    Ended {
        /// The invitation.
        invitation: InvitationId,
        /// The RTM channel id of the call.
        channel: Text,
        /// The reason, as the callee gives it.
        info: Text,
    },
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

    /// Returns true for a call with that party about that channel, unless it is withdrawn.
    fn is_between(&self, channel: &str, peer: &str) -> bool {
        &*self.channel == channel && &*self.peer == peer && self.state != CallState::Withdrawn
    }

    /// Returns true while this side ends the call.
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }
}

/// All calls of a session.
#[derive(Clone, Debug, Default)]
pub struct Invitations {
    entries: Vec<Call>,
    next: u64,
}

impl Invitations {
    /// Returns true if there are no calls.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the calls with a party and channel that are not withdrawn, latest first.
    pub fn between<'c>(&'c self, channel: &'c str, peer: &'c str) -> impl Iterator<Item = &'c Call> {
        self.entries
            .iter()
            .rev()
            .filter(move |call| call.is_between(channel, peer))
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

    /// Returns a number for an outgoing invitation.
    pub fn new_invitation(&mut self) -> InvitationId {
        self.next += 1;
        InvitationId(self.next)
    }
}

impl Invitations {
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
                && call.is_between(&saved.channel, &saved.peer)
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

    /// Returns the latest matching call of the run. Calls that another run was already ending are
    /// excluded. For other runs a ringing call ends as soon as such a run starts.
    pub(crate) fn call_of<'c>(&'c self, run: &'c Run, env: &'c Env, is: impl Fn(&Call) -> bool) -> Option<&'c Call> {
        let (channel, peer) = run.party(env)?;
        let ends = matches!(run.emulation(env), Some(Emulation::CloseCall | Emulation::RefuseCall));
        self.between(channel, peer).find(|call| match call.closing {
            Some(by) => is(call) && (by == run.id || !ends && call.is_talking()),
            None => is(call) && !ends,
        })
    }

    /// Returns true if the run has a call, even one that another run is ending.
    pub(crate) fn has_call(&self, run: &Run, env: &Env) -> bool {
        let party = run.party(env);
        party.is_some_and(|(channel, peer)| self.between(channel, peer).next().is_some())
    }

    /// Registers an outgoing invitation and starts its timer. A ringing one of the same party and
    /// channel is withdrawn, because clients only handle the latest one.
    pub(crate) fn sent(&mut self, run: &Run, invitation: InvitationId, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        let Some((channel, peer)) = run.party(ctx.env) else {
            return;
        };
        if let Some(earlier) = self.find(channel, peer, Call::is_calling) {
            self.remove(Role::Caller, earlier);
            requests.send_aside(cancel(earlier), ctx);
        }
        let party = (channel.clone(), peer.clone());
        self.add_of(run, party, Role::Caller, invitation, ctx);
        let after = ring_time(run, ctx.env).unwrap_or(ctx.env.limits.invite);
        ctx.set_timer_in(TimerKey::Invite(invitation), after);
    }

    /// Registers an incoming invitation, replacing an earlier one of the same caller and channel. A
    /// banned caller cannot withdraw it, so the ring time is also limited on this side.
    pub(crate) fn received(
        &mut self,
        run: &Run,
        (channel, peer): (Text, Text),
        invitation: InvitationId,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(earlier) = self.find(&channel, &peer, Call::is_ringing) {
            self.remove(Role::Callee, earlier);
        }
        self.add_of(run, (channel, peer), Role::Callee, invitation, ctx);
        if let Some(after) = ring_time(run, ctx.env) {
            ctx.set_timer_in(TimerKey::Ring(invitation), after);
        }
    }

    fn add_of(
        &mut self,
        run: &Run,
        (channel, peer): (Text, Text),
        role: Role,
        invitation: InvitationId,
        ctx: &mut Ctx<'_>,
    ) {
        if !self.add(channel, peer, role, invitation) {
            ctx.dropped(DropReason::Calls);
        }
        if let Some(call) = self.by_invitation(role, invitation) {
            call.origin = Some((run.row, run.slots.clone()));
        }
    }

    /// Handles an event of an outgoing call, or of the end of an incoming one.
    pub fn event(&mut self, event: &RtmEvent) -> CallEvent {
        use RtmEvent as E;
        let (role, invitation) = match event {
            E::LocalInvitationReceivedByPeer { invitation }
            | E::LocalInvitationAccepted { invitation, .. }
            | E::LocalInvitationRefused { invitation, .. }
            | E::LocalInvitationFailure { invitation, .. } => (Role::Caller, invitation.invitation),
            E::RemoteInvitationCanceled { invitation, .. } | E::RemoteInvitationFailure { invitation, .. } => {
                (Role::Callee, invitation.invitation)
            }
            _ => return CallEvent::Nothing,
        };
        let Some(call) = self.by_invitation(role, invitation) else {
            return CallEvent::Nothing;
        };
        let is_accepted = matches!(event, E::LocalInvitationAccepted { .. });
        if call.state == CallState::Withdrawn {
            let origin = self.origin(role, invitation).filter(|_| is_accepted);
            return origin.map_or(CallEvent::Nothing, CallEvent::AnsweredLate);
        }
        // A call confirmed by both sides cannot fail any more. A call accepted only by this side
        // can, because its caller may have disconnected.
        let is_settled = call.state == CallState::Talking;
        if is_accepted {
            call.state = CallState::Talking;
        }
        if call.is_closing() || is_settled {
            return CallEvent::Nothing;
        }
        if !is_accepted && !matches!(event, E::LocalInvitationReceivedByPeer { .. }) {
            self.remove(role, invitation);
        }
        let outcome = match event {
            E::LocalInvitationRefused { response, .. } => match parse_end_call(response) {
                Some((channel, info)) => {
                    return CallEvent::Ended {
                        invitation,
                        channel,
                        info,
                    };
                }
                None => EmulationOutcome::Refused,
            },
            E::RemoteInvitationFailure { .. } => EmulationOutcome::Ringing,
            _ => EmulationOutcome::Default,
        };
        CallEvent::Changed(invitation, outcome)
    }

    /// Returns the row that started a call.
    pub fn origin(&mut self, role: Role, invitation: InvitationId) -> Option<Origin> {
        let (row, slots) = self.by_invitation(role, invitation)?.origin.clone()?;
        Some(Origin { row, slots, invitation })
    }

    /// Handles the timeout of an outgoing call: returns the row that started it, if it is unanswered.
    pub fn time_out(&mut self, invitation: InvitationId) -> Option<Origin> {
        let call = self.by_invitation(Role::Caller, invitation)?;
        if !call.is_calling() || call.is_closing() {
            return None;
        }
        call.state = CallState::Withdrawn;
        self.origin(Role::Caller, invitation)
    }

    /// Returns true for an unanswered incoming call that this side is not ending.
    pub fn is_ringing(&mut self, invitation: InvitationId) -> bool {
        let call = self.by_invitation(Role::Callee, invitation);
        call.is_some_and(|call| call.is_ringing() && !call.is_closing())
    }

    /// Withdraws all unanswered outgoing calls.
    pub(crate) fn withdraw(&mut self, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        for invitation in self.outgoing() {
            if let Some(call) = self.by_invitation(Role::Caller, invitation) {
                call.state = CallState::Withdrawn;
            }
            requests.send_aside(cancel(invitation), ctx);
        }
    }

    /// Handles the reply to a `cancel`: successful or not, the invitation has ended.
    pub fn cancel_replied(&mut self, invitation: InvitationId) {
        let call = self.by_invitation(Role::Caller, invitation);
        if call.is_some_and(|call| call.state == CallState::Withdrawn) {
            self.remove(Role::Caller, invitation);
        }
    }

    /// Returns the RTM calls that withdraw the unanswered outgoing calls.
    pub fn withdrawals(&self) -> Vec<RtmCall> {
        self.outgoing().into_iter().map(cancel).collect()
    }

    /// Returns the unanswered outgoing calls that this side is not ending.
    pub fn outgoing(&self) -> Vec<InvitationId> {
        let calling = self.entries.iter().filter(|c| c.is_calling() && !c.is_closing());
        calling.map(|c| c.invitation).collect()
    }

    /// Handles a client that has lost its calls: outgoing ones are withdrawn, and events of the
    /// others are dropped.
    pub(crate) fn forget(&mut self, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        self.withdraw(requests, ctx);
        self.entries.retain(|call| call.state == CallState::Withdrawn);
    }

    /// Marks the matching calls with the run's party as ending.
    pub(crate) fn closing(&mut self, run: &Run, env: &Env, ends: impl Fn(&Call) -> bool) {
        let Some((channel, peer)) = run.party(env) else { return };
        for call in &mut self.entries {
            if call.is_between(channel, peer) && !call.is_closing() && ends(call) {
                call.closing = Some(run.id);
            }
        }
    }

    /// Removes the calls that this side has ended. A refusal does not affect a call that was
    /// accepted before.
    pub(crate) fn closed(&mut self, run: &Run, is_over: impl Fn(&Call) -> bool) {
        self.entries
            .retain(|call| call.closing != Some(run.id) || !is_over(call));
        for call in self.entries.iter_mut().filter(|c| c.closing == Some(run.id)) {
            call.closing = None;
        }
    }

    /// Handles RTM's confirmation of an `accept`, now or before.
    pub fn accept_replied(&mut self, invitation: InvitationId, result: &Result<RtmReply, RtmError>) {
        let is_accepted = match result {
            Ok(_) => true,
            Err(error) => *error == ALREADY_ACCEPTED,
        };
        let call = self.by_invitation(Role::Callee, invitation);
        if let Some(call) = call.filter(|call| is_accepted && call.state == CallState::Ringing) {
            call.state = CallState::Accepted;
        }
    }

    /// Handles the end of an accept: a call whose accept RTM refused has ended.
    pub(crate) fn accept_over(&mut self, run: &Run) {
        let is_over = run.error.is_some_and(|error| error != ALREADY_ACCEPTED);
        if let Some(invitation) = run.invitation.filter(|_| is_over) {
            self.remove(Role::Callee, invitation);
        }
    }

    /// Handles RTM's confirmation that the caller has received the accept.
    pub fn accept_confirmed(&mut self, invitation: InvitationId) {
        if let Some(call) = self.by_invitation(Role::Callee, invitation) {
            call.state = CallState::Talking;
        }
    }

    /// Ends the calls with a party about a channel, on the party's request: accepted ones,
    /// otherwise ringing ones. Returns false if there was none.
    pub fn ended_by_peer(&mut self, channel: &Text, peer: &Text) -> bool {
        let is_talking = self.between(channel, peer).any(Call::is_talking);
        let before = self.entries.len();
        self.entries
            .retain(|call| !call.is_between(channel, peer) || call.is_talking() != is_talking);
        self.entries.len() < before
    }
}

/// Returns the row's value `timeout`, if it has one.
fn ring_time(run: &Run, env: &Env) -> Option<Duration> {
    let seconds = run.input(env, EmulationInput::Timeout)?.as_int()?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
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
    use rtm::{LocalInvitation, UserId};

    #[test]
    fn a_ringing_call_is_the_last_to_be_removed() {
        let mut calls = Invitations::default();
        let fill = |calls: &mut Invitations| {
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

    #[test]
    fn a_withdrawn_call_is_reported_only_if_it_is_answered() {
        let mut calls = Invitations::default();
        let number = calls.new_invitation();
        calls.add("r".into(), "bob".into(), Role::Caller, number);
        calls.by_invitation(Role::Caller, number).unwrap().origin = Some((3, Vec::new()));
        assert_eq!(calls.time_out(number).map(|origin| origin.row), Some(3));
        assert!(calls.time_out(number).is_none(), "once");
        let invitation = LocalInvitation {
            invitation: number,
            callee_id: UserId::new("bob").unwrap(),
            channel_id: None,
            content: "".into(),
            response: "".into(),
        };
        let received = RtmEvent::LocalInvitationReceivedByPeer {
            invitation: invitation.clone(),
        };
        assert!(matches!(calls.event(&received), CallEvent::Nothing));
        let accepted = RtmEvent::LocalInvitationAccepted {
            invitation,
            response: "".into(),
        };
        assert!(matches!(calls.event(&accepted), CallEvent::AnsweredLate(_)));
        calls.cancel_replied(number);
        assert!(matches!(calls.event(&accepted), CallEvent::Nothing));
    }

    #[test]
    fn a_peer_ends_accepted_calls_before_ringing_ones() {
        let mut calls = Invitations::default();
        for role in [Role::Caller, Role::Callee] {
            calls.add("r".into(), "bob".into(), role, InvitationId(1));
        }
        calls.accept_replied(InvitationId(1), &Err(ALREADY_ACCEPTED));
        assert!(!calls.is_ringing(InvitationId(1)));
        let (channel, peer) = ("r".into(), "bob".into());
        assert!(calls.ended_by_peer(&channel, &peer));
        assert_eq!(calls.outgoing(), [InvitationId(1)]);
        assert!(calls.ended_by_peer(&channel, &peer) && !calls.ended_by_peer(&channel, &peer));
    }
}
