//! Local members by channel: their events, and the timers of member counts.

use std::sync::Arc;
use std::time::Duration;

use rtm::time::Time;
use rtm::{ChannelId, RtmEvent, UserId};
use rtm_embedded::TimerId;

use crate::node::{ForClient as _, Node, Outputs, Timer};
use crate::wire::{channel_attributes_in, int, message_in, user};

/// A channel with local members.
#[derive(Debug, Default)]
pub struct LocalChannel {
    members: Vec<Member>,
    /// All members at all nodes.
    count: u64,
    due: Option<TimerId>,
}

#[derive(Debug)]
struct Member {
    client: u64,
    user: UserId,
    /// The last count of an event.
    last_count: u64,
}

impl Node {
    /// Handles a join of the instance, which gets the count.
    pub(super) fn add_member(&mut self, client: u64, user: UserId, id: &ChannelId, count: u64, out: &mut Outputs) {
        let channel = self.channels.entry(id.clone()).or_default();
        channel.count = count;
        channel.members.retain(|member| member.client != client);
        let last_count = count;
        channel.members.push(Member {
            client,
            user,
            last_count,
        });
        out.push(counted(id, count).for_client(client));
    }

    pub(super) fn remove_member(&mut self, client: u64, id: &ChannelId) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        if let Some(at) = channel.members.iter().position(|member| member.client == client) {
            channel.members.swap_remove(at);
        }
        if channel.members.is_empty()
            && let Some(channel) = self.channels.remove(id)
            && let Some(timer) = channel.due
        {
            self.timers.cancel(timer);
        }
    }

    /// Handles a restored membership. The instance gets a count that differs from the last one.
    pub(super) fn membership_restored(&mut self, client: u64, id: &ChannelId, count: u64, out: &mut Outputs) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        channel.count = count;
        let member = channel.members.iter_mut().find(|member| member.client == client);
        if let Some(member) = member.filter(|member| member.last_count != count) {
            member.last_count = count;
            out.push(counted(id, count).for_client(client));
        }
    }

    /// Handles a join, a leave or a restored membership: the user, the count, `1` if members get an event, and the ms until the
    /// next event of the count.
    pub(super) fn membership(&mut self, now: Time, kind: &[u8], id: &ChannelId, fields: &[Vec<u8>], out: &mut Outputs) {
        let [user_id, count, visible, due, ..] = fields else {
            return;
        };
        let (Some(user_id), Some(count), Some(due)) = (user(user_id), int(count), int(due)) else {
            return;
        };
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        channel.count = count;
        for member in &channel.members {
            if visible != b"1" || member.user == user_id {
                continue;
            }
            let (channel_id, member_id) = (id.clone(), user_id.clone());
            match kind {
                b"join" => out.push(RtmEvent::MemberJoined { channel_id, member_id }.for_client(member.client)),
                b"leave" => out.push(RtmEvent::MemberLeft { channel_id, member_id }.for_client(member.client)),
                _ => {}
            }
        }
        if due == 0 {
            self.emit_count(id, out);
        } else if channel.due.is_none() {
            let at = now + Duration::from_millis(due);
            channel.due = Some(self.timers.set(at, Timer::Count(id.clone())));
        }
    }

    pub(super) fn count_due(&mut self, id: &ChannelId, out: &mut Outputs) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.due = None;
            self.emit_count(id, out);
        }
    }

    /// Sends the count to local members whose last count differs.
    fn emit_count(&mut self, id: &ChannelId, out: &mut Outputs) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        let count = channel.count;
        for member in channel.members.iter_mut().filter(|member| member.last_count != count) {
            member.last_count = count;
            out.push(counted(id, count).for_client(member.client));
        }
    }

    /// Handles a channel message: sender, time, message.
    pub(super) fn channel_message(&mut self, id: &ChannelId, fields: &[Vec<u8>], out: &mut Outputs) {
        let [from, at, body, ..] = fields else { return };
        let (Some(from), Some(at), Some(message)) = (user(from), int(at), message_in(body)) else {
            return;
        };
        let Some(channel) = self.channels.get(id) else { return };
        out.reserve(channel.members.len());
        for member in channel.members.iter().filter(|member| member.user != from) {
            let event = RtmEvent::ChannelMessage {
                channel_id: id.clone(),
                member_id: from.clone(),
                message: message.clone(),
                server_received_ts: at,
            };
            out.push(event.for_client(member.client));
        }
    }

    /// Handles all attributes of a channel after a write.
    pub(super) fn channel_attributes(&mut self, id: &ChannelId, fields: &[Vec<u8>], out: &mut Outputs) {
        let attributes = fields.first().and_then(|text| channel_attributes_in(text));
        let (Some(attributes), Some(channel)) = (attributes, self.channels.get(id)) else {
            return;
        };
        let attributes = Arc::new(attributes);
        for member in &channel.members {
            let event = RtmEvent::AttributesUpdated {
                channel_id: id.clone(),
                attributes: attributes.clone(),
            };
            out.push(event.for_client(member.client));
        }
    }
}

fn counted(channel: &ChannelId, count: u64) -> RtmEvent {
    RtmEvent::MemberCountUpdated {
        channel_id: channel.clone(),
        member_count: count,
    }
}
