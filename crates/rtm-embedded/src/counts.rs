//! Member counts: queried, and sent at most once a second, or once in 3 s above 512 members
//! (rtm-api 3.5, 6).

use rtm::limits::{COUNT_INTERVAL, COUNT_INTERVAL_LARGE, MEMBERS_CUT_OFF};
use rtm::time::Time;
use rtm::{ChannelId, RtmEvent, RtmReply};

use crate::context::{Ctx, ReplyTo};
use crate::service::RtmService;
use crate::timers::{Timer, TimerId};

/// The time of a channel's next count.
#[derive(Debug, Default)]
pub(super) struct CountClock {
    last: Option<Time>,
    pub(super) due: Option<TimerId>,
}

pub(super) fn count_event(channel: &ChannelId, count: u64) -> RtmEvent {
    RtmEvent::MemberCountUpdated {
        channel_id: channel.clone(),
        member_count: count,
    }
}

impl RtmService {
    /// Returns counts of channels, joined or not, without duplicates.
    pub(super) fn get_counts(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, ids: Vec<ChannelId>) {
        let mut counts: Vec<(ChannelId, u64)> = Vec::with_capacity(ids.len());
        for id in ids {
            if counts.iter().all(|(known, _)| *known != id) {
                let count = self.channels.get(&id).map_or(0, |c| c.members.len() as u64);
                counts.push((id, count));
            }
        }
        ctx.reply(reply_to, RtmReply::Counts(counts));
    }

    /// Sends the count to the members, now or as soon as the rate permits.
    pub(super) fn count_changed(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        if channel.counts.due.is_some() || channel.members.is_empty() {
            return;
        }
        let interval = if channel.members.len() > MEMBERS_CUT_OFF {
            COUNT_INTERVAL_LARGE
        } else {
            COUNT_INTERVAL
        };
        match channel.counts.last.map(|last| last + interval) {
            Some(next) if ctx.now < next => {
                channel.counts.due = Some(self.timers.set(next, Timer::Count(id.clone())));
            }
            _ => self.send_count(ctx, id),
        }
    }

    pub(super) fn count_timer(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.counts.due = None;
            self.send_count(ctx, id);
        }
    }

    /// Sends the count to all members whose last count differs.
    fn send_count(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId) {
        let Some(channel) = self.channels.get_mut(id) else {
            return;
        };
        channel.counts.last = Some(ctx.now);
        let count = channel.members.len() as u64;
        for member in &mut channel.members {
            if member.reachable && member.last_count != count {
                member.last_count = count;
                ctx.event(member.client, count_event(id, count));
            }
        }
    }
}
