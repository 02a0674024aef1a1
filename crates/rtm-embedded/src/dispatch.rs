//! The processing of a call: immediate refusal, wait for the link, execution.

use rtm::rejection::{Refusal, refusal};
use rtm::{CallKind, RtmCall, RtmError};

use crate::checks;
use crate::client::{Phase, Waiting};
use crate::context::{Ctx, ReplyTo};
use crate::limits::{WAITING, timeout};
use crate::service::RtmService;
use crate::timers::Timer;

/// Functions for calls return `Ok` if they have answered, or will; errors are answered here.
impl RtmService {
    pub(super) fn dispatch(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, call: RtmCall) {
        if let Err(error) = self.admit(ctx, reply_to, call) {
            ctx.fail(reply_to, error);
        }
    }

    /// Checks a call in the SDKs' order: form of attributes and invitations, login, other
    /// arguments, rates.
    fn admit(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, call: RtmCall) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(reply_to.client) else {
            return Ok(());
        };
        checks::without_login(&call)?;
        let kind = call.kind();
        match (&mut client.phase, needs(kind)) {
            (_, Needs::Nothing) => {
                client.rates.admit(ctx.now, &call, &self.config)?;
                self.perform(ctx, reply_to, call)
            }
            (Phase::In(session), needs) => {
                checks::with_login(&**session, &call)?;
                client.rates.admit(ctx.now, &call, &self.config)?;
                if session.is_reachable() || needs == Needs::Login {
                    self.perform(ctx, reply_to, call)
                } else {
                    self.wait(ctx, reply_to, call)
                }
            }
            // Invitations have more precise errors than "not logged in": not started, or ended.
            (_, Needs::Handle) => self.perform(ctx, reply_to, call),
            (_, Needs::Login | Needs::Link) => Err(refusal(kind, Refusal::NotLoggedIn)),
        }
    }

    /// Executes a call that waited for the link.
    pub(super) fn resume(&mut self, ctx: &mut Ctx<'_>, waiting: Waiting) {
        let Waiting { reply_to, call, timer } = waiting;
        self.timers.cancel(timer);
        let checked = match self.clients.session(reply_to.client) {
            Some(session) => checks::with_login(session, &call),
            None => Err(refusal(call.kind(), Refusal::Abandoned)),
        };
        if let Err(error) = checked.and_then(|()| self.perform(ctx, reply_to, call)) {
            ctx.fail(reply_to, error);
        }
    }

    /// Handles the timeout of a call that waited for the link.
    pub(super) fn call_timed_out(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, kind: CallKind) {
        let session = self.clients.session_mut(reply_to.client);
        if let Some(outage) = session.and_then(|s| s.outage.as_mut()) {
            // The first call of that number is the oldest, and the oldest call of a kind times out
            // first.
            if let Some(at) = outage
                .waiting
                .iter()
                .position(|w| w.reply_to.request == reply_to.request)
            {
                outage.waiting.remove(at);
            }
            ctx.fail(reply_to, refusal(kind, Refusal::TimedOut));
        }
    }

    fn wait(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, call: RtmCall) -> Result<(), RtmError> {
        let kind = call.kind();
        let session = self.clients.session_mut(reply_to.client);
        let outage = session.and_then(|s| s.outage.as_mut());
        let Some(outage) = outage.filter(|o| o.waiting.len() < WAITING) else {
            return Err(refusal(kind, Refusal::Abandoned));
        };
        let timer = self
            .timers
            .set(ctx.now + timeout(kind), Timer::CallTimeout(reply_to, kind));
        outage.waiting.push_back(Waiting { reply_to, call, timer });
        Ok(())
    }

    fn perform(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, call: RtmCall) -> Result<(), RtmError> {
        use RtmCall as C;
        match call {
            C::Login { uid, token } => return self.login(ctx, reply_to, uid, token),
            C::Logout {} => return self.logout(ctx, reply_to),
            C::RenewToken { token } => return self.renew_token(ctx, reply_to, &token),
            C::SendMessageToPeer { peer_id, message } => self.send_to_peer(ctx, reply_to, peer_id, message),
            C::QueryPeersOnlineStatus { peer_ids } => self.query_peers(ctx, reply_to, peer_ids),
            C::SubscribePeersOnlineStatus { peer_ids } => self.follow(ctx, reply_to, peer_ids),
            C::UnsubscribePeersOnlineStatus { peer_ids } => self.unfollow(ctx, reply_to, &peer_ids),
            C::QueryPeersBySubscriptionOption {} => self.query_followed(ctx, reply_to),
            C::SetLocalUserAttributes { attributes } => self.set_user_attributes(ctx, reply_to, attributes),
            C::AddOrUpdateLocalUserAttributes { attributes } => {
                return self.update_user_attributes(ctx, reply_to, attributes);
            }
            C::DeleteLocalUserAttributesByKeys { keys } => self.delete_user_attributes(ctx, reply_to, &keys),
            C::ClearLocalUserAttributes {} => self.set_user_attributes(ctx, reply_to, Vec::new()),
            C::GetUserAttributes { user_id } => return self.get_user_attributes(ctx, reply_to, &user_id, None),
            C::GetUserAttributesByKeys { user_id, keys } => {
                return self.get_user_attributes(ctx, reply_to, &user_id, Some(&keys));
            }
            C::Join { channel_id } => self.join(ctx, reply_to, channel_id),
            C::Leave { channel_id } => self.leave(ctx, reply_to, &channel_id),
            C::SendMessage { channel_id, message } => self.send_to_channel(ctx, reply_to, channel_id, message),
            C::GetMembers { channel_id } => self.get_members(ctx, reply_to, &channel_id),
            C::GetChannelMemberCount { channel_ids } => self.get_counts(ctx, reply_to, channel_ids),
            C::SetChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => self.set_channel_attributes(ctx, reply_to, channel_id, attributes, enable_notification),
            C::AddOrUpdateChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => return self.update_channel_attributes(ctx, reply_to, channel_id, attributes, enable_notification),
            C::DeleteChannelAttributesByKeys {
                channel_id,
                keys,
                enable_notification,
            } => self.delete_channel_attributes(ctx, reply_to, channel_id, Some(&keys), enable_notification),
            C::ClearChannelAttributes {
                channel_id,
                enable_notification,
            } => self.delete_channel_attributes(ctx, reply_to, channel_id, None, enable_notification),
            C::GetChannelAttributes { channel_id } => self.get_channel_attributes(ctx, reply_to, &channel_id, None),
            C::GetChannelAttributesByKeys { channel_id, keys } => {
                self.get_channel_attributes(ctx, reply_to, &channel_id, Some(&keys));
            }
            C::LocalInvitationSend {
                invitation,
                callee_id,
                channel_id,
                content,
            } => return self.invite(ctx, reply_to, invitation, callee_id, channel_id, content),
            C::LocalInvitationCancel { invitation, content } => return self.cancel(ctx, reply_to, invitation, content),
            C::RemoteInvitationAccept { invitation, response } => {
                return self.accept(ctx, reply_to, invitation, response);
            }
            C::RemoteInvitationRefuse { invitation, response } => {
                return self.refuse(ctx, reply_to, invitation, response);
            }
            C::RestChannelMessage {
                user_id,
                channel,
                payload,
            } => return self.send_by_rest(ctx, reply_to, user_id, channel, payload),
        }
        Ok(())
    }
}

/// The requirements of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// None.
    Nothing,
    /// A login, with or without a link.
    Login,
    /// A link, and an invitation with further requirements.
    Handle,
    /// A login with a link.
    Link,
}

/// Returns what a call needs.
pub const fn needs(kind: CallKind) -> Needs {
    match kind {
        CallKind::Login | CallKind::Logout | CallKind::LocalInvitationSend | CallKind::RestChannelMessage => {
            Needs::Nothing
        }
        CallKind::RenewToken => Needs::Login,
        CallKind::LocalInvitationCancel | CallKind::RemoteInvitationAccept | CallKind::RemoteInvitationRefuse => {
            Needs::Handle
        }
        _ => Needs::Link,
    }
}
