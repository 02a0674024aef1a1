//! Calls between sessions of this sidecar: a member of a channel makes a call for a session that is outside of it.

use crate::server::message::Message;
use crate::server::registry::SessionHandle;
use crate::server::session_inbox::Inbox;
use rtm::upstream::UpstreamEvent;
use rtm::{ChannelId, GetMembersErr, RtmCall};

use crate::server::live_session::LiveSession;

/// Numbers of calls that are made for others begin here, far from the session's own.
pub(super) const FOR_OTHERS: u64 = 1 << 63;
/// Calls for others that may be out at once.
const MAX_FOR_OTHERS: usize = 64;

impl LiveSession {
    /// Others of this sidecar may ask this session about its channel.
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
                    id: self.id,
                    inbox,
                    recorded: false,
                },
            );
        }
        self.teller.moved(now.as_ref().and(self.channel.clone()));
        self.member_of = now;
    }

    /// Has a member of the channel make a call; where there is none, the answer follows at once.
    pub(super) fn ask_member(&mut self, request: u64, channel: &ChannelId, call: RtmCall) {
        let member = self.server.members.any(&self.key.0, channel);
        let asked = member
            .zip(self.own_inbox.upgrade())
            .is_some_and(|(member, asker)| member.inbox.send(Message::Ask { call, request, asker }).is_ok());
        if !asked {
            let result = Err(GetMembersErr::NotInChannel.into());
            self.later.push_back(UpstreamEvent::Reply { request, result });
        }
    }

    /// Makes a call for another session.
    pub(super) fn ask_for(&mut self, call: RtmCall, request: u64, asker: Inbox) {
        if self.for_others.len() >= MAX_FOR_OTHERS {
            let result = Err(GetMembersErr::TooOften.into());
            asker.tell(UpstreamEvent::Reply { request, result });
            return;
        }
        self.next_for_others += 1;
        self.for_others.insert(self.next_for_others, (asker, request));
        self.server.upstream.call(&self.client, self.next_for_others, call);
    }
}
