//! Sending to a channel from outside without the RESTful API: the session joins the channel, sends,
//! and leaves after an idle time (decisions H10). Events of such a channel are not sent to the
//! client; its members see the user join and leave.

use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, ChannelMessageErr, JoinChannelErr, RtmCall, RtmError, RtmReply};
use tables::condition::{Condition, Emulation};

use crate::api::{Effect, TimerKey};
use crate::invocation::Run;
use crate::session::{Ctx, Session};

/// Idle time after the last message. RTM limits repeated joins of one channel to two in 5 s, which
/// this time respects.
const IDLE: Duration = Duration::from_secs(5);
/// Maximum number of transient joins; RTM permits 20 channels per instance (rtm-api 3.5). The
/// oldest ends for a new one.
const MAX_TRANSIENT_JOINS: usize = 10;

/// Channels that the session has joined without its client's request.
#[derive(Clone, Debug, Default)]
pub struct TransientJoins(Vec<TransientJoin>);

#[derive(Clone, Debug)]
struct TransientJoin {
    name: Text,
    id: ChannelId,
    joined: bool,
    /// Number of pending messages.
    sending: usize,
    until: Time,
}

impl TransientJoins {
    fn of(&mut self, id: &ChannelId) -> Option<&mut TransientJoin> {
        self.0.iter_mut().find(|join| join.id == *id)
    }

    /// The client itself joins the channel: the transient join ends without a leave.
    pub fn forget(&mut self, id: &ChannelId) {
        self.0.retain(|join| join.id != *id);
    }

    /// Removes the idle transient joins and sets the timer for the next one.
    fn take_over(&mut self, over: impl Fn(&TransientJoin) -> bool) -> Vec<TransientJoin> {
        let is_over = |join: &TransientJoin| join.joined && join.sending == 0 && over(join);
        let (taken, offline_lines) = std::mem::take(&mut self.0).into_iter().partition(|v| is_over(v));
        self.0 = offline_lines;
        taken
    }
}

impl Session {
    /// Returns true if the run's channel is transiently joined.
    pub(crate) fn is_transiently_joined(&self, run: &Run) -> bool {
        let name = self.channel_of(run);
        let mut joins = self.transient_joins.0.iter();
        joins.any(|join| join.joined && Some(&join.name) == name.as_ref())
    }

    /// Returns true if the run will start a transient join. It then holds the channel lane, so that
    /// later messages find the channel joined.
    pub(crate) fn starts_transient_join(&self, run: &Run) -> bool {
        self.context.tables.rows[run.row].emulation == Some(Emulation::TransientJoin)
            && self.context.limits.force_join
            && !self.condition(Condition::Joined, run)
            && !self.is_transiently_joined(run)
    }

    /// Registers the join of a transient join.
    pub(crate) fn transient_joining(&mut self, run: &Run, id: &ChannelId, ctx: &mut Ctx<'_>) {
        let Some(name) = self.channel_of(run) else { return };
        if self.transient_joins.0.len() >= MAX_TRANSIENT_JOINS {
            let first = self
                .transient_joins
                .0
                .iter()
                .filter(|v| v.joined && v.sending == 0)
                .map(|v| v.until)
                .min();
            let over = self.transient_joins.take_over(|join| Some(join.until) == first);
            self.leave_transient_joins(over, ctx);
        }
        self.transient_joins.0.push(TransientJoin {
            name,
            id: id.clone(),
            joined: false,
            sending: 0,
            until: ctx.now,
        });
    }

    /// Handles the reply to a join; returns false if it was not transient.
    pub(crate) fn transient_join_replied(
        &mut self,
        id: &ChannelId,
        result: &Result<RtmReply, RtmError>,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(join) = self.transient_joins.of(id) else {
            return false;
        };
        let is_in = match result {
            Ok(_) => true,
            Err(RtmError::JoinChannel(error)) => matches!(
                error,
                JoinChannelErr::AlreadyJoined | JoinChannelErr::AlreadyJoinedChannelOfSameId
            ),
            Err(_) => false,
        };
        if is_in {
            join.joined = true;
            self.extend_transient_join(id, ctx);
        } else {
            self.transient_joins.forget(id);
        }
        true
    }

    /// Registers a message to a channel, which may be transiently joined.
    pub(crate) fn sending_to(&mut self, id: &ChannelId) {
        if let Some(join) = self.transient_joins.of(id) {
            join.sending += 1;
        }
    }

    /// Handles the reply to such a message.
    pub(crate) fn sent_to(&mut self, id: &ChannelId, result: &Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        let Some(join) = self.transient_joins.of(id) else {
            return;
        };
        join.sending = join.sending.saturating_sub(1);
        if *result == Err(ChannelMessageErr::NotInChannel.into()) {
            // RTM has lost the join: the next message joins again.
            self.transient_joins.forget(id);
        } else {
            self.extend_transient_join(id, ctx);
        }
    }

    /// Handles the idle timer of transient joins.
    pub(crate) fn transient_joins_timer(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        let over = self.transient_joins.take_over(|join| join.until <= now);
        self.leave_transient_joins(over, ctx);
        self.arm_transient_joins(ctx);
    }

    fn extend_transient_join(&mut self, id: &ChannelId, ctx: &mut Ctx<'_>) {
        let until = ctx.now + IDLE;
        if let Some(join) = self.transient_joins.of(id) {
            join.until = until;
        }
        self.arm_transient_joins(ctx);
    }

    fn leave_transient_joins(&mut self, joins: Vec<TransientJoin>, ctx: &mut Ctx<'_>) {
        for join in joins {
            self.send_aside(RtmCall::Leave { channel_id: join.id }, ctx);
        }
    }

    fn arm_transient_joins(&self, ctx: &mut Ctx<'_>) {
        let open = self
            .transient_joins
            .0
            .iter()
            .filter(|join| join.joined && join.sending == 0);
        if let Some(at) = open.map(|join| join.until).min() {
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::TransientJoins,
                at,
            });
        }
    }
}
