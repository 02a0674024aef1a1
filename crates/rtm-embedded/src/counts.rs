//! Member counts: sent at most once a second, or once in 3 s above 512 members (rtm-api 3.5, 6).

use rtm::limits::{COUNT_INTERVAL, COUNT_INTERVAL_LARGE, MEMBERS_CUT_OFF};
use rtm::time::Time;
use rtm::{ChannelId, RtmEvent};

use crate::context::Ctx;
use crate::timers::{Timer, TimerId};

/// The time of a channel's next count.
#[derive(Debug, Default)]
pub(super) struct CountClock {
    last: Option<Time>,
    pub(super) due: Option<TimerId>,
}

impl CountClock {
    /// Handles a change of the count. Returns true if the count may be sent now; otherwise a timer
    /// is set.
    pub(super) fn changed(&mut self, ctx: &mut Ctx<'_>, id: &ChannelId, members: usize) -> bool {
        if self.due.is_some() || members == 0 {
            return false;
        }
        let interval = if members > MEMBERS_CUT_OFF {
            COUNT_INTERVAL_LARGE
        } else {
            COUNT_INTERVAL
        };
        match self.last.map(|last| last + interval) {
            Some(next) if ctx.now < next => {
                self.due = Some(ctx.set_timer(next, Timer::Count(id.clone())));
                false
            }
            _ => true,
        }
    }

    /// Registers that the count is sent.
    pub(super) fn sent(&mut self, now: Time) {
        self.last = Some(now);
    }
}

pub(super) fn count_event(channel: &ChannelId, count: u64) -> RtmEvent {
    RtmEvent::MemberCountUpdated {
        channel_id: channel.clone(),
        member_count: count,
    }
}
