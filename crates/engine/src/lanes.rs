//! Order of requests: RTM receives them in the order of their calls (decisions H7).
//!
//! A row's step names a *lane*: only one of its requests is pending at a time, and a retry keeps
//! its place. Besides, once RTM has rate-limited a request, later ones of the same call wait until
//! all refused ones have succeeded. RTM would refuse them, too.

use std::collections::{BTreeSet, HashMap, VecDeque};

use rtm::value::Text;
use rtm::{AttributeOperation, CallKind, RtmCall, RtmError};

use crate::rtm_requests::Request;

/// Maximum number of requests that wait in one lane, or behind others of their call.
const MAX_BEHIND: usize = 200;
/// Number of waiting requests from which on they are merged, even before RTM limits the rate.
const BACKLOG: usize = 16;

/// The action for a new request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Send it.
    Now,
    /// Wait.
    Later,
    /// The queue is full.
    Full,
}

/// The order of requests, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    /// The first request of each lane is pending, waits for its retry, or waits for others of its
    /// call.
    named: HashMap<Text, VecDeque<u64>>,
    /// Rate-limited calls: the requests to retry, and those behind them.
    calls: HashMap<CallKind, Behind>,
}

#[derive(Clone, Debug, Default)]
struct Behind {
    trying: BTreeSet<u64>,
    waiting: VecDeque<u64>,
}

impl Lanes {
    /// Adds a request.
    pub fn enter(&mut self, number: u64, request: &Request) -> Turn {
        let kind = request.call.kind();
        let Some(lane) = &request.lane else {
            let waiting = self.calls.get(&kind).map_or(0, |behind| behind.waiting.len());
            return match waiting {
                MAX_BEHIND.. => Turn::Full,
                _ => self.pass(number, kind),
            };
        };
        let queue = self.named.entry(lane.clone()).or_default();
        if queue.len() > MAX_BEHIND {
            return Turn::Full;
        }
        queue.push_back(number);
        match queue.len() {
            1 => self.pass(number, kind),
            _ => Turn::Later,
        }
    }

    /// Sends a request, unless others of its call are being retried.
    fn pass(&mut self, number: u64, kind: CallKind) -> Turn {
        match self.calls.get_mut(&kind) {
            Some(behind) => {
                behind.waiting.push_back(number);
                Turn::Later
            }
            None => Turn::Now,
        }
    }

    /// Handles a rate-limited request.
    pub fn refused(&mut self, number: u64, kind: CallKind) {
        self.calls.entry(kind).or_default().trying.insert(number);
    }

