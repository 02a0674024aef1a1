//! Calls between sessions of this sidecar: a channel member makes a call for a session outside the channel.

use crate::server::message::{CallForOther, Message};
use crate::server::registry::SessionHandle;
use rtm::upstream::UpstreamEvent;
use rtm::{ChannelId, GetMembersErr, RtmCall};

use crate::server::live_session::LiveSession;

impl LiveSession {
    /// Updates the session's channel in the index of members.
    pub(super) fn note_membership(&mut self) {
        let now = self.session.joined_channel();
        if now == self.member_of.as_ref() {
            return;
        }
        let now = now.cloned();
        let members = &self.server.members;
        if let Some(before) = &self.member_of {
            members.left(&self.key.0, before, self.id);
        }
        if let (Some(channel), Some(inbox)) = (&now, self.own_inbox.upgrade()) {
            members.joined(
                &self.key.0,
                channel,
                SessionHandle {
                    set: self.set.clone(),
                    id: self.id,
                    inbox,
                    view: self.view.clone(),
                },
            );
        }
        self.webhook_events.moved(now.as_ref().and(self.channel.clone()));
        self.member_of = now;
    }

    /// Makes a call that needs a member of the channel: by the backend, or by a member's session at this sidecar. Otherwise the
    /// reply is an immediate error.
    pub(super) fn request_by_member(&mut self, request: u64, channel: &ChannelId, call: RtmCall) {
        if self.server.upstream.call_as_member(&self.client, request, &call) {
            return;
        }
        let member = self.server.members.any(&self.key.0, channel);
        let requested = member.zip(self.own_inbox.upgrade()).is_some_and(|(member, requester)| {
            let call_for_other = CallForOther {
                call,
                request,
                requester,
            };
            member
                .inbox
                .send(Message::CallForOther(Box::new(call_for_other)))
                .is_ok()
        });
        if !requested {
            let result = Err(GetMembersErr::NotInChannel.into());
            self.later.push_back(UpstreamEvent::Reply { request, result });
        }
    }

    /// Makes a call for another session.
    pub(super) fn request_for(&mut self, for_other: CallForOther) {
        let CallForOther {
            call,
            request,
            requester,
        } = for_other;
        match self.for_others.begin(&requester, request) {
            Ok(request) => self.server.upstream.call(&self.client, request, call),
            Err(error) => {
                let result = Err(error);
                requester.deliver(UpstreamEvent::Reply { request, result });
            }
        }
    }
}
