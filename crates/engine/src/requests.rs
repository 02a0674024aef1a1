//! Requests to RTM: their order, retries, merging and gathering.

use std::time::Duration;

use foldhash::HashMap;
use smallvec::{SmallVec, smallvec};

use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{CallKind, ChannelId, RtmCall};
use tables::row::{Gather, RowId};

use crate::api::{DropReason, Effect, TimerKey};
use crate::context::Ctx;
use crate::lanes::{Lanes, QueueDecision, merge};
use crate::run::RunId;

/// Maximum number of retries; the last error is then final.
const MAX_TRIES: u32 = 20;

/// A pending or waiting request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The runs and steps that wait for it: mostly one, none if the result is ignored.
    pub waiting_runs: SmallVec<[WaitingRun; 1]>,
    pub call: RtmCall,
    /// The channel whose other session makes the call.
    pub via: Option<ChannelId>,
    /// The lane of the request.
    pub lane: Option<Text>,
    tries: u32,
    /// The request is a part of a merged one that was refused.
    is_part: bool,
}

impl Request {
    /// Creates a request whose result is ignored.
    pub fn aside(call: RtmCall) -> Self {
        Self::of(SmallVec::new(), call)
    }

    /// Creates a request for these runs.
    pub fn of(waiting_runs: SmallVec<[WaitingRun; 1]>, call: RtmCall) -> Self {
        Self {
            waiting_runs,
            call,
            via: None,
            lane: None,
            tries: 0,
            is_part: false,
        }
    }

    /// Returns true if an error may be retried.
    pub fn has_tries(&self) -> bool {
        self.tries < MAX_TRIES
    }

    fn effect(&self, request: u64) -> Effect {
        let call = self.call.clone();
        match self.via.clone() {
            Some(channel) => Effect::RtmVia { request, channel, call },
            None => Effect::Rtm { request, call },
        }
    }
}

/// A run that waits for a request.
#[derive(Clone, Debug)]
pub(crate) struct WaitingRun {
    pub run: RunId,
    pub step: usize,
    /// The item that it added to a gathered call.
    pub item: Option<Value>,
    /// Its own call, if it was merged with others.
    own: Option<Box<RtmCall>>,
}

impl WaitingRun {
    pub fn new(run: RunId, step: usize, item: Option<Value>) -> Self {
        Self {
            run,
            step,
            item,
            own: None,
        }
    }
}

/// The result of adding a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It must go out now, under this number.
    Now(u64),
    /// It waits for others.
    Later,
    /// It was dropped, because too many wait.
    Full,
}

/// All requests of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    next: u64,
    out: Out,
    lanes: Lanes,
    /// Gathered kinds: the time of the last request, and the waiting runs.
    gathered: HashMap<CallKind, Gathered>,
}

/// Requests that are pending or wait, by number: few, mostly one.
#[derive(Clone, Debug, Default)]
struct Out(Vec<(u64, Request)>);

impl Out {
    fn place_of(&self, number: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(known, _)| *known)
    }

    fn get(&self, number: u64) -> Option<&Request> {
        self.0.get(self.place_of(number).ok()?).map(|(_, request)| request)
    }

    /// Adds a request that is not in it.
    fn insert(&mut self, number: u64, request: Request) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(1);
        }
        let place = self.place_of(number).unwrap_or_else(|place| place);
        self.0.insert(place, (number, request));
    }

    fn remove(&mut self, number: u64) -> Option<Request> {
        let (_, request) = self.0.remove(self.place_of(number).ok()?);
        if self.0.is_empty() && self.0.capacity() > 1 {
            self.0 = Vec::new();
        }
        Some(request)
    }
}

#[derive(Clone, Debug, Default)]
struct Gathered {
    last: Option<Time>,
    waiting: Vec<WaitingRun>,
    armed: bool,
}

impl Requests {
    /// Returns true if no request is pending or waits.
    pub fn is_empty(&self) -> bool {
        self.out.0.is_empty() && self.gathered.values().all(|gathered| gathered.waiting.is_empty())
    }

    /// Sends a call whose result is ignored; later, if RTM limits the rate of such calls.
    pub fn send_aside(&mut self, call: RtmCall, ctx: &mut Ctx<'_>) {
        if let Added::Now(number) = self.add(Request::aside(call), ctx) {
            self.go_out(number, ctx);
        }
    }

    /// Adds a request to its lane.
    pub fn add(&mut self, request: Request, ctx: &mut Ctx<'_>) -> Added {
        let number = self.next + 1;
        let turn = self.lanes.enter(number, request.lane.as_ref(), request.call.kind());
        if turn == QueueDecision::Full {
            ctx.dropped(DropReason::Requests);
            return Added::Full;
        }
        self.next = number;
        self.out.insert(number, request);
        match turn {
            QueueDecision::Now => Added::Now(number),
            QueueDecision::Later | QueueDecision::Full => Added::Later,
        }
    }