    /// Removes a completed request; returns the requests to send. `kind_of` returns the call of
    /// another request.
    pub fn done(&mut self, number: u64, request: &Request, kind_of: impl Fn(u64) -> Option<CallKind>) -> Vec<u64> {
        let mut next = self.taken(number, request.call.kind());
        next.extend(self.next_of_lane(request).filter(|next| {
            let kind = kind_of(*next);
            kind.is_none_or(|kind| self.pass(*next, kind) == Turn::Now)
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

    fn next_of_lane(&mut self, request: &Request) -> Option<u64> {
        let lane = request.lane.as_ref()?;
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
    pub fn split(&mut self, number: u64, request: &Request, parts: &[u64]) -> Vec<u64> {
        if let Some(queue) = request.lane.as_ref().and_then(|lane| self.named.get_mut(lane)) {
            queue.pop_front();
            parts.iter().rev().for_each(|number| queue.push_front(*number));
        }
        let mut next = self.taken(number, request.call.kind());
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
pub(super) fn merge(into: &mut RtmCall, later: &RtmCall) -> bool {
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
pub(super) fn may_be_of_one(error: RtmError) -> bool {
    matches!(
        error,
        RtmError::AttributeOperation(AttributeOperation::SizeOverflow | AttributeOperation::InvalidArgument)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtm::ChannelId;

    const NONE: [u64; 0] = [];

    fn request(lane: Option<&str>) -> Request {
        let channel_id = ChannelId::new("room").unwrap();
        Request {
            asked_by: Vec::new(),
            call: RtmCall::Leave { channel_id },
            tries: 0,
            via: None,
            lane: lane.map(Text::from),
            is_part: false,
        }
    }

    fn done(lanes: &mut Lanes, number: u64, request: &Request) -> Vec<u64> {
        lanes.done(number, request, |_| Some(CallKind::Leave))
    }

    #[test]
    fn a_lane_has_one_pending_request_in_order() {
        let mut lanes = Lanes::default();
        let (a, b) = (request(Some("a")), request(Some("b")));
        assert_eq!(lanes.enter(1, &a), Turn::Now);
        assert_eq!(lanes.enter(2, &a), Turn::Later);
        assert_eq!(lanes.enter(3, &a), Turn::Later);
        assert_eq!(lanes.enter(4, &b), Turn::Now);
        assert_eq!(done(&mut lanes, 1, &a), [2]);
        lanes.refused(2, CallKind::Leave);
        assert_eq!(lanes.enter(5, &a), Turn::Later);
        assert_eq!(done(&mut lanes, 4, &b), NONE);
        assert_eq!(lanes.enter(6, &b), Turn::Later, "RTM has rate-limited this call");
        assert_eq!(done(&mut lanes, 2, &a), [6, 3]);
        assert_eq!(done(&mut lanes, 3, &a), [5]);
        assert_eq!(done(&mut lanes, 5, &a), NONE);
        assert_eq!(done(&mut lanes, 6, &b), NONE);
        assert!(lanes.named.is_empty() && lanes.calls.is_empty());
    }

    #[test]
    fn a_lane_waits_for_rate_limited_calls() {
        let mut lanes = Lanes::default();
        let (a, b) = (request(Some("a")), request(Some("b")));
        assert_eq!(lanes.enter(1, &a), Turn::Now);
        assert_eq!(lanes.enter(2, &a), Turn::Later);
        assert_eq!(lanes.enter(3, &b), Turn::Now);
        lanes.refused(3, CallKind::Leave);
        assert_eq!(done(&mut lanes, 1, &a), NONE);
        assert_eq!(done(&mut lanes, 3, &b), [2]);
    }

    #[test]
    fn a_lane_is_bounded() {
        let mut lanes = Lanes::default();
        let lane = request(Some("a"));
        for number in 0..=MAX_BEHIND as u64 {
            assert_ne!(lanes.enter(number, &lane), Turn::Full);
        }
        assert_eq!(lanes.enter(999, &lane), Turn::Full);
    }

    #[test]
    fn retried_requests_are_not_overtaken() {
        let mut lanes = Lanes::default();
        let free = request(None);
        for number in 1..=3 {
            assert_eq!(lanes.enter(number, &free), Turn::Now);
        }
        lanes.refused(1, CallKind::Leave);
        lanes.refused(2, CallKind::Leave);
        assert_eq!(lanes.enter(4, &free), Turn::Later);
        assert_eq!(done(&mut lanes, 3, &free), NONE);
        assert_eq!(done(&mut lanes, 1, &free), NONE, "the second is still being retried");
        assert_eq!(lanes.enter(5, &free), Turn::Later);
        assert_eq!(done(&mut lanes, 2, &free), [4, 5]);
        assert_eq!(lanes.enter(6, &free), Turn::Now);
    }

    #[test]
    fn only_neighbours_are_merged() {
        let mut lanes = Lanes::default();
        let lane = request(Some("a"));
        let name = Text::from("a");
        for number in 1..=6 {
            lanes.enter(number, &lane);
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
        assert_eq!(done(&mut lanes, 1, &lane), [4]);
        lanes.refused(4, CallKind::Leave);
        assert_eq!(lanes.enter(9, &request(None)), Turn::Later);
        assert_eq!(lanes.split(4, &lane, &[7, 8]), [9, 7]);
        assert_eq!(done(&mut lanes, 7, &lane), [8]);
        assert_eq!(done(&mut lanes, 8, &lane), [5]);
    }
}
