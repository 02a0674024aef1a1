//! All channels, and which instance is in which (rtm-api 3.5, 3.6, 4).
//!
//! Attributes: any user may write them; members are notified if the writer requests it. They are
//! deleted some minutes after the last member has left, or after the last write to an empty channel.
//!
//! Decided here: a writer that is a member is notified too, after its reply.

use foldhash::{HashMap, HashMapExt as _};

use rtm::limits::CHANNEL_ATTRIBUTES_LINGER;
use rtm::rate::SlidingWindow;
use rtm::value::Text;
use rtm::{ChannelId, Message, RtmError, RtmReply, UserId};

use crate::channel::Channel;
use crate::channel_attributes::ChannelAttributes;
use crate::checks;
use crate::client::{Clients, Joined};
use crate::context::Ctx;
use crate::ids::{ClientId, ReplyTo};
use crate::random::Random;
use crate::rates::admit_rest;
use crate::timers::Timer;

/// The channels of a service.
#[derive(Debug)]
pub(super) struct Channels {
    all: HashMap<ChannelId, Channel>,
    random: Random,
    /// Recent calls by the RESTful API.
    rest: SlidingWindow,
}

impl Channels {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            all: HashMap::new(),
            random: Random::new(seed),
            rest: SlidingWindow::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    #[cfg(test)]
    pub(super) fn get(&self, id: &ChannelId) -> Option<&Channel> {
        self.all.get(id)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.all.values()
    }

    pub(super) fn join(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, reply_to: ReplyTo, id: ChannelId) {
        let Some(session) = clients.session_mut(reply_to.client) else {
            return;
        };
        ctx.reply(reply_to, RtmReply::Void);
        let place = self.enter(ctx, &id, reply_to.client, session.user.clone());
        session.joined.push(Joined {
            channel: id,
            place: Some(place),
            missed: None,
        });
    }

    pub(super) fn leave(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, reply_to: ReplyTo, id: &ChannelId) {
        let Some(session) = clients.session_mut(reply_to.client) else {
            return;
        };
        let Some(at) = session.joined.iter().position(|j| j.channel == *id) else {
            return;
        };
        let joined = session.joined.remove(at);
        ctx.reply(reply_to, RtmReply::Void);
        self.forget(clients, ctx, &joined);
    }

    pub(super) fn send(
        &mut self,
        clients: &Clients,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        id: &ChannelId,
        message: Message,
    ) {
        let Some(session) = clients.session(reply_to.client) else {
            return;
        };
        ctx.reply(reply_to, RtmReply::Void);
        if let Some(channel) = self.all.get_mut(id) {
            channel.publish(ctx, id, Some(reply_to.client), session.user.clone(), message);
        }
    }

    /// Sends like the RESTful API (decisions H10): the sender need not be logged in, and need not
    /// be a member.
    pub(super) fn send_by_rest(
        &mut self,
        clients: &Clients,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        (user, id): (UserId, &ChannelId),
        payload: Text,
    ) -> Result<(), RtmError> {
        checks::rest_message(&payload)?;
        admit_rest(&mut self.rest, ctx.now, &ctx.config.rates, ctx.config.rate_scale)?;
        ctx.reply(reply_to, RtmReply::Void);
        let sender = clients.of_user(&user);
        if let Some(channel) = self.all.get_mut(id) {
            channel.publish(ctx, id, sender, user, Message::Text(payload));
        }
        Ok(())
    }

    /// Returns at most 512 members; of a larger channel, an unordered sample.
    pub(super) fn members(&mut self, id: &ChannelId) -> RtmReply {
        let channel = self.all.get(id);
        RtmReply::UserIds(channel.map_or(Vec::new(), |channel| channel.sample(&mut self.random)))
    }

    /// Returns counts of channels, joined or not, without duplicates.
    pub(super) fn counts(&self, ids: Vec<ChannelId>) -> RtmReply {
        let mut counts: Vec<(ChannelId, u64)> = Vec::with_capacity(ids.len());
        for id in ids {
            if counts.iter().all(|(known, _)| *known != id) {
                let count = self.all.get(&id).map_or(0, |c| c.members.len() as u64);
                counts.push((id, count));
            }
        }
        RtmReply::Counts(counts)
    }

    /// Returns the attributes of a channel.
    pub(super) fn attributes(&self, id: &ChannelId) -> ChannelAttributes {
        self.all.get(id).map(|c| c.attributes.clone()).unwrap_or_default()
    }

