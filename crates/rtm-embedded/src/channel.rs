//! One channel: its members and their events, its last messages (rtm-api 3.5, 4).
//!
//! Decided here: joins and leaves during an outage are not sent later; the instance gets the count.
//! A join or leave is not sent if the channel has more than 512 members, including the joining or
//! leaving one.

use std::collections::{HashSet, VecDeque};

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::time::Time;
use rtm::{ChannelId, Message, RtmEvent, UserId};

use crate::channel_attributes::ChannelAttributes;
use crate::context::Ctx;
use crate::counts::{CountClock, count_event};
use crate::ids::ClientId;
use crate::limits::{MISSED_AGE, MISSED_MESSAGES};
use crate::random::Random;
use crate::timers::TimerId;

/// A channel with members, attributes, or disconnected instances that may recover.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// Unordered: the last one replaces one that leaves.
    pub(super) members: Vec<Member>,
    pub(super) attributes: ChannelAttributes,
    /// The timer that deletes the attributes of an empty channel.
    pub(super) linger: Option<TimerId>,
    pub(super) missed: Missed,
    counts: CountClock,
}

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: ClientId,
    pub(super) user: UserId,
    /// Copied here so that a fan-out needs no look-up.
    pub(super) reachable: bool,
    /// The last member count that was sent to it.
    last_count: u64,
}

/// The last messages, stored only while there are disconnected instances that may recover.
#[derive(Debug, Default)]
pub(super) struct Missed {
    pub(super) away: usize,
    next: u64,
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

impl Channel {
    /// Returns true if there is no reason to keep the channel.
    pub(super) fn is_unused(&self) -> bool {
        self.members.is_empty() && self.attributes.is_empty() && self.missed.away == 0
    }

    /// Cancels all timers of a removed channel.
    pub(super) fn cancel_timers(self, ctx: &mut Ctx<'_>) {
        for timer in [self.linger, self.counts.due].into_iter().flatten() {
            ctx.cancel(timer);
        }
    }

    /// Adds a member and sends the join and the count. Returns its index.
    pub(super) fn enter(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId, client: ClientId, user: UserId) -> usize {
        if let Some(timer) = self.linger.take() {
            ctx.cancel(timer);
        }
        let place = self.members.len();
        let count = place as u64 + 1;
        ctx.event(client, count_event(id, count));
        if place < MEMBERS_CUT_OFF {
            self.send_to_members(ctx, || RtmEvent::MemberJoined {
                channel_id: id.clone(),
                member_id: user.clone(),
            });
        }
        self.members.push(Member {
            client,
            user,
            reachable: true,
            last_count: count,
        });
        self.count_changed(ctx, id);
        place
    }

    /// Removes a member and sends the leave and the count. Returns the instance of the member that
    /// has its index now.
    pub(super) fn exit(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId, place: usize) -> Option<ClientId> {
        let is_silent = self.members.len() > MEMBERS_CUT_OFF;
        let removed = self.members.swap_remove(place);
        if !is_silent {
            self.send_to_members(ctx, || RtmEvent::MemberLeft {
                channel_id: id.clone(),
                member_id: removed.user.clone(),
            });
        }
        self.count_changed(ctx, id);
        self.members.get(place).map(|moved| moved.client)
    }

    /// Marks a member unreachable; returns the number of the first message that it misses.
    pub(super) fn lose(&mut self, place: usize) -> u64 {
        self.members[place].reachable = false;
        self.missed.away += 1;
        self.missed.next
    }

    /// Marks a member reachable, and sends it the count if that has changed.
    pub(super) fn recover(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId, place: usize) {
        let count = self.members.len() as u64;
        let member = &mut self.members[place];
        member.reachable = true;
        if std::mem::replace(&mut member.last_count, count) != count {
            ctx.event(member.client, count_event(id, count));
        }
    }

    /// Sends a message to the members, except its sender.
    pub(super) fn publish(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: &ChannelId,
        sender: Option<ClientId>,
        user: UserId,
        message: Message,
    ) {
        ctx.out.reserve(self.members.len());
        for member in &self.members {
            if member.reachable && Some(member.client) != sender {
                ctx.event(member.client, message_event(id, &user, &message, ctx.now));
            }
        }
        self.missed.keep(ctx.now, user, message);
    }

    /// Sends the messages from number `first` on to a recovered instance, unless they are too old.
    pub(super) fn deliver_missed(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: &ChannelId,
        (client, user): (ClientId, &UserId),
        first: u64,
    ) {
        let now = ctx.now;
        let recent = |m: &&MissedMessage| m.number >= first && now.since(m.at) <= MISSED_AGE;
        let others = |m: &&MissedMessage| m.from != *user;
        for m in self.missed.messages.iter().filter(recent).filter(others) {
            ctx.event(client, message_event(id, &m.from, &m.message, m.at));
        }
        self.missed.remove_absent();
    }

    /// Sends the attributes to all members.
    pub(super) fn send_attributes(&self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        self.send_to_members(ctx, || RtmEvent::AttributesUpdated {
            channel_id: id.clone(),
            attributes: self.attributes.snapshot(),
        });
    }

    /// Lists at most 512 members; of a larger channel, an unordered sample.
    pub(super) fn sample(&self, random: &mut Random) -> Vec<UserId> {
        let members = &self.members;
        if members.len() <= MEMBERS_CUT_OFF {
            return members.iter().map(|m| m.user.clone()).collect();
        }
        // Floyd's algorithm: all subsets are equally likely, in as many steps as the sample has
        // members.
        let mut seen = HashSet::with_capacity(MEMBERS_CUT_OFF);
        let pick = |last: usize| {
            let any = random.below(last + 1);
            let picked = if seen.insert(any) { any } else { last };
            seen.insert(picked);
            members[picked].user.clone()
        };
        (members.len() - MEMBERS_CUT_OFF..members.len()).map(pick).collect()
    }

    /// Handles the timer of the count.
    pub(super) fn count_timer(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        self.counts.due = None;
        self.send_count(ctx, id);
    }

    /// Sends the count to the members, now or as soon as the rate permits.
    fn count_changed(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        if self.counts.changed(ctx, id, self.members.len()) {
            self.send_count(ctx, id);
        }
    }

    /// Sends the count to all members whose last count differs.
    fn send_count(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        self.counts.sent(ctx.now);
        let count = self.members.len() as u64;
        for member in &mut self.members {
            if member.reachable && member.last_count != count {
                member.last_count = count;
                ctx.event(member.client, count_event(id, count));
            }
        }
    }

    fn send_to_members(&self, ctx: &mut Ctx<'_>, event: impl Fn() -> RtmEvent) {
        for member in self.members.iter().filter(|member| member.reachable) {
            ctx.event(member.client, event());
        }
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