    /// Sends a request, for the first time or again. Returns its call.
    pub fn go_out(&mut self, number: u64, ctx: &mut Ctx<'_>) -> Option<&RtmCall> {
        self.join_neighbours(number);
        let request = self.out.get(number)?;
        ctx.push(request.effect(number));
        Some(&request.call)
    }

    /// Frees the memory of ended requests, if no request is left.
    pub fn shrink(&mut self) {
        if self.out.0.is_empty() {
            self.out = Out::default();
        }
    }

    /// Returns a run that waits for a request.
    pub fn waiting_run(&self, number: u64) -> Option<RunId> {
        self.out.get(number)?.waiting_runs.first().map(|waiting| waiting.run)
    }

    /// Takes a request that has its reply.
    pub fn take(&mut self, number: u64) -> Option<Request> {
        self.out.remove(number)
    }

    /// Puts a refused request back, to be sent again after `wait`.
    pub fn retry(&mut self, number: u64, mut request: Request, wait: Duration, ctx: &mut Ctx<'_>) {
        request.tries += 1;
        self.lanes.refused(number, request.call.kind());
        self.out.insert(number, request);
        ctx.set_timer_in(TimerKey::Retry(number), wait);
    }

    /// Ends a request; returns the numbers of those that go out now.
    pub fn done(&mut self, number: u64, request: &Request) -> Vec<u64> {
        let Self { out, lanes, .. } = self;
        let kind_of = |next| Some(out.get(next)?.call.kind());
        lanes.done(number, request.lane.as_ref(), request.call.kind(), kind_of)
    }

    /// Splits merged writes that were refused, because only one of them may be invalid. Returns
    /// the numbers of the requests that go out now.
    pub fn split(&mut self, number: u64, mut request: Request) -> Vec<u64> {
        let mut parts = Vec::new();
        for requester in std::mem::take(&mut request.waiting_runs) {
            self.next += 1;
            let call = requester.own.as_deref().unwrap_or(&request.call).clone();
            let part = Request {
                lane: request.lane.clone(),
                is_part: true,
                ..Request::of(smallvec![requester], call)
            };
            self.out.insert(self.next, part);
            parts.push(self.next);
        }
        self.lanes
            .split(number, request.lane.as_ref(), request.call.kind(), &parts)
    }

    /// Discards the results of requests of an ended run.
    pub fn forget(&mut self, run: RunId) {
        for (_, request) in &mut self.out.0 {
            request.waiting_runs.retain(|requester| requester.run != run);
        }
    }

    /// Adds a run to the next call of its kind.
    pub fn gather(&mut self, kind: CallKind, requester: WaitingRun) {
        self.gathered.entry(kind).or_default().waiting.push(requester);
    }

    /// Returns the request with the gathered items, if it is time; otherwise sets the timer.
    pub fn gathered(&mut self, kind: CallKind, gather: &Gather, ctx: &mut Ctx<'_>) -> Option<Request> {
        let gathered = self.gathered.entry(kind).or_default();
        let due = gathered.last.map_or(ctx.now, |last| last + gather.every);
        if gathered.waiting.is_empty() {
            return None;
        }
        if due > ctx.now {
            if !gathered.armed {
                gathered.armed = true;
                ctx.set_timer(TimerKey::Gather(kind), due);
            }
            return None;
        }
        gathered.last = Some(ctx.now);
        let count = gathered.waiting.len().min(gather.max);
        let waiting_runs: SmallVec<[WaitingRun; 1]> = gathered.waiting.drain(..count).collect();
        if !gathered.waiting.is_empty() {
            gathered.armed = true;
            ctx.set_timer_in(TimerKey::Gather(kind), gather.every);
        }
        let mut items: Vec<Value> = Vec::new();
        for item in waiting_runs.iter().filter_map(|requester| requester.item.clone()) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        let mut values = vec![Value::Null; kind.fields().len()];
        values[gather.arg] = Value::List(items);
        Some(Request::of(waiting_runs, kind.build(&values).ok()?))
    }

    /// Handles the timer of gathered calls: returns row and step of the first run that still waits.
    pub fn gather_due(&mut self, kind: CallKind, row_of: impl Fn(RunId) -> Option<RowId>) -> Option<(RowId, usize)> {
        let gathered = self.gathered.get_mut(&kind)?;
        gathered.armed = false;
        let ended = gathered
            .waiting
            .iter()
            .take_while(|requester| row_of(requester.run).is_none());
        let ended = ended.count();
        gathered.waiting.drain(..ended);
        let first = gathered.waiting.first()?;
        Some((row_of(first.run)?, first.step))
    }

