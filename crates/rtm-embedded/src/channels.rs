//! Channels: join, leave, messages, member lists (rtm-api 3.5).

use std::collections::{HashSet, VecDeque};

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, Message, RtmError, RtmEvent, RtmReply, UserId};

use crate::channel_attributes::ChannelAttributes;
use crate::checks;
use crate::client::Joined;
use crate::context::{ClientId, Ctx, ReplyTo};
use crate::counts::CountClock;
use crate::limits::{MISSED_AGE, MISSED_MESSAGES};
use crate::rates::admit_rest;
use crate::service::RtmService;
use crate::timers::TimerId;

/// A channel with members, attributes, or disconnected instances that may recover.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// Unordered: the last one replaces one that leaves.
    pub(super) members: Vec<Member>,
    pub(super) counts: CountClock,
    pub(super) attributes: ChannelAttributes,
    /// The timer that deletes the attributes of an empty channel.
    pub(super) linger: Option<TimerId>,
    pub(super) missed: Missed,
}

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: ClientId,
    pub(super) user: UserId,
    /// Copied here so that a fan-out needs no look-up.
    pub(super) reachable: bool,
    /// The last member count that was sent to it.
    pub(super) last_count: u64,
}

/// The last messages, stored only while there are disconnected instances that may recover.
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

    /// Handles an instance that has recovered, or will not.
    pub(super) fn remove_absent(&mut self) {
        self.away -= 1;
        if self.away == 0 {
            self.messages.clear();
        }
    }
}

impl RtmService {
    pub(super) fn join(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, id: ChannelId) {
        let Some(session) = self.clients.session(reply_to.client) else {
            return;
        };
        let user = session.user.clone();
        ctx.reply(reply_to, RtmReply::Void);
        let place = self.enter(ctx, reply_to.client, user, &id);
        if let Some(session) = self.clients.session_mut(reply_to.client) {
            session.joined.push(Joined {
                channel: id,
                place: Some(place),
                missed: None,
            });
        }
    }

    pub(super) fn leave(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, id: &ChannelId) {
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return;
        };
        let Some(at) = session.joined.iter().position(|j| j.channel == *id) else {
            return;
        };
        let joined = session.joined.remove(at);
        ctx.reply(reply_to, RtmReply::Void);
        self.forget_channel(ctx, joined);
    }

    pub(super) fn send_to_channel(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, id: ChannelId, message: Message) {
        let Some(session) = self.clients.session(reply_to.client) else {
            return;
        };
        let user = session.user.clone();
        ctx.reply(reply_to, RtmReply::Void);
        self.publish(ctx, id, Some(reply_to.client), user, message);
    }

    /// Sends like the RESTful API (decisions H10): the sender need not be logged in, and need not
    /// be a member.
    pub(super) fn send_by_rest(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        user: UserId,
        id: ChannelId,
        payload: Text,
    ) -> Result<(), RtmError> {
        checks::rest_message(&payload)?;
        admit_rest(&mut self.rest, ctx.now, &self.config)?;
        ctx.reply(reply_to, RtmReply::Void);
        let sender = self.users.get(&user).copied();
        self.publish(ctx, id, sender, user, Message::Text(payload));
        Ok(())
    }

    /// Lists at most 512 members; of a larger channel, an unordered sample.
    pub(super) fn get_members(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, id: &ChannelId) {
        let members = self.channels.get(id).map_or(&[][..], |c| &c.members);
        let ids = if members.len() <= MEMBERS_CUT_OFF {
            members.iter().map(|m| m.user.clone()).collect()
        } else {
            // Floyd's algorithm: all subsets are equally likely, in as many steps as the sample has
            // members.
            let mut seen = HashSet::with_capacity(MEMBERS_CUT_OFF);
            let pick = |last: usize| {
                let any = self.random.below(last + 1);
                let picked = if seen.insert(any) { any } else { last };
                seen.insert(picked);
                members[picked].user.clone()
            };
            (members.len() - MEMBERS_CUT_OFF..members.len()).map(pick).collect()
        };
        ctx.reply(reply_to, RtmReply::UserIds(ids));
    }

    /// Sends the missed messages to a recovered instance, unless they are too old.
    pub(super) fn deliver_missed(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        for joined in &mut session.joined {
            let channel = self.channels.get_mut(&joined.channel);
            let Some((first, channel)) = joined.missed.take().zip(channel) else {
                continue;
            };
            let recent = |m: &&MissedMessage| m.number >= first && ctx.now.since(m.at) <= MISSED_AGE;
            let theirs = |m: &&MissedMessage| m.from != session.user;
            let missed: Vec<_> = channel.missed.messages.iter().filter(recent).filter(theirs).collect();
            for m in missed {
                ctx.event(client, message_event(&joined.channel, &m.from, &m.message, m.at));
            }
            channel.missed.remove_absent();
        }
    }

    fn publish(&mut self, ctx: &mut Ctx<'_>, id: ChannelId, sender: Option<ClientId>, user: UserId, message: Message) {
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        ctx.out.reserve(channel.members.len());
        for member in &channel.members {
            if member.reachable && Some(member.client) != sender {
                ctx.event(member.client, message_event(&id, &user, &message, ctx.now));
            }
        }
        channel.missed.keep(ctx.now, user, message);
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
