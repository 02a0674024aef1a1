//! Sending to a channel from outside without the RESTful API: the session joins the channel, sends,
//! and leaves after an idle time (decisions H10). Events of such a channel are not sent to the
//! client; its members see the user join and leave.

use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, ChannelMessageErr, JoinChannelErr, RtmCall, RtmError, RtmReply};
use tables::condition::{Emulation, Fact};

use crate::api::{Effect, TimerKey};
use crate::invocation::Run;
use crate::session::{Session, Step};

/// Idle time after the last message. RTM limits repeated joins of one channel to two in 5 s, which
/// this time respects.
const IDLE: Duration = Duration::from_secs(5);
/// Maximum number of transient joins; RTM permits 20 channels per instance (rtm-api 3.5). The
/// oldest ends for a new one.
const MAX_VISITS: usize = 10;

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
        self.0.iter_mut().find(|visit| visit.id == *id)
    }

    /// The client itself joins the channel: the transient join ends without a leave.
    pub fn forget(&mut self, id: &ChannelId) {
        self.0.retain(|visit| visit.id != *id);
    }

    /// Removes the idle transient joins and sets the timer for the next one.
    fn take_over(&mut self, over: impl Fn(&TransientJoin) -> bool) -> Vec<TransientJoin> {
        let is_over = |visit: &TransientJoin| visit.joined && visit.sending == 0 && over(visit);
        let (taken, kept) = std::mem::take(&mut self.0).into_iter().partition(|v| is_over(v));
        self.0 = kept;
        taken
    }
}

impl Session {
    /// Returns true if the run's channel is transiently joined.
    pub(crate) fn visits(&self, run: &Run) -> bool {
        let name = self.channel_of(run);
        let mut visits = self.visits.0.iter();
        visits.any(|visit| visit.joined && Some(&visit.name) == name.as_ref())
    }

    /// Returns true if the run will start a transient join. It then holds the channel lane, so that
    /// later messages find the channel joined.
    pub(crate) fn begins_visit(&self, run: &Run) -> bool {
        self.context.tables.rows[run.row].emulation == Some(Emulation::TransientJoin)
            && self.context.limits.force_join
            && !self.fact(Fact::Joined, run)
            && !self.visits(run)
    }

    /// Registers the join of a transient join.
    pub(crate) fn visiting(&mut self, run: &Run, id: &ChannelId, step: &mut Step<'_>) {
        let Some(name) = self.channel_of(run) else { return };
        if self.visits.0.len() >= MAX_VISITS {
            let first = self
                .visits
                .0
                .iter()
                .filter(|v| v.joined && v.sending == 0)
                .map(|v| v.until)
                .min();
            let over = self.visits.take_over(|visit| Some(visit.until) == first);
            self.leave_visited(over, step);
        }
        self.visits.0.push(TransientJoin {
            name,
            id: id.clone(),
            joined: false,
            sending: 0,
            until: step.now,
        });
    }

    /// Handles the reply to a join; returns false if it was not transient.
    pub(crate) fn visit_joined(
        &mut self,
        id: &ChannelId,
        result: &Result<RtmReply, RtmError>,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(visit) = self.visits.of(id) else { return false };
        let is_in = match result {
            Ok(_) => true,
            Err(RtmError::JoinChannel(error)) => matches!(
                error,
                JoinChannelErr::AlreadyJoined | JoinChannelErr::AlreadyJoinedChannelOfSameId
            ),
            Err(_) => false,
        };
        if is_in {
            visit.joined = true;
            self.prolong_visit(id, step);
        } else {
            self.visits.forget(id);
        }
        true
    }

    /// Registers a message to a channel, which may be transiently joined.
    pub(crate) fn sending_to(&mut self, id: &ChannelId) {
        if let Some(visit) = self.visits.of(id) {
            visit.sending += 1;
        }
    }

    /// Handles the reply to such a message.
    pub(crate) fn sent_to(&mut self, id: &ChannelId, result: &Result<RtmReply, RtmError>, step: &mut Step<'_>) {
        let Some(visit) = self.visits.of(id) else { return };
        visit.sending = visit.sending.saturating_sub(1);
        if *result == Err(ChannelMessageErr::NotInChannel.into()) {
            // RTM has lost the join: the next message joins again.
            self.visits.forget(id);
        } else {
            self.prolong_visit(id, step);
        }
    }

    /// Handles the idle timer of transient joins.
    pub(crate) fn visits_due(&mut self, step: &mut Step<'_>) {
        let now = step.now;
        let over = self.visits.take_over(|visit| visit.until <= now);
        self.leave_visited(over, step);
        self.arm_visits(step);
    }

    fn prolong_visit(&mut self, id: &ChannelId, step: &mut Step<'_>) {
        let until = step.now + IDLE;
        if let Some(visit) = self.visits.of(id) {
            visit.until = until;
        }
        self.arm_visits(step);
    }

    fn leave_visited(&mut self, visits: Vec<TransientJoin>, step: &mut Step<'_>) {
        for visit in visits {
            self.send_aside(RtmCall::Leave { channel_id: visit.id }, step);
        }
    }

    fn arm_visits(&self, step: &mut Step<'_>) {
        let open = self.visits.0.iter().filter(|visit| visit.joined && visit.sending == 0);
        if let Some(at) = open.map(|visit| visit.until).min() {
            step.out.push(Effect::SetTimer {
                key: TimerKey::TransientJoins,
                at,
            });
        }
    }
}
