//! Invitation events without a call: timers, ended logins, new logins and links.

use rtm::{LocalInvitationErr, RemoteInvitationErr, RtmEvent};

use crate::client::Clients;
use crate::context::Ctx;
use crate::handles::End;
use crate::ids::{ClientId, InvitationKey};
use crate::invitations::{CalleeState, Invitations};

impl Invitations {
    /// Handles the timeout: 30 s without delivery, or 60 s without an answer.
    pub(crate) fn timer(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, key: InvitationKey) {
        let Some(invitation) = self.pending.get(&key) else {
            return;
        };
        let reason = match &invitation.callee {
            Some(_) => LocalInvitationErr::InvitationExpire,
            None if clients.of_user(&invitation.callee_id).is_some() => LocalInvitationErr::PeerNoResponse,
            None => LocalInvitationErr::PeerOffline,
        };
        if invitation.caller_pending {
            let failure = RtmEvent::LocalInvitationFailure {
                invitation: invitation.local(),
                reason,
            };
            ctx.event(invitation.caller, failure);
        }
        self.fail_remote(clients, ctx, key, RemoteInvitationErr::InvitationExpire);
        self.end_local(clients, ctx, key, End::Other);
    }

    /// Ends the invitations of an ended login, without an event. A caller that is still connected
    /// withdraws its invitations.
    pub(crate) fn end_all(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, client: ClientId, withdraws: bool) {
        let Some(found) = clients.get(client) else { return };
        let sent: Vec<_> = found.handles.local.pending.values().copied().collect();
        let received: Vec<_> = found.handles.remote.pending.values().copied().collect();
        for key in sent {
            if withdraws {
                self.withdraw(clients, ctx, key, None);
            } else {
                self.end_local(clients, ctx, key, End::Other);
            }
        }
        for key in received {
            self.end_remote(clients, ctx, key, End::Other);
        }
    }

    /// Continues invitations after a login, or after its link was restored.
    pub(crate) fn resume(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = clients.session(client) else {
            return;
        };
        let to_user = self.undelivered.get(&session.user);
        let received: Vec<_> = to_user.into_iter().flatten().copied().collect();
        let handles = clients.get(client).map(|c| &c.handles);
        let sent: Vec<_> = handles.map_or(Vec::new(), |h| h.local.pending.values().copied().collect());
        for key in sent {
            let callee = self.pending.get(&key).and_then(|i| i.callee);
            match callee.map(|c| c.state) {
                Some(CalleeState::Accepting(_)) => self.complete(clients, ctx, key),
                Some(_) => {}
                None => self.deliver(clients, ctx, key),
            }
        }
        for key in received {
            self.deliver(clients, ctx, key);
        }
    }
}
