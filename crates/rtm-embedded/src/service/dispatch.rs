//! The processing of a call: immediate refusal, wait for the link, execution.

use rtm::rejection::{Refusal, refusal};
use rtm::value::Text;
use rtm::{AttributeOperation, CallKind, RtmCall, RtmError, RtmReply, UserId};

use crate::channel_attributes::ChannelAttributes;
use crate::checks;
use crate::client::Phase;
use crate::context::Ctx;
use crate::ids::ReplyTo;
use crate::limits::timeout;
use crate::needs::{Needs, needs};
use crate::outage::Waiting;
use crate::presence::Presence;
use crate::service::Coordinator;
use crate::timers::Timer;

/// Functions for calls return `Ok` if they have answered, or will; errors are answered here.
impl Coordinator {
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
                client
                    .rates
                    .admit(ctx.now, &call, &ctx.config.rates, ctx.config.rate_scale)?;
                self.perform(ctx, reply_to, call)
            }
            (Phase::In(session), needs) => {
                checks::with_login(&**session, &call)?;
                client
                    .rates
                    .admit(ctx.now, &call, &ctx.config.rates, ctx.config.rate_scale)?;
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
        ctx.cancel(timer);
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
            outage.stop_waiting(reply_to.request);
            ctx.fail(reply_to, refusal(kind, Refusal::TimedOut));
        }
    }

    fn wait(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, call: RtmCall) -> Result<(), RtmError> {
        let kind = call.kind();
        let session = self.clients.session_mut(reply_to.client);
        let outage = session.and_then(|s| s.outage.as_mut());
        let Some(outage) = outage.filter(|outage| outage.has_room()) else {
            return Err(refusal(kind, Refusal::Abandoned));
        };
        let timer = ctx.set_timer_in(timeout(kind), Timer::CallTimeout(reply_to, kind));
        outage.waiting.push_back(Waiting { reply_to, call, timer });
        Ok(())
    }

    fn perform(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, call: RtmCall) -> Result<(), RtmError> {
        use RtmCall as C;
        let client = reply_to.client;
        match call {
            C::Login { uid, token } => return self.login(ctx, reply_to, uid, token),
            C::Logout {} => return self.logout(ctx, reply_to),
            C::RenewToken { token } => return self.renew_token(ctx, reply_to, &token),
            C::SendMessageToPeer { peer_id, message } => {
                self.peers.send(&mut self.clients, ctx, reply_to, peer_id, message);
            }
            C::QueryPeersOnlineStatus { peer_ids } => ctx.reply(reply_to, Presence::query(&self.clients, peer_ids)),
            C::SubscribePeersOnlineStatus { peer_ids } => {
                self.presence.follow(&mut self.clients, ctx, reply_to, peer_ids);
            }
            C::UnsubscribePeersOnlineStatus { peer_ids } => {
                self.presence.unfollow(&mut self.clients, ctx, reply_to, &peer_ids);
            }
            C::QueryPeersBySubscriptionOption {} => {
                if let Some(session) = self.clients.session(client) {
                    let followed = session.following.iter().cloned().collect();
                    ctx.reply(reply_to, RtmReply::UserIds(followed));
                }
            }
            C::SetLocalUserAttributes { .. }
            | C::AddOrUpdateLocalUserAttributes { .. }
            | C::DeleteLocalUserAttributesByKeys { .. }
            | C::ClearLocalUserAttributes {} => return self.write_user_attributes(ctx, reply_to, call),
            C::GetUserAttributes { user_id } => return self.get_user_attributes(ctx, reply_to, &user_id, None),
            C::GetUserAttributesByKeys { user_id, keys } => {
                return self.get_user_attributes(ctx, reply_to, &user_id, Some(&keys));
            }
            C::Join { channel_id } => self.channels.join(&mut self.clients, ctx, reply_to, channel_id),
            C::Leave { channel_id } => self.channels.leave(&mut self.clients, ctx, reply_to, &channel_id),
            C::SendMessage { channel_id, message } => {
                self.channels.send(&self.clients, ctx, reply_to, &channel_id, message);
            }
            C::GetMembers { channel_id } => ctx.reply(reply_to, self.channels.members(&channel_id)),
            C::GetChannelMemberCount { channel_ids } => ctx.reply(reply_to, self.channels.counts(channel_ids)),
            C::SetChannelAttributes { .. }
            | C::AddOrUpdateChannelAttributes { .. }
            | C::DeleteChannelAttributesByKeys { .. }
            | C::ClearChannelAttributes { .. } => return self.write_channel_attributes(ctx, reply_to, call),
            C::GetChannelAttributes { channel_id } => {
                let attributes = self.channels.attributes(&channel_id).select(None);
                ctx.reply(reply_to, RtmReply::ChannelAttributes(attributes));
            }
            C::GetChannelAttributesByKeys { channel_id, keys } => {
                let attributes = self.channels.attributes(&channel_id).select(Some(&keys));
                ctx.reply(reply_to, RtmReply::ChannelAttributes(attributes));
            }
            C::LocalInvitationSend {
                invitation,
                callee_id,
                channel_id,
                content,
            } => {
                let to = (callee_id, channel_id, content);
                return self
                    .invitations
                    .invite(&mut self.clients, ctx, reply_to, invitation, to);
            }
            C::LocalInvitationCancel { invitation, content } => {
                return self
                    .invitations
                    .cancel(&mut self.clients, ctx, reply_to, invitation, content);
            }
            C::RemoteInvitationAccept { invitation, response } => {
                return self
                    .invitations
                    .accept(&mut self.clients, ctx, reply_to, invitation, response);
            }
            C::RemoteInvitationRefuse { invitation, response } => {
                return self
                    .invitations
                    .refuse(&mut self.clients, ctx, reply_to, invitation, response);
            }
            C::RestChannelMessage {
                user_id,
                channel,
                payload,
            } => {
                return self
                    .channels
                    .send_by_rest(&self.clients, ctx, reply_to, (user_id, &channel), payload);
            }
        }
        Ok(())
    }

    fn write_user_attributes(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, call: RtmCall) -> Result<(), RtmError> {
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return Ok(());
        };
        match call {
            RtmCall::SetLocalUserAttributes { attributes } => session.attributes.set(attributes),
            RtmCall::AddOrUpdateLocalUserAttributes { attributes } => session.attributes.update(attributes)?,
            RtmCall::DeleteLocalUserAttributesByKeys { keys } => session.attributes.delete(&keys),
            _ => session.attributes.set(Vec::new()),
        }
        ctx.reply(reply_to, RtmReply::Void);
        Ok(())
    }

    fn get_user_attributes(
        &self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        user: &UserId,
        keys: Option<&[Text]>,
    ) -> Result<(), RtmError> {
        let owner = self.clients.session_of(user).ok_or(AttributeOperation::UserNotFound)?;
        ctx.reply(reply_to, RtmReply::Attributes(owner.attributes.select(keys)));
        Ok(())
    }

    fn write_channel_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        call: RtmCall,
    ) -> Result<(), RtmError> {
        use RtmCall as C;
        let Some(session) = self.clients.session(reply_to.client) else {
            return Ok(());
        };
        let (user, now) = (&session.user, ctx.now);
        let (id, attributes, notify) = match call {
            C::SetChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => {
                let all = ChannelAttributes::of(attributes, user, now);
                (channel_id, all, enable_notification)
            }
            C::AddOrUpdateChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => {
                let all = self.channels.attributes(&channel_id).with(attributes, user, now)?;
                (channel_id, all, enable_notification)
            }
            C::DeleteChannelAttributesByKeys {
                channel_id,
                keys,
                enable_notification,
            } => {
                let rest = self.channels.attributes(&channel_id).without(&keys);
                (channel_id, rest, enable_notification)
            }
            C::ClearChannelAttributes {
                channel_id,
                enable_notification,
            } => (channel_id, ChannelAttributes::default(), enable_notification),
            _ => return Ok(()),
        };
        self.channels.set_attributes(ctx, reply_to, &id, attributes, notify);
        Ok(())
    }
}
