//! Call invitations (rtm-api 7): two objects, one on each side, and the service's view of both.
//!
//! Decided here:
//! - An invitation expires 60 s after `send` on both sides, also if only one of them remains.
//! - A caller that logs out withdraws its invitations: the callee sees `RemoteInvitationCanceled`.
//!   A caller that is kicked or whose process ends withdraws nothing: an accept then fails with
//!   `PEER_OFFLINE`; without an accept the invitation expires.
//! - A callee that logs out sends nothing; for the caller the invitation expires.
//! - An accept waits 10 s for a caller whose link is lost, then fails with `ACCEPT_FAILURE`.

mod callee;
mod caller;
mod lifecycle;

use std::collections::BTreeSet;

use foldhash::HashMap;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{InvitationId, LocalInvitation, RemoteInvitation, UserId};

use crate::client::Clients;
use crate::context::Ctx;
use crate::handles::End;
use crate::ids::{ClientId, InvitationKey};
use crate::timers::TimerId;

/// The invitations that are pending on either side.
#[derive(Debug, Default)]
pub(super) struct Invitations {
    pending: HashMap<InvitationKey, Invitation>,
    /// The invitations of unreachable callees, in the order of sending.
    undelivered: HashMap<UserId, BTreeSet<InvitationKey>>,
    next: u64,
}

#[derive(Debug)]
struct Invitation {
    caller: ClientId,
    caller_id: UserId,
    number: InvitationId,
    callee_id: UserId,
    channel_id: Option<Text>,
    content: Text,
    response: Text,
    sent: Time,
    /// The timer of delivery or expiry.
    timer: TimerId,
    caller_pending: bool,
    /// The callee's side, once delivered.
    callee: Option<Callee>,
}

#[derive(Clone, Copy, Debug)]
struct Callee {
    client: ClientId,
    number: InvitationId,
    state: CalleeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CalleeState {
    Ringing,
    /// Accepted, but not acknowledged by the caller.
    Accepting(TimerId),
    Ended,
}

impl Callee {
    fn is_pending(&self) -> bool {
        self.state != CalleeState::Ended
    }
}

impl Invitation {
    fn local(&self) -> LocalInvitation {
        LocalInvitation {
            invitation: self.number,
            callee_id: self.callee_id.clone(),
            channel_id: self.channel_id.clone(),
            content: self.content.clone(),
            response: self.response.clone(),
        }
    }

    fn remote(&self, number: InvitationId) -> RemoteInvitation {
        RemoteInvitation {
            invitation: number,
            caller_id: self.caller_id.clone(),
            channel_id: self.channel_id.clone(),
            content: self.content.clone(),
            response: self.response.clone(),
        }
    }

    /// Returns the callee's side, while it is pending.
    fn pending_callee(&self) -> Option<Callee> {
        self.callee.filter(Callee::is_pending)
    }
}

impl Invitations {
    /// Ends the caller's side.
    fn end_local(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, key: InvitationKey, end: End) {
        let Some(invitation) = self.pending.get_mut(&key) else {
            return;
        };
        invitation.caller_pending = false;
        let (caller, number) = (invitation.caller, invitation.number);
        if let Some(client) = clients.get_mut(caller) {
            client.handles.local.end(number, end);
        }
        self.forget_if_over(ctx, key);
    }

    /// Ends the callee's side.
    fn end_remote(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, key: InvitationKey, end: End) {
        let invitation = self.pending.get_mut(&key);
        let Some(callee) = invitation.and_then(|i| i.callee.as_mut()) else {
            return;
        };
        if let CalleeState::Accepting(timer) = std::mem::replace(&mut callee.state, CalleeState::Ended) {
            ctx.cancel(timer);
        }
        if let Some(client) = clients.get_mut(callee.client) {
            client.handles.remote.end(callee.number, end);
        }
        self.forget_if_over(ctx, key);
    }

    fn forget_if_over(&mut self, ctx: &mut Ctx<'_>, key: InvitationKey) {
        let is_over = |i: &Invitation| !i.caller_pending && i.pending_callee().is_none();
        if !self.pending.get(&key).is_some_and(is_over) {
            return;
        }
        if let Some(invitation) = self.pending.remove(&key) {
            ctx.cancel(invitation.timer);
            self.delivered(&invitation.callee_id, key);
        }
    }
}

impl Invitations {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.undelivered.is_empty()
    }

    fn delivered(&mut self, callee: &UserId, key: InvitationKey) {
        if let Some(keys) = self.undelivered.get_mut(callee) {
            keys.remove(&key);
            if keys.is_empty() {
                self.undelivered.remove(callee);
            }
        }
    }
}
