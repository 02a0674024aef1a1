//! Channels: joining, leaving, sending, listing (rtm-api 3.5).

use std::collections::{HashSet, VecDeque};

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, Message, RtmError, RtmEvent, RtmReply, UserId};

use crate::channel_attributes::ChannelAttributes;
use crate::checks;
use crate::client::Joined;
use crate::context::{Ask, ClientId, Step};
use crate::counts::CountClock;
use crate::limits::{MISSED_AGE, MISSED_MESSAGES};
use crate::rates::admit_rest;
use crate::service::RtmService;
use crate::timers::TimerId;

/// A channel that has members, or attributes, or instances that will be back in it.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// In no meaningful order: the last one takes the place of one that leaves.
    pub(super) members: Vec<Member>,
    pub(super) counts: CountClock,
    pub(super) attributes: ChannelAttributes,
    /// When the attributes of an empty channel go.
    pub(super) linger: Option<TimerId>,
    pub(super) missed: Missed,
}

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: ClientId,
    pub(super) user: UserId,
    /// Kept here so that a fan-out looks nobody up.
    pub(super) reachable: bool,
    /// The member count that it was told last.
    pub(super) told: u64,
}

/// What instances without a link will want to see: the last messages, kept only while there are such instances.
#[derive(Debug, Default)]
pub(super) struct Missed {
    pub(super) away: usize,
    pub(super) next: u64,
    messages: VecDeque<MissedMessage>,
}

#[derive(Debug)]
struct MissedMessage {
    number: u64,
    at: Time,
    from: UserId,
    message: Message,
}

impl Missed {
    fn keep(&mut self, at: Time, from: UserId, message: Message) {
        if self.away == 0 {
            return;
        }
        if self.messages.len() >= MISSED_MESSAGES {
            self.messages.pop_front();
        }
        let number = self.next;
        self.next += 1;
        self.messages.push_back(MissedMessage {
            number,
            at,
            from,
            message,
        });
    }

    /// An instance is back, or will not come back.
    pub(super) fn one_less(&mut self) {
        self.away -= 1;
        if self.away == 0 {
            self.messages.clear();
        }
    }
}

impl RtmService {
    pub(super) fn join(&mut self, step: &mut Step<'_>, ask: Ask, id: ChannelId) {
        let Some(session) = self.clients.session(ask.client) else {
            return;
        };
        let user = session.user.clone();
        step.reply(ask, RtmReply::Void);
        let place = self.enter(step, ask.client, user, &id);
        if let Some(session) = self.clients.session_mut(ask.client) {
            session.joined.push(Joined {
                channel: id,
                place: Some(place),
                missed: None,
            });
        }
    }

    pub(super) fn leave(&mut self, step: &mut Step<'_>, ask: Ask, id: &ChannelId) {
        let Some(session) = self.clients.session_mut(ask.client) else {
            return;
        };
        let Some(at) = session.joined.iter().position(|j| j.channel == *id) else {
            return;
        };
        let joined = session.joined.remove(at);
        step.reply(ask, RtmReply::Void);
        self.forget_channel(step, joined);
    }

    pub(super) fn send_to_channel(&mut self, step: &mut Step<'_>, ask: Ask, id: ChannelId, message: Message) {
        let Some(session) = self.clients.session(ask.client) else {
            return;
        };
        let user = session.user.clone();
        step.reply(ask, RtmReply::Void);
        self.publish(step, id, Some(ask.client), user, message);
    }

    /// As the RESTful API sends (decisions H10): the sender need neither be logged in nor be a member.
    pub(super) fn send_by_rest(
        &mut self,
        step: &mut Step<'_>,
        ask: Ask,
        user: UserId,
        id: ChannelId,
        payload: Text,
    ) -> Result<(), RtmError> {
        checks::rest_message(&payload)?;
        admit_rest(&mut self.rest, step.now, &self.config)?;
        step.reply(ask, RtmReply::Void);
        let sender = self.users.get(&user).copied();
        self.publish(step, id, sender, user, Message::Text(payload));
        Ok(())
    }

    /// At most 512 members; of more, a sample in no order.
    pub(super) fn get_members(&mut self, step: &mut Step<'_>, ask: Ask, id: &ChannelId) {
        let members = self.channels.get(id).map_or(&[][..], |c| &c.members);
        let ids = if members.len() <= MEMBERS_CUT_OFF {
            members.iter().map(|m| m.user.clone()).collect()
        } else {
            // Floyd's algorithm: each subset is as likely, and only as many steps as the sample has members.
            let mut seen = HashSet::with_capacity(MEMBERS_CUT_OFF);
            let pick = |last: usize| {
                let any = self.random.below(last + 1);
                let picked = if seen.insert(any) { any } else { last };
                seen.insert(picked);
                members[picked].user.clone()
            };
            (members.len() - MEMBERS_CUT_OFF..members.len()).map(pick).collect()
        };
        step.reply(ask, RtmReply::UserIds(ids));
    }

    /// Gives a returned instance the messages that it missed, if they are not too old.
    pub(super) fn deliver_missed(&mut self, step: &mut Step<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        for joined in &mut session.joined {
            let channel = self.channels.get_mut(&joined.channel);
            let Some((first, channel)) = joined.missed.take().zip(channel) else {
                continue;
            };
            let recent = |m: &&MissedMessage| m.number >= first && step.now.since(m.at) <= MISSED_AGE;
            let theirs = |m: &&MissedMessage| m.from != session.user;
            let missed: Vec<_> = channel.missed.messages.iter().filter(recent).filter(theirs).collect();
            for m in missed {
                step.event(client, message_event(&joined.channel, &m.from, &m.message, m.at));
            }
            channel.missed.one_less();
        }
    }

    fn publish(
        &mut self,
        step: &mut Step<'_>,
        id: ChannelId,
        sender: Option<ClientId>,
        user: UserId,
        message: Message,
    ) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        step.out.reserve(channel.members.len());
        for member in &channel.members {
            if member.reachable && Some(member.client) != sender {
                step.event(member.client, message_event(&id, &user, &message, step.now));
            }
        }
        channel.missed.keep(step.now, user, message);
    }
}

fn message_event(channel: &ChannelId, from: &UserId, message: &Message, at: Time) -> RtmEvent {
    RtmEvent::ChannelMessage {
        channel_id: channel.clone(),
        member_id: from.clone(),
        message: message.clone(),
        server_received_ts: at.as_millis(),
    }
}
