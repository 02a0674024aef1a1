//! Channel membership and its events (rtm-api 3.5, 4).
//!
//! Decided here: joins and leaves during an outage are not sent later; the instance gets the count.
//! A join or leave is not sent if the channel has more than 512 members, including the joining or
//! leaving one.

use rtm::limits::{CHANNEL_ATTRIBUTES_LINGER, MEMBERS_CUT_OFF};
use rtm::{ChannelId, RtmEvent, UserId};

use crate::channels::Member;
use crate::client::Joined;
use crate::context::{ClientId, Ctx};
use crate::counts::count_event;
use crate::service::RtmService;
use crate::timers::Timer;

impl RtmService {
    /// Adds a member and sends the join and the count.
    pub(super) fn enter(&mut self, ctx: &mut Ctx<'_>, client: ClientId, user: UserId, id: &ChannelId) -> usize {
        let channel = self.channels.entry(id.clone()).or_default();
        if let Some(timer) = channel.linger.take() {
            self.timers.cancel(timer);
        }
        let place = channel.members.len();
        let count = place as u64 + 1;
        ctx.event(client, count_event(id, count));
        if channel.members.len() < MEMBERS_CUT_OFF {
            for member in channel.members.iter().filter(|m| m.reachable) {
                let event = RtmEvent::MemberJoined {
                    channel_id: id.clone(),
                    member_id: user.clone(),
                };
                ctx.event(member.client, event);
            }
        }
        channel.members.push(Member {
            client,
            user,
            reachable: true,
            last_count: count,
        });
        self.count_changed(ctx, id);
        place
    }

    /// Removes the instance from a channel.
    pub(super) fn forget_channel(&mut self, ctx: &mut Ctx<'_>, joined: Joined) {
        if let Some(place) = joined.place {
            self.exit(ctx, &joined.channel, place);
        }
        if joined.missed.is_some()
            && let Some(channel) = self.channels.get_mut(&joined.channel)
        {
            channel.missed.remove_absent();
        }
        self.tidy_later(ctx, &joined.channel);
    }

    /// Removes a silent user from its channels; the instance still considers itself joined.
    pub(super) fn vacate(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        let mut all = std::mem::take(&mut session.joined);
        for joined in &mut all {
            if let Some(place) = joined.place.take() {
                self.exit(ctx, &joined.channel, place);
                self.tidy_later(ctx, &joined.channel);
            }
        }
        if let Some(session) = self.clients.session_mut(client) {
            session.joined = all;
        }
    }

    /// Marks the instance unreachable in its channels.
    pub(super) fn mark_unreachable(&mut self, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        for joined in &mut session.joined {
            let channel = self.channels.get_mut(&joined.channel);
            if let Some((place, channel)) = joined.place.zip(channel) {
                channel.members[place].reachable = false;
                channel.missed.away += 1;
                joined.missed = Some(channel.missed.next);
            }
        }
    }

    /// Marks the instance reachable in its channels, or joins them again.
    pub(super) fn rejoin(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        let user = session.user.clone();
        let mut all = std::mem::take(&mut session.joined);
        for joined in &mut all {
            match (joined.place, self.channels.get_mut(&joined.channel)) {
                (Some(place), Some(channel)) => {
                    let count = channel.members.len() as u64;
                    let member = &mut channel.members[place];
                    member.reachable = true;
                    if std::mem::replace(&mut member.last_count, count) != count {
                        ctx.event(client, count_event(&joined.channel, count));
                    }
                }
                _ => joined.place = Some(self.enter(ctx, client, user.clone(), &joined.channel)),
            }
        }
        if let Some(session) = self.clients.session_mut(client) {
            session.joined = all;
        }
    }

    /// Removes an unused channel.
    pub(super) fn tidy(&mut self, id: &ChannelId) {
        let unused =
            |c: &crate::channels::Channel| c.members.is_empty() && c.attributes.is_empty() && c.missed.away == 0;
        if self.channels.get(id).is_some_and(unused)
            && let Some(channel) = self.channels.remove(id)
        {
            for timer in [channel.linger, channel.counts.due].into_iter().flatten() {
                self.timers.cancel(timer);
            }
        }
    }

    /// Removes an empty channel, at once or after the lifetime of its attributes.
    fn tidy_later(&mut self, ctx: &Ctx<'_>, id: &ChannelId) {
        if let Some(channel) = self.channels.get_mut(id)
            && channel.members.is_empty()
            && !channel.attributes.is_empty()
            && channel.linger.is_none()
        {
            let timer = Timer::Linger(id.clone());
            channel.linger = Some(self.timers.set(ctx.now + CHANNEL_ATTRIBUTES_LINGER, timer));
        }
        self.tidy(id);
    }

    fn exit(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId, place: usize) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        let is_silent = channel.members.len() > MEMBERS_CUT_OFF;
        let removed = channel.members.swap_remove(place);
        if let Some(moved) = channel.members.get(place) {
            let session = self.clients.session_mut(moved.client);
            let joined = session.and_then(|s| s.joined.iter_mut().find(|j| j.channel == *id));
            if let Some(joined) = joined {
                joined.place = Some(place);
            }
        }
        if !is_silent {
            for member in channel.members.iter().filter(|m| m.reachable) {
                let event = RtmEvent::MemberLeft {
                    channel_id: id.clone(),
                    member_id: removed.user.clone(),
                };
                ctx.event(member.client, event);
            }
        }
        self.count_changed(ctx, id);
    }
}