    /// Replaces the attributes of a channel.
    pub(super) fn set_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        id: &ChannelId,
        attributes: ChannelAttributes,
        notify: bool,
    ) {
        let channel = self.all.entry(id.clone()).or_default();
        channel.attributes = attributes;
        if channel.members.is_empty() {
            if let Some(timer) = channel.linger.take() {
                ctx.cancel(timer);
            }
            let timer = Timer::Linger(id.clone());
            channel.linger = Some(ctx.set_timer_in(CHANNEL_ATTRIBUTES_LINGER, timer));
        }
        ctx.reply(reply_to, RtmReply::Void);
        if notify {
            channel.send_attributes(ctx, id);
        }
        self.tidy(ctx, id);
    }

    /// Handles the expiry of an empty channel's attributes.
    pub(super) fn linger_timer(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        if let Some(channel) = self.all.get_mut(id) {
            channel.linger = None;
            channel.attributes = ChannelAttributes::default();
            self.tidy(ctx, id);
        }
    }

    /// Handles the timer of a member count.
    pub(super) fn count_timer(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        if let Some(channel) = self.all.get_mut(id) {
            channel.count_timer(ctx, id);
        }
    }

    /// Sends the missed messages to a recovered instance.
    pub(super) fn deliver_missed(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = clients.session_mut(client) else {
            return;
        };
        for joined in &mut session.joined {
            let channel = self.all.get_mut(&joined.channel);
            if let Some((first, channel)) = joined.missed.take().zip(channel) {
                channel.deliver_missed(ctx, &joined.channel, (client, &session.user), first);
            }
        }
    }

    /// Handles the end of an instance's membership.
    pub(super) fn forget(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, joined: &Joined) {
        if let Some(place) = joined.place {
            self.exit(clients, ctx, &joined.channel, place);
        }
        if joined.missed.is_some()
            && let Some(channel) = self.all.get_mut(&joined.channel)
        {
            channel.missed.remove_absent();
        }
        self.tidy_later(ctx, &joined.channel);
    }

    /// Removes a silent user from its channels; the instance still considers itself joined.
    pub(super) fn vacate(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = clients.session_mut(client) else {
            return;
        };
        let mut all = std::mem::take(&mut session.joined);
        for joined in &mut all {
            if let Some(place) = joined.place.take() {
                self.exit(clients, ctx, &joined.channel, place);
                self.tidy_later(ctx, &joined.channel);
            }
        }
        if let Some(session) = clients.session_mut(client) {
            session.joined = all;
        }
    }

    /// Marks the instance unreachable in its channels.
    pub(super) fn mark_unreachable(&mut self, clients: &mut Clients, client: ClientId) {
        let Some(session) = clients.session_mut(client) else {
            return;
        };
        for joined in &mut session.joined {
            let channel = self.all.get_mut(&joined.channel);
            if let Some((place, channel)) = joined.place.zip(channel) {
                joined.missed = Some(channel.lose(place));
            }
        }
    }

    /// Marks the instance reachable in its channels, or joins them again.
    pub(super) fn rejoin(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = clients.session_mut(client) else {
            return;
        };
        for joined in &mut session.joined {
            match (joined.place, self.all.get_mut(&joined.channel)) {
                (Some(place), Some(channel)) => channel.recover(ctx, &joined.channel, place),
                _ => joined.place = Some(self.enter(ctx, &joined.channel, client, session.user.clone())),
            }
        }
    }

    fn enter(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId, client: ClientId, user: UserId) -> usize {
        let channel = self.all.entry(id.clone()).or_default();
        channel.enter(ctx, id, client, user)
    }

    fn exit(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, id: &ChannelId, place: usize) {
        let Some(channel) = self.all.get_mut(id) else {
            return;
        };
        let moved = channel.exit(ctx, id, place);
        let session = moved.and_then(|client| clients.session_mut(client));
        let joined = session.and_then(|s| s.joined.iter_mut().find(|j| j.channel == *id));
        if let Some(joined) = joined {
            joined.place = Some(place);
        }
    }

    /// Removes an unused channel.
    fn tidy(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        if self.all.get(id).is_some_and(Channel::is_unused)
            && let Some(channel) = self.all.remove(id)
        {
            channel.cancel_timers(ctx);
        }
    }

    /// Removes an empty channel, at once or after the lifetime of its attributes.
    fn tidy_later(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        if let Some(channel) = self.all.get_mut(id)
            && channel.members.is_empty()
            && !channel.attributes.is_empty()
            && channel.linger.is_none()
        {
            let timer = Timer::Linger(id.clone());
            channel.linger = Some(ctx.set_timer_in(CHANNEL_ATTRIBUTES_LINGER, timer));
        }
        self.tidy(ctx, id);
    }
}
