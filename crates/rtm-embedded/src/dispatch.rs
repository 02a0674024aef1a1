//! The way of a call: what is refused at once, what waits for the link, what is done.

use rtm::{CallKind, RtmCall, RtmError};

use crate::checks;
use crate::client::{Phase, Waiting};
use crate::context::{Ask, Step};
use crate::limits::{WAITING, timeout};
use crate::service::RtmService;
use crate::timers::Timer;
use rtm::rejection::{Refusal, refusal};

/// The functions behind calls return `Ok` when they have answered, or will; an error is answered here.
impl RtmService {
    pub(super) fn dispatch(&mut self, step: &mut Step<'_>, ask: Ask, call: RtmCall) {
        if let Err(error) = self.admit(step, ask, call) {
            step.fail(ask, error);
        }
    }

    /// In the SDKs' order: what attributes and invitations look like, whether there is a login, what the arguments of
    /// the rest look like, rates.
    fn admit(&mut self, step: &mut Step<'_>, ask: Ask, call: RtmCall) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(ask.client) else {
            return Ok(());
        };
        checks::without_login(&call)?;
        let kind = call.kind();
        match (&mut client.phase, needs(kind)) {
            (_, Needs::Nothing) => {
                client.rates.admit(step.now, &call, &self.config)?;
                self.perform(step, ask, call)
            }
            (Phase::In(session), needs) => {
                checks::with_login(&**session, &call)?;
                client.rates.admit(step.now, &call, &self.config)?;
                if session.is_reachable() || needs == Needs::Login {
                    self.perform(step, ask, call)
                } else {
                    self.wait(step, ask, call)
                }
            }
            // Their handles know better than "not logged in": not started, or over.
            (_, Needs::Handle) => self.perform(step, ask, call),
            (_, Needs::Login | Needs::Link) => Err(refusal(kind, Refusal::NotLoggedIn)),
        }
    }

    /// Does what waited for the link.
    pub(super) fn resume(&mut self, step: &mut Step<'_>, waiting: Waiting) {
        let Waiting { ask, call, timer } = waiting;
        self.timers.cancel(timer);
        let checked = match self.clients.session(ask.client) {
            Some(session) => checks::with_login(session, &call),
            None => Err(refusal(call.kind(), Refusal::GivenUp)),
        };
        if let Err(error) = checked.and_then(|()| self.perform(step, ask, call)) {
            step.fail(ask, error);
        }
    }

    /// The link did not come back in time for a call.
    pub(super) fn call_timed_out(&mut self, step: &mut Step<'_>, ask: Ask, kind: CallKind) {
        let session = self.clients.session_mut(ask.client);
        if let Some(outage) = session.and_then(|s| s.outage.as_mut()) {
            // The first of that number is the oldest, and the oldest call of a kind times out first.
            if let Some(at) = outage.waiting.iter().position(|w| w.ask.request == ask.request) {
                outage.waiting.remove(at);
            }
            step.fail(ask, refusal(kind, Refusal::TimedOut));
        }
    }

    fn wait(&mut self, step: &mut Step<'_>, ask: Ask, call: RtmCall) -> Result<(), RtmError> {
        let kind = call.kind();
        let session = self.clients.session_mut(ask.client);
        let outage = session.and_then(|s| s.outage.as_mut());
        let Some(outage) = outage.filter(|o| o.waiting.len() < WAITING) else {
            return Err(refusal(kind, Refusal::GivenUp));
        };
        let timer = self.timers.set(step.now + timeout(kind), Timer::CallTimeout(ask, kind));
        outage.waiting.push_back(Waiting { ask, call, timer });
        Ok(())
    }

    fn perform(&mut self, step: &mut Step<'_>, ask: Ask, call: RtmCall) -> Result<(), RtmError> {
        use RtmCall as C;
        match call {
            C::Login { uid, token } => return self.login(step, ask, uid, token),
            C::Logout {} => return self.logout(step, ask),
            C::RenewToken { token } => return self.renew_token(step, ask, &token),
            C::SendMessageToPeer { peer_id, message } => self.send_to_peer(step, ask, peer_id, message),
            C::QueryPeersOnlineStatus { peer_ids } => self.query_peers(step, ask, peer_ids),
            C::SubscribePeersOnlineStatus { peer_ids } => self.follow(step, ask, peer_ids),
            C::UnsubscribePeersOnlineStatus { peer_ids } => self.unfollow(step, ask, &peer_ids),
            C::QueryPeersBySubscriptionOption {} => self.query_followed(step, ask),
            C::SetLocalUserAttributes { attributes } => self.set_user_attributes(step, ask, attributes),
            C::AddOrUpdateLocalUserAttributes { attributes } => {
                return self.update_user_attributes(step, ask, attributes);
            }
            C::DeleteLocalUserAttributesByKeys { keys } => self.delete_user_attributes(step, ask, &keys),
            C::ClearLocalUserAttributes {} => self.set_user_attributes(step, ask, Vec::new()),
            C::GetUserAttributes { user_id } => return self.get_user_attributes(step, ask, &user_id, None),
            C::GetUserAttributesByKeys { user_id, keys } => {
                return self.get_user_attributes(step, ask, &user_id, Some(&keys));
            }
            C::Join { channel_id } => self.join(step, ask, channel_id),
            C::Leave { channel_id } => self.leave(step, ask, &channel_id),
            C::SendMessage { channel_id, message } => self.send_to_channel(step, ask, channel_id, message),
            C::GetMembers { channel_id } => self.get_members(step, ask, &channel_id),
            C::GetChannelMemberCount { channel_ids } => self.get_counts(step, ask, channel_ids),
            C::SetChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => self.set_channel_attributes(step, ask, channel_id, attributes, enable_notification),
            C::AddOrUpdateChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => return self.update_channel_attributes(step, ask, channel_id, attributes, enable_notification),
            C::DeleteChannelAttributesByKeys {
                channel_id,
                keys,
                enable_notification,
            } => self.delete_channel_attributes(step, ask, channel_id, Some(&keys), enable_notification),
            C::ClearChannelAttributes {
                channel_id,
                enable_notification,
            } => self.delete_channel_attributes(step, ask, channel_id, None, enable_notification),
            C::GetChannelAttributes { channel_id } => self.get_channel_attributes(step, ask, &channel_id, None),
            C::GetChannelAttributesByKeys { channel_id, keys } => {
                self.get_channel_attributes(step, ask, &channel_id, Some(&keys));
            }
            C::LocalInvitationSend {
                invitation,
                callee_id,
                channel_id,
                content,
            } => return self.invite(step, ask, invitation, callee_id, channel_id, content),
            C::LocalInvitationCancel { invitation, content } => return self.cancel(step, ask, invitation, content),
            C::RemoteInvitationAccept { invitation, response } => return self.accept(step, ask, invitation, response),
            C::RemoteInvitationRefuse { invitation, response } => return self.refuse(step, ask, invitation, response),
            C::RestChannelMessage {
                user_id,
                channel,
                payload,
            } => return self.send_by_rest(step, ask, user_id, channel, payload),
        }
        Ok(())
    }
}

/// What a call needs before it can be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Decides by itself.
    Nothing,
    /// A login, but no link at this moment.
    Login,
    /// A link, and an invitation that tells what else.
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
