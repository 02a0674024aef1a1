//! The caller's side: send, deliver, cancel.

use rtm::limits::{INVITATION_EXPIRE, INVITATION_NO_RESPONSE};
use rtm::value::Text;
use rtm::{InvitationId, LocalInvitation, LocalInvitationErr, RtmError, RtmEvent, RtmReply, UserId};

use crate::client::{Clients, Session};
use crate::context::Ctx;
use crate::handles::End;
use crate::ids::{InvitationKey, ReplyTo};
use crate::invitations::{Callee, CalleeState, Invitation, Invitations};
use crate::limits::PENDING_INVITATIONS;
use crate::timers::Timer;

impl Invitations {
    /// Sends an invitation. Without a login it fails by event, not by error (rtm-api 3.7).
    pub(crate) fn invite(
        &mut self,
        clients: &mut Clients,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        number: InvitationId,
        (callee_id, channel_id, content): (UserId, Option<Text>, Text),
    ) -> Result<(), RtmError> {
        let user = clients.session(reply_to.client).map(|s| s.user.clone());
        let Some(client) = clients.get_mut(reply_to.client) else {
            return Ok(());
        };
        client.handles.local.check_unused(number)?;
        ctx.reply(reply_to, RtmReply::Void);
        let has_room = client.handles.local.pending.len() < PENDING_INVITATIONS;
        let Some(caller_id) = user.clone().filter(|_| has_room) else {
            client.handles.local.end(number, End::Other);
            let invitation = LocalInvitation {
                invitation: number,
                callee_id,
                channel_id,
                content,
                response: "".into(),
            };
            let reason = match user {
                None => LocalInvitationErr::NotLoggedIn,
                Some(_) => LocalInvitationErr::Unknown,
            };
            ctx.event(reply_to.client, RtmEvent::LocalInvitationFailure { invitation, reason });
            return Ok(());
        };
        let key = InvitationKey(self.next);
        self.next += 1;
        client.handles.local.pending.insert(number, key);
        let waiting = self.undelivered.entry(callee_id.clone());
        waiting.or_default().insert(key);
        let invitation = Invitation {
            caller: reply_to.client,
            caller_id,
            number,
            callee_id,
            channel_id,
            content,
            response: "".into(),
            sent: ctx.now,
            timer: ctx.set_timer_in(INVITATION_NO_RESPONSE, Timer::Invitation(key)),
            caller_pending: true,
            callee: None,
        };
        self.pending.insert(key, invitation);
        self.deliver(clients, ctx, key);
        Ok(())
    }

    /// Delivers an invitation if both sides are reachable; otherwise it remains undelivered.
    pub(super) fn deliver(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, key: InvitationKey) {
        let Some(invitation) = self.pending.get_mut(&key) else {
            return;
        };
        let caller = clients.session(invitation.caller);
        let Some(callee) = clients.of_user(&invitation.callee_id) else {
            return;
        };
        let are_reachable =
            caller.is_some_and(Session::is_reachable) && clients.session(callee).is_some_and(Session::is_reachable);
        let client = clients.get_mut(callee).filter(|_| are_reachable);
        let Some(client) = client.filter(|_| invitation.callee.is_none()) else {
            return;
        };
        let number = client.handles.receive(key);
        invitation.callee = Some(Callee {
            client: callee,
            number,
            state: CalleeState::Ringing,
        });
        ctx.cancel(invitation.timer);
        let expiry = Timer::Invitation(key);
        invitation.timer = ctx.set_timer(invitation.sent + INVITATION_EXPIRE, expiry);
        let received = RtmEvent::RemoteInvitationReceived {
            invitation: invitation.remote(number),
        };
        ctx.event(callee, received);
        let acknowledged = RtmEvent::LocalInvitationReceivedByPeer {
            invitation: invitation.local(),
        };
        ctx.event(invitation.caller, acknowledged);
        let callee_id = invitation.callee_id.clone();
        self.delivered(&callee_id, key);
    }

    /// Withdraws an invitation; without own content the callee receives the invitation's.
    pub(crate) fn cancel(
        &mut self,
        clients: &mut Clients,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        number: InvitationId,
        content: Option<Text>,
    ) -> Result<(), RtmError> {
        let Some(client) = clients.get(reply_to.client) else {
            return Ok(());
        };
        let key = client.handles.local.find(number)?;
        ctx.reply(reply_to, RtmReply::Void);
        if let Some(invitation) = self.pending.get(&key) {
            let canceled = RtmEvent::LocalInvitationCanceled {
                invitation: invitation.local(),
            };
            ctx.event(reply_to.client, canceled);
        }
        self.withdraw(clients, ctx, key, content);
        Ok(())
    }

    /// Ends both sides, the callee's with `RemoteInvitationCanceled`.
    pub(super) fn withdraw(
        &mut self,
        clients: &mut Clients,
        ctx: &mut Ctx<'_>,
        key: InvitationKey,
        content: Option<Text>,
    ) {
        let Some(invitation) = self.pending.get(&key) else {
            return;
        };
        let canceled = invitation.pending_callee().map(|callee| {
            let event = RtmEvent::RemoteInvitationCanceled {
                invitation: invitation.remote(callee.number),
                content: content.unwrap_or_else(|| invitation.content.clone()),
            };
            (callee.client, event)
        });
        self.end_local(clients, ctx, key, End::Other);
        self.end_remote(clients, ctx, key, End::Other);
        if let Some((callee, event)) = canceled {
            clients.signal(ctx, callee, event);
        }
    }
}
