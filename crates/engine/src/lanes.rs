//! Order of requests: RTM receives them in the order of their calls (decisions H7).
//!
//! A row's step names a *lane*: only one of its requests is pending at a time, and a retry keeps
//! its place. Besides, once RTM has rate-limited a request, later ones of the same call wait until
//! all refused ones have succeeded. RTM would refuse them, too.

use std::collections::{BTreeSet, VecDeque};

use foldhash::HashMap;

use rtm::value::Text;
use rtm::{AttributeOperation, CallKind, RtmCall, RtmError};

/// Maximum number of requests that wait in one lane, or behind others of their call.
const MAX_BEHIND: usize = 200;
/// Number of waiting requests from which on they are merged, even before RTM limits the rate.
const BACKLOG: usize = 16;

/// The action for a new request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueDecision {
    /// Send it.
    Now,
    /// Wait.
    Later,
    /// The queue is full.
    Full,
}

/// The order of requests, by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes {
    /// The first request of each lane is pending, waits for its retry, or waits for others of its
    /// call.
    named: HashMap<Text, VecDeque<u64>>,
    /// Rate-limited calls: the requests to retry, and those behind them.
    calls: HashMap<CallKind, RetryQueue>,
}

#[derive(Clone, Debug, Default)]
struct RetryQueue {
    trying: BTreeSet<u64>,
    waiting: VecDeque<u64>,
}

impl Lanes {
    /// Adds a request.
    pub fn enter(&mut self, number: u64, lane: Option<&Text>, kind: CallKind) -> QueueDecision {
        let Some(lane) = lane else {
            let waiting = self.calls.get(&kind).map_or(0, |behind| behind.waiting.len());
            return match waiting {
                MAX_BEHIND.. => QueueDecision::Full,
                _ => self.pass(number, kind),
            };
        };
        let queue = self.named.entry(lane.clone()).or_default();
        if queue.len() > MAX_BEHIND {
            return QueueDecision::Full;
        }
        queue.push_back(number);
        match queue.len() {
            1 => self.pass(number, kind),
            _ => QueueDecision::Later,
        }
    }

    /// Sends a request, unless others of its call are being retried.
    fn pass(&mut self, number: u64, kind: CallKind) -> QueueDecision {
        match self.calls.get_mut(&kind) {
            Some(behind) => {
                behind.waiting.push_back(number);
                QueueDecision::Later
            }
            None => QueueDecision::Now,
        }
    }

    /// Handles a rate-limited request.
    pub fn refused(&mut self, number: u64, kind: CallKind) {
        self.calls.entry(kind).or_default().trying.insert(number);
    }

    /// Removes a completed request of a lane; returns the requests to send. `kind_of` returns the
    /// call of another request.
    pub fn done(
        &mut self,
        number: u64,
        lane: Option<&Text>,
        kind: CallKind,
        kind_of: impl Fn(u64) -> Option<CallKind>,
    ) -> Vec<u64> {
        let mut next = self.taken(number, kind);
        next.extend(self.next_of_lane(lane).filter(|next| {
            let kind = kind_of(*next);
            kind.is_none_or(|kind| self.pass(*next, kind) == QueueDecision::Now)
        }));
        next
    }

    /// Handles the final reply to a rate-limited request; returns the requests that waited for it.
    fn taken(&mut self, number: u64, kind: CallKind) -> Vec<u64> {
        if let Some(behind) = self.calls.get_mut(&kind)
            && behind.trying.remove(&number)
            && behind.trying.is_empty()
        {
            return self.calls.remove(&kind).map_or(Vec::new(), |b| b.waiting.into());
        }
        Vec::new()
    }

    fn next_of_lane(&mut self, lane: Option<&Text>) -> Option<u64> {
        let lane = lane?;
        let queue = self.named.get_mut(lane)?;
        queue.pop_front();
        let next = queue.front().copied();
        if next.is_none() {
            self.named.remove(lane);
        }
        next
    }

    /// Replaces the first request of a lane by its parts, each with a number of its own; returns
    /// the requests to send.
    pub fn split(&mut self, number: u64, lane: Option<&Text>, kind: CallKind, parts: &[u64]) -> Vec<u64> {
        if let Some(queue) = lane.and_then(|lane| self.named.get_mut(lane)) {
            queue.pop_front();
            parts.iter().rev().for_each(|number| queue.push_front(*number));
        }
        let mut next = self.taken(number, kind);
        next.extend(parts.first());
        next
    }

    /// Removes and returns the neighbours that are merged into the first request of a lane, as far
    /// as `joins` accepts them. A retry takes all of them, otherwise only a backlog is merged.
    pub fn join(&mut self, lane: &Text, tried: bool, mut joins: impl FnMut(u64) -> bool) {
        let Some(queue) = self.named.get_mut(lane) else { return };
        if !tried && queue.len() <= BACKLOG {
            return;
        }
        while queue.get(1).is_some_and(|next| joins(*next)) {
            queue.remove(1);
        }
    }
}

/// Merges a later attribute write into an earlier one of the same target, with the last value of
/// each name. Returns false if they are not such writes.
pub(crate) fn merge(into: &mut RtmCall, later: &RtmCall) -> bool {
    let (into, later) = match (into, later) {
        (
            RtmCall::AddOrUpdateChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            },
            RtmCall::AddOrUpdateChannelAttributes {
                channel_id: id,
                attributes: more,
                enable_notification: flag,
            },
        ) if channel_id == id && enable_notification == flag => (attributes, more),
        (
            RtmCall::AddOrUpdateLocalUserAttributes { attributes },
            RtmCall::AddOrUpdateLocalUserAttributes { attributes: more },
        ) => (attributes, more),
        _ => return false,
    };
    for (name, value) in later {
        into.retain(|(known, _)| known != name);
        into.push((name.clone(), value.clone()));
    }
    true
}

