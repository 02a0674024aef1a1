//! Live replay on any upstream, in real time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::warn;

use crate::reader::Trace;
use crate::record::{Dir, Leg};
use crate::replay::{InconsistentRecord, Outcome, Watch};
use protocol::encoder::Encoder;
use rtm::AppId;
use rtm::time::Time;
use rtm::upstream::{ClientKey, EventSink, Upstream, UpstreamEvent};
use runtime::clock::Clock;
use tables::Tables;

use crate::live::compare::compare;
use crate::live::harness::{Harness, RtmRequest};
use crate::live::script::{apps, before_rests, is_input, names};

/// Maximum delay of an output in µs: network latency, and inputs may be held back.
const LATER_US: u64 = 2_000_000;
/// Maximum time that an input is held back for an earlier output, for which the client had waited.
const HOLD: Duration = Duration::from_millis(500);
/// Waiting time at the end.
const TAIL: Duration = Duration::from_secs(1);
/// Maximum of unprocessed upstream events.
const INBOX: usize = 65_536;
/// App of sessions whose logins name none, as in redacted traces.
const NO_APP: &str = "replay";

/// Replays the legacy leg of a trace on `upstream` in real time, from its first input on.
///
/// # Errors
/// The first impossible record.
pub async fn replay_upstream(
    tables: &Arc<Tables>,
    encoders: &Arc<Vec<Arc<dyn Encoder>>>,
    trace: &Trace,
    upstream: Arc<dyn Upstream>,
    watch: Watch<'_>,
) -> Result<Outcome, InconsistentRecord> {
    let started = trace.header.started_ms;
    let moment = |t_us: u64| Time::from_millis(started.saturating_add(t_us / 1000));
    let mut inputs = trace.records.iter().filter(|(_, record)| is_input(record));
    let first = inputs.next().map_or(0, |(_, record)| record.t_us);
    let clock = Clock::start();
    let (sender, inbox) = mpsc::channel(INBOX);
    let mut replay = Replay {
        harness: Harness::new(tables, encoders, started, names(trace), apps(tables, trace)),
        upstream,
        clients: HashMap::new(),
        sender,
        inbox,
        origin: (clock.now(), moment(first)),
        clock,
    };
    let unfinished = before_rests(trace);
    let mut in_one_go = false;
    let mut outputs_then: HashMap<u64, usize> = HashMap::new();
    let mut sense = Ok(());
    for (at, (line, record)) in trace.records.iter().enumerate() {
        if !is_input(record) {
            if record.leg == Leg::Legacy && record.dir == Dir::Out {
                *outputs_then.entry(record.session).or_default() += 1;
            }
            continue;
        }
        if !in_one_go {
            replay.run_until(moment(record.t_us)).await;
            if matches!(record.leg, Leg::Legacy | Leg::Env) {
                replay.hold(moment(record.t_us) + HOLD, &mut outputs_then).await;
            }
        }
        let now = replay.now();
        if let Err(what) = replay.harness.take(now, record) {
            sense = Err(InconsistentRecord { line: *line, what });
            break;
        }
        in_one_go = unfinished.contains(line);
        if !in_one_go {
            replay.settle(now);
        }
        (watch.progress)(at + 1);
    }
    if sense.is_ok() {
        let end = trace.records.last().map_or(0, |(_, record)| record.t_us);
        replay.run_until(moment(end) + TAIL).await;
    }
    // Free the accounts in any case.
    replay.clients.values().for_each(|key| replay.upstream.close(key));
    sense.map(|()| compare(trace, &replay.harness.played, LATER_US))
}

struct Replay<'s> {
    harness: Harness<'s>,
    upstream: Arc<dyn Upstream>,
    clients: HashMap<u64, ClientKey>,
    sender: mpsc::Sender<(u64, UpstreamEvent)>,
    inbox: mpsc::Receiver<(u64, UpstreamEvent)>,
    clock: Clock,
    /// A local time and the corresponding trace time.
    origin: (Time, Time),
}

impl Replay<'_> {
    /// Returns the current trace time.
    fn now(&self) -> Time {
        self.origin.1 + self.clock.now().since(self.origin.0)
    }

    async fn run_until(&mut self, until: Time) {
        loop {
            self.turn();
            let now = self.now();
            if now >= until {
                return;
            }
            self.wait(now, until).await;
        }
    }

    /// Holds an input back until all earlier outputs occurred, up to a limit. A missing output delays only once.
    async fn hold(&mut self, until: Time, outputs_then: &mut HashMap<u64, usize>) {
        loop {
            self.turn();
            let event = |session: &u64| self.harness.event.get(session).copied().unwrap_or(0);
            if outputs_then.iter().all(|(session, then)| event(session) >= *then) {
                return;
            }
            let now = self.now();
            if now >= until {
                outputs_then
                    .iter_mut()
                    .for_each(|(session, then)| *then = (*then).min(event(session)));
                return;
            }
            self.wait(now, until).await;
        }
    }

    /// Waits for an RTM event, a timer or the deadline.
    async fn wait(&mut self, now: Time, until: Time) {
        let next = self.harness.deadline().map_or(until, |due| due.min(until));
        tokio::select! {
            Some((session, event)) = self.inbox.recv() => self.harness.deliver(session, event),
            () = sleep(next.since(now)) => {}
        }
    }

    /// Processes all pending work.
    fn turn(&mut self) {
        while let Ok((session, event)) = self.inbox.try_recv() {
            self.harness.deliver(session, event);
        }
        let now = self.now();
        self.settle(now);
        while self.harness.deadline().is_some_and(|due| due <= now) {
            self.harness.fire(now);
            self.settle(now);
        }
    }

    fn settle(&mut self, now: Time) {
        loop {
            for request in self.harness.take_requests() {
                self.request(request);
            }
            if !self.harness.work(now) {
                return;
            }
        }
    }

    fn request(&mut self, request: RtmRequest) {
        match request {
            RtmRequest::Call { session, request, call } => {
                if let Some(key) = self.client(session) {
                    self.upstream.call(&key, request, call);
                }
            }
            RtmRequest::Close { session } => {
                if let Some(key) = self.clients.remove(&session) {
                    self.upstream.close(&key);
                }
            }
        }
    }

    fn client(&mut self, session: u64) -> Option<ClientKey> {
        if let Some(key) = self.clients.get(&session) {
            return Some(key.clone());
        }
        let app = self.harness.app(session).cloned();
        let app = app.or_else(|| AppId::new(NO_APP).ok())?;
        let sender = self.sender.clone();
        let emit: EventSink = Arc::new(move |event| {
            if sender.try_send((session, event)).is_err() {
                warn!(session, "too many RTM events; the replay drops some");
            }
        });
        let key = self.upstream.open(&app, emit);
        self.clients.insert(session, key.clone());
        Some(key)
    }
}