    /// Merges the attribute writes directly behind one in its lane (decisions H7).
    fn join_neighbours(&mut self, number: u64) {
        let Self { out, lanes, .. } = self;
        let whole = out.get(number).filter(|first| !first.is_part);
        let Some(lane) = whole.and_then(|first| first.lane.clone()) else {
            return;
        };
        let Some(mut first) = out.remove(number) else { return };
        lanes.join(&lane, first.tries > 0, |next| {
            let Some(request) = out.get(next).filter(|next| !next.is_part) else {
                return false;
            };
            let alone = first
                .waiting_runs
                .iter_mut()
                .filter(|requester| requester.own.is_none());
            alone.for_each(|requester| requester.own = Some(Box::new(first.call.clone())));
            if !merge(&mut first.call, &request.call) {
                return false;
            }
            let Some(request) = out.remove(next) else { return false };
            let own = |requester: WaitingRun| WaitingRun {
                own: Some(Box::new(request.call.clone())),
                ..requester
            };
            first.waiting_runs.extend(request.waiting_runs.into_iter().map(own));
            true
        });
        out.insert(number, first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Effect;
    use crate::context::tests::{env, run};
    use tables::expr::Expr;

    fn write(name: &str) -> RtmCall {
        RtmCall::AddOrUpdateLocalUserAttributes {
            attributes: vec![(name.into(), "1".into())],
        }
    }

    fn in_lane(run: RunId, name: &str) -> Request {
        let mut request = Request::of(smallvec![WaitingRun::new(run, 0, None)], write(name));
        request.lane = Some("a".into());
        request
    }

    #[test]
    fn a_retried_write_takes_its_neighbours_and_they_are_split_again() {
        let env = env("alice");
        let mut requests = Requests::default();
        let mut add = |n| run(&env, 1, |ctx| requests.add(in_lane(n, &format!("k{n}")), ctx)).0;
        assert_eq!([add(1), add(2), add(3)], [Added::Now(1), Added::Later, Added::Later]);
        let request = requests.take(1).unwrap();
        assert!(request.has_tries());
        let wait = Duration::from_secs(2);
        let ((), effects) = run(&env, 1, |ctx| requests.retry(1, request, wait, ctx));
        let timer = Effect::SetTimer {
            key: TimerKey::Retry(1),
            at: Time::from_millis(3_000),
        };
        assert_eq!(effects, [timer]);
        let ((), effects) = run(&env, 3, |ctx| {
            requests.go_out(1, ctx);
        });
        let merged = RtmCall::AddOrUpdateLocalUserAttributes {
            attributes: ["k1", "k2", "k3"].map(|name| (name.into(), "1".into())).into(),
        };
        assert_eq!(
            effects,
            [Effect::Rtm {
                request: 1,
                call: merged
            }]
        );
        let request = requests.take(1).unwrap();
        assert_eq!(request.waiting_runs.len(), 3);
        let next = requests.split(1, request);
        assert_eq!(next, [4]);
        let (call, _) = run(&env, 4, |ctx| requests.go_out(4, ctx).cloned());
        assert_eq!(call, Some(write("k1")));
        let first = requests.take(4).unwrap();
        assert_eq!(requests.done(4, &first), [5], "the parts keep their order");
    }

    #[test]
    fn gathered_items_are_sent_together_and_once() {
        let env = env("alice");
        let mut requests = Requests::default();
        let kind = CallKind::QueryPeersOnlineStatus;
        let gather = Gather {
            arg: 0,
            item: Expr::Const(Value::Null),
            max: 2,
            every: Duration::from_secs(5),
        };
        for (id, item) in [(1, "bob"), (2, "bob"), (3, "carol")] {
            requests.gather(kind, WaitingRun::new(id, 0, Some(Value::text(item))));
        }
        let (request, effects) = run(&env, 1, |ctx| requests.gathered(kind, &gather, ctx));
        let request = request.unwrap();
        assert_eq!(
            (request.waiting_runs.len(), effects.len()),
            (2, 1),
            "and the timer of the next"
        );
        assert_eq!(
            request
                .call
                .args()
                .get("peerIds")
                .and_then(Value::as_list)
                .map(<[_]>::len),
            Some(1)
        );
        let (request, effects) = run(&env, 2, |ctx| requests.gathered(kind, &gather, ctx));
        assert!(
            request.is_none() && effects.is_empty(),
            "it is not time, and the timer is set"
        );
        assert_eq!(requests.gather_due(kind, |_| None), None, "the run has ended");
    }
}
