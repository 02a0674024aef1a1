//! A forced send without the RESTful API: the session joins the channel, sends, and leaves when it has sent nothing for a
//! while (decisions H10). Nothing of a channel that is only visited is told to the client; its members see the visitor.

use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, ChannelMessageErr, JoinChannelErr, RtmCall, RtmError, RtmReply};
use tables::condition::{Emulation, Fact};

use crate::api::{Effect, TimerKey};
use crate::invocation::Run;
use crate::session::{Session, Step};

/// How long a visit lasts after its last message. RTM takes two joins of one channel in 5 s, so the next visit is in time.
const IDLE: Duration = Duration::from_secs(5);
/// TransientJoins at once; RTM takes 20 channels of one instance (rtm-api 3.5). For one more the oldest is ended.
const MAX_VISITS: usize = 10;

/// Channels that the session is in without its client's knowledge.
#[derive(Clone, Debug, Default)]
pub struct TransientJoins(Vec<TransientJoin>);

#[derive(Clone, Debug)]
struct TransientJoin {
    name: Text,
    id: ChannelId,
    joined: bool,
    /// Messages on their way.
    sending: usize,
    until: Time,
}

impl TransientJoins {
    fn of(&mut self, id: &ChannelId) -> Option<&mut TransientJoin> {
        self.0.iter_mut().find(|visit| visit.id == *id)
    }

    /// The client joins the channel itself: the visit ends without a leave.
    pub fn forget(&mut self, id: &ChannelId) {
        self.0.retain(|visit| visit.id != *id);
    }

    /// The visits that nothing keeps; the timer is for the next one.
    fn take_over(&mut self, over: impl Fn(&TransientJoin) -> bool) -> Vec<TransientJoin> {
        let is_over = |visit: &TransientJoin| visit.joined && visit.sending == 0 && over(visit);
        let (taken, kept) = std::mem::take(&mut self.0).into_iter().partition(|v| is_over(v));
        self.0 = kept;
        taken
    }
}

impl Session {
    /// Whether the run is about a channel that the session visits.
    pub(crate) fn visits(&self, run: &Run) -> bool {
        let name = self.channel_of(run);
        let mut visits = self.visits.0.iter();
        visits.any(|visit| visit.joined && Some(&visit.name) == name.as_ref())
    }

    /// A run that will join for a visit has the channel lane to itself: what is sent behind it finds the channel joined.
    pub(crate) fn begins_visit(&self, run: &Run) -> bool {
        self.context.tables.rows[run.row].emulation == Some(Emulation::TransientJoin)
            && self.context.limits.force_join
            && !self.fact(Fact::Joined, run)
            && !self.visits(run)
    }

    /// `join` goes out for a visit.
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

    /// `join` is answered; false when it was not for a visit.
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

    /// A message goes out to a channel, perhaps a visited one.
    pub(crate) fn sending_to(&mut self, id: &ChannelId) {
        if let Some(visit) = self.visits.of(id) {
            visit.sending += 1;
        }
    }

    /// It is answered.
    pub(crate) fn sent_to(&mut self, id: &ChannelId, result: &Result<RtmReply, RtmError>, step: &mut Step<'_>) {
        let Some(visit) = self.visits.of(id) else { return };
        visit.sending = visit.sending.saturating_sub(1);
        if *result == Err(ChannelMessageErr::NotInChannel.into()) {
            // RTM has forgotten the join: the next message joins anew.
            self.visits.forget(id);
        } else {
            self.prolong_visit(id, step);
        }
    }

    /// The time of some visits is over.
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