/// Returns true for an error that one of several merged writes may have caused.
pub(crate) fn may_be_of_one(error: RtmError) -> bool {
    matches!(
        error,
        RtmError::AttributeOperation(AttributeOperation::SizeOverflow | AttributeOperation::InvalidArgument)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u64; 0] = [];

    fn enter(lanes: &mut Lanes, number: u64, lane: Option<&Text>) -> QueueDecision {
        lanes.enter(number, lane, CallKind::Leave)
    }

    fn done(lanes: &mut Lanes, number: u64, lane: Option<&Text>) -> Vec<u64> {
        lanes.done(number, lane, CallKind::Leave, |_| Some(CallKind::Leave))
    }

    fn names() -> (Text, Text) {
        ("a".into(), "b".into())
    }

    #[test]
    fn a_lane_has_one_pending_request_in_order() {
        let mut lanes = Lanes::default();
        let (a, b) = names();
        let (a, b) = (Some(&a), Some(&b));
        assert_eq!(enter(&mut lanes, 1, a), QueueDecision::Now);
        assert_eq!(enter(&mut lanes, 2, a), QueueDecision::Later);
        assert_eq!(enter(&mut lanes, 3, a), QueueDecision::Later);
        assert_eq!(enter(&mut lanes, 4, b), QueueDecision::Now);
        assert_eq!(done(&mut lanes, 1, a), [2]);
        lanes.refused(2, CallKind::Leave);
        assert_eq!(enter(&mut lanes, 5, a), QueueDecision::Later);
        assert_eq!(done(&mut lanes, 4, b), NONE);
        assert_eq!(
            enter(&mut lanes, 6, b),
            QueueDecision::Later,
            "RTM has rate-limited this call"
        );
        assert_eq!(done(&mut lanes, 2, a), [6, 3]);
        assert_eq!(done(&mut lanes, 3, a), [5]);
        assert_eq!(done(&mut lanes, 5, a), NONE);
        assert_eq!(done(&mut lanes, 6, b), NONE);
        assert!(lanes.named.is_empty() && lanes.calls.is_empty());
    }

    #[test]
    fn a_lane_waits_for_rate_limited_calls() {
        let mut lanes = Lanes::default();
        let (a, b) = names();
        let (a, b) = (Some(&a), Some(&b));
        assert_eq!(enter(&mut lanes, 1, a), QueueDecision::Now);
        assert_eq!(enter(&mut lanes, 2, a), QueueDecision::Later);
        assert_eq!(enter(&mut lanes, 3, b), QueueDecision::Now);
        lanes.refused(3, CallKind::Leave);
        assert_eq!(done(&mut lanes, 1, a), NONE);
        assert_eq!(done(&mut lanes, 3, b), [2]);
    }

    #[test]
    fn a_lane_is_bounded() {
        let mut lanes = Lanes::default();
        let name = Text::from("a");
        let lane = Some(&name);
        for number in 0..=MAX_BEHIND as u64 {
            assert_ne!(enter(&mut lanes, number, lane), QueueDecision::Full);
        }
        assert_eq!(enter(&mut lanes, 999, lane), QueueDecision::Full);
    }

    #[test]
    fn retried_requests_are_not_overtaken() {
        let mut lanes = Lanes::default();
        let free = None;
        for number in 1..=3 {
            assert_eq!(enter(&mut lanes, number, free), QueueDecision::Now);
        }
        lanes.refused(1, CallKind::Leave);
        lanes.refused(2, CallKind::Leave);
        assert_eq!(enter(&mut lanes, 4, free), QueueDecision::Later);
        assert_eq!(done(&mut lanes, 3, free), NONE);
        assert_eq!(done(&mut lanes, 1, free), NONE, "the second is still being retried");
        assert_eq!(enter(&mut lanes, 5, free), QueueDecision::Later);
        assert_eq!(done(&mut lanes, 2, free), [4, 5]);
        assert_eq!(enter(&mut lanes, 6, free), QueueDecision::Now);
    }

    #[test]
    fn only_neighbours_are_merged() {
        let mut lanes = Lanes::default();
        let name = Text::from("a");
        let lane = Some(&name);
        for number in 1..=6 {
            enter(&mut lanes, number, lane);
        }
        let mut joined = Vec::new();
        let mut join = |lanes: &mut Lanes, tried| {
            lanes.join(&name, tried, |number| {
                let joins = number != 4;
                joined.extend(joins.then_some(number));
                joins
            });
        };
        join(&mut lanes, false);
        join(&mut lanes, true);
        assert_eq!(joined, [2, 3]);
        assert_eq!(done(&mut lanes, 1, lane), [4]);
        lanes.refused(4, CallKind::Leave);
        assert_eq!(enter(&mut lanes, 9, None), QueueDecision::Later);
        assert_eq!(lanes.split(4, lane, CallKind::Leave, &[7, 8]), [9, 7]);
        assert_eq!(done(&mut lanes, 7, lane), [8]);
        assert_eq!(done(&mut lanes, 8, lane), [5]);
    }
}
