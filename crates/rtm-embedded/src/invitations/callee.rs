//! The callee's side: accept with its handshake, refuse.

use rtm::value::Text;
use rtm::{InvitationApiCall, InvitationId, RemoteInvitationErr, RtmError, RtmEvent, RtmReply};

use crate::client::{Clients, Session};
use crate::context::Ctx;
use crate::handles::End;
use crate::ids::{InvitationKey, ReplyTo};
use crate::invitations::{CalleeState, Invitation, Invitations};
use crate::limits::ACCEPT_TIMEOUT;
use crate::timers::Timer;

impl Invitations {
    /// Accepts; the callee's event is sent only after the caller's acknowledgement.
    pub(crate) fn accept(
        &mut self,
        clients: &mut Clients,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        number: InvitationId,
        response: Option<Text>,
    ) -> Result<(), RtmError> {
        let Some(client) = clients.get(reply_to.client) else {
            return Ok(());
        };
        let key = client.handles.remote.find_to_accept(number)?;
        self.answer(key, response)?;
        ctx.reply(reply_to, RtmReply::Void);
        match self.caller_of(clients, key) {
            Some(caller) if caller.is_reachable() => self.complete(clients, ctx, key),
            Some(_) => {
                let timer = Timer::AcceptUnanswered(key);
                let timer = ctx.set_timer_in(ACCEPT_TIMEOUT, timer);
                let invitation = self.pending.get_mut(&key);
                if let Some(callee) = invitation.and_then(|i| i.callee.as_mut()) {
                    callee.state = CalleeState::Accepting(timer);
                }
            }
            None => self.fail_remote(clients, ctx, key, RemoteInvitationErr::PeerOffline),
        }
        Ok(())
    }

    /// Refuses; the caller is notified if it is still logged in.
    pub(crate) fn refuse(
        &mut self,
        clients: &mut Clients,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        number: InvitationId,
        response: Option<Text>,
    ) -> Result<(), RtmError> {
        let Some(client) = clients.get(reply_to.client) else {
            return Ok(());
        };
        let key = client.handles.remote.find(number)?;
        self.answer(key, response)?;
        ctx.reply(reply_to, RtmReply::Void);
        let is_caller_there = self.caller_of(clients, key).is_some();
        let Some(invitation) = self.pending.get(&key) else {
            return Ok(());
        };
        let refused = RtmEvent::RemoteInvitationRefused {
            invitation: invitation.remote(number),
        };
        ctx.event(reply_to.client, refused);
        let (caller, last_count) = (invitation.caller, refused_event(invitation));
        self.end_remote(clients, ctx, key, End::Other);
        if is_caller_there {
            self.end_local(clients, ctx, key, End::Other);
            clients.signal(ctx, caller, last_count);
        }
        Ok(())
    }

    /// Handles the caller's acknowledgement: accepted on both sides.
    pub(super) fn complete(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, key: InvitationKey) {
        let Some(invitation) = self.pending.get(&key) else {
            return;
        };
        let Some(callee) = invitation.pending_callee() else {
            return;
        };
        let caller = invitation.caller;
        let local = RtmEvent::LocalInvitationAccepted {
            invitation: invitation.local(),
            response: invitation.response.clone(),
        };
        let remote = RtmEvent::RemoteInvitationAccepted {
            invitation: invitation.remote(callee.number),
        };
        self.end_local(clients, ctx, key, End::Accepted);
        self.end_remote(clients, ctx, key, End::Accepted);
        clients.signal(ctx, caller, local);
        clients.signal(ctx, callee.client, remote);
    }

    /// Handles the timeout of the caller's acknowledgement.
    pub(crate) fn accept_unanswered(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, key: InvitationKey) {
        self.fail_remote(clients, ctx, key, RemoteInvitationErr::AcceptFailure);
    }

    /// Ends the callee's invitation with a failure that its own SDK detects.
    pub(super) fn fail_remote(
        &mut self,
        clients: &mut Clients,
        ctx: &mut Ctx<'_>,
        key: InvitationKey,
        reason: RemoteInvitationErr,
    ) {
        let Some(invitation) = self.pending.get(&key) else {
            return;
        };
        let Some(callee) = invitation.pending_callee() else {
            return;
        };
        let failure = RtmEvent::RemoteInvitationFailure {
            invitation: invitation.remote(callee.number),
            reason,
        };
        self.end_remote(clients, ctx, key, End::Other);
        ctx.event(callee.client, failure);
    }

    /// Sets the callee's response, once.
    fn answer(&mut self, key: InvitationKey, response: Option<Text>) -> Result<(), RtmError> {
        if let Some(invitation) = self.pending.get_mut(&key) {
            let state = invitation.callee.map(|callee| callee.state);
            if matches!(state, Some(CalleeState::Accepting(_))) {
                return Err(InvitationApiCall::AlreadyAccept.into());
            }
            invitation.response = response.unwrap_or_default();
        }
        Ok(())
    }

    /// Returns the caller's login, if it counts as logged in and its invitation is pending.
    fn caller_of<'c>(&self, clients: &'c Clients, key: InvitationKey) -> Option<&'c Session> {
        let invitation = self.pending.get(&key).filter(|i| i.caller_pending)?;
        clients.session(invitation.caller).filter(|s| s.present)
    }
}

fn refused_event(invitation: &Invitation) -> RtmEvent {
    RtmEvent::LocalInvitationRefused {
        invitation: invitation.local(),
        response: invitation.response.clone(),
    }
}
