//! Invitation events without a call: timers, ended logins, new logins and links.

use rtm::{LocalInvitationErr, RemoteInvitationErr, RtmEvent};

use crate::context::{ClientId, Ctx};
use crate::invitations::{CalleeState, End, InvitationKey};
use crate::service::RtmService;

impl RtmService {
    /// Handles the timeout: 30 s without delivery, or 60 s without an answer.
    pub(crate) fn invitation_timer(&mut self, ctx: &mut Ctx<'_>, key: InvitationKey) {
        let Some(invitation) = self.invitations.pending.get(&key) else {
            return;
        };
        let reason = match &invitation.callee {
            Some(_) => LocalInvitationErr::InvitationExpire,
            None if self.users.contains_key(&invitation.callee_id) => LocalInvitationErr::PeerNoResponse,
            None => LocalInvitationErr::PeerOffline,
        };
        if invitation.caller_pending {
            let failure = RtmEvent::LocalInvitationFailure {
                invitation: invitation.local(),
                reason,
            };
            ctx.event(invitation.caller, failure);
        }
        self.fail_remote(ctx, key, RemoteInvitationErr::InvitationExpire);
        self.end_local(key, End::Other);
    }

    /// Ends the invitations of an ended login, without an event. A caller that is still connected
    /// withdraws its invitations.
    pub(crate) fn end_invitations(&mut self, ctx: &mut Ctx<'_>, client: ClientId, withdraws: bool) {
        let Some(found) = self.clients.get(client) else { return };
        let sent: Vec<_> = found.handles.local.pending.values().copied().collect();
        let received: Vec<_> = found.handles.remote.pending.values().copied().collect();
        for key in sent {
            if withdraws {
                self.withdraw(ctx, key, None);
            } else {
                self.end_local(key, End::Other);
            }
        }
        for key in received {
            self.end_remote(key, End::Other);
        }
    }

    /// Continues invitations after a login, or after its link was restored.
    pub(crate) fn resume_invitations(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session(client) else {
            return;
        };
        let to_user = self.invitations.undelivered.get(&session.user);
        let received: Vec<_> = to_user.into_iter().flatten().copied().collect();
        let handles = self.clients.get(client).map(|c| &c.handles);
        let sent: Vec<_> = handles.map_or(Vec::new(), |h| h.local.pending.values().copied().collect());
        for key in sent {
            let callee = self.invitations.pending.get(&key).and_then(|i| i.callee);
            match callee.map(|c| c.state) {
                Some(CalleeState::Accepting(_)) => self.complete(ctx, key),
                Some(_) => {}
                None => self.deliver(ctx, key),
            }
        }
        for key in received {
            self.deliver(ctx, key);
        }
    }
}
