//! Live replay on the embedded RTM, on the trace's clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::reader::Trace;
use crate::record::Record;
use crate::replay::{InconsistentRecord, Outcome};
use protocol::encoder::Encoder;
use rtm::AppId;
use rtm::RtmCall;
use rtm::time::Time;
use rtm::value::Value;
use rtm_embedded::{ClientId, Output, RtmService, RtmServiceConfig};
use tables::Tables;

use crate::live::compare::compare;
use crate::live::harness::{Harness, RtmRequest};
use crate::live::script::{apps, before_rests, is_input, names};

/// Maximum delay of an output in µs: recorded times are rounded to milliseconds.
const LATER_US: u64 = 100_000;

/// Replays the legacy leg of a trace on a new embedded RTM. `rate_scale` multiplies its rates, as in the config.
///
/// # Errors
/// The first impossible record.
pub fn replay_embedded(
    tables: &Arc<Tables>,
    encoders: &Arc<Vec<Arc<dyn Encoder>>>,
    trace: &Trace,
    rate_scale: u32,
) -> Result<Outcome, InconsistentRecord> {
    let played = play_embedded(tables, encoders, trace, rate_scale)?;
    Ok(compare(trace, &played, LATER_US))
}

/// Plays the legacy leg of a trace as [`replay_embedded`], without a comparison: returns the inputs of each session with
/// the frames and notes that follow from them.
///
/// # Errors
/// The first impossible record.
pub fn play_embedded(
    tables: &Arc<Tables>,
    encoders: &Arc<Vec<Arc<dyn Encoder>>>,
    trace: &Trace,
    rate_scale: u32,
) -> Result<BTreeMap<u64, Vec<Record>>, InconsistentRecord> {
    let started = trace.header.started_ms;
    let config = RtmServiceConfig {
        offline_messages: offline_messages(trace),
        rate_scale,
        ..RtmServiceConfig::default()
    };
    let mut replay = Replay {
        harness: Harness::new(tables, encoders, started, names(trace), apps(tables, trace)),
        worlds: EmbeddedServices::new(config),
    };
    let unfinished = before_rests(trace);
    let mut now = Time::from_millis(started);
    let inputs = trace.records.iter().filter(|(_, record)| is_input(record));
    for (line, record) in inputs {
        // Sessions may overlap by one step.
        now = now.max(Time::from_millis(started.saturating_add(record.t_us / 1000)));
        replay.run_until(now);
        let taken = replay.harness.take(now, record);
        taken.map_err(|what| InconsistentRecord { line: *line, what })?;
        if !unfinished.contains(line) {
            replay.settle(now);
        }
    }
    Ok(replay.harness.played)
}

struct Replay<'s> {
    harness: Harness<'s>,
    worlds: EmbeddedServices,
}

impl Replay<'_> {
    /// Fires due timers up to a time, in order.
    fn run_until(&mut self, now: Time) {
        loop {
            let due = self.worlds.deadline().into_iter().chain(self.harness.deadline()).min();
            let Some(due) = due.filter(|due| *due <= now) else {
                return;
            };
            self.worlds.tick(due, &mut self.harness);
            self.settle(due);
            self.harness.fire(due);
            self.settle(due);
        }
    }

    /// Runs until no messages are left.
    fn settle(&mut self, now: Time) {
        loop {
            for request in self.harness.take_requests() {
                self.worlds.request(now, request, &mut self.harness);
            }
            if !self.harness.work(now) {
                return;
            }
        }
    }
}

/// RTM per app.
struct EmbeddedServices {
    config: RtmServiceConfig,
    /// Sessions whose logins name no app, as in redacted traces, share one.
    by_app: BTreeMap<Option<AppId>, App>,
}

struct App {
    service: RtmService,
    clients: HashMap<u64, ClientId>,
    sessions: HashMap<ClientId, u64>,
}

impl EmbeddedServices {
    fn new(config: RtmServiceConfig) -> Self {
        Self {
            config,
            by_app: BTreeMap::new(),
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.by_app.values().filter_map(|app| app.service.deadline()).min()
    }

    fn tick(&mut self, now: Time, harness: &mut Harness<'_>) {
        for app in self.by_app.values_mut() {
            let mut out = Vec::new();
            app.service.tick(now, &mut out);
            app.emit(out, harness);
        }
    }

    fn request(&mut self, now: Time, request: RtmRequest, harness: &mut Harness<'_>) {
        let (RtmRequest::Call { session, .. } | RtmRequest::Close { session }) = request;
        let app = self.by_app.entry(harness.app(session).cloned());
        let app = app.or_insert_with(|| App {
            service: RtmService::new(self.config),
            clients: HashMap::new(),
            sessions: HashMap::new(),
        });
        let mut out = Vec::new();
        match request {
            RtmRequest::Call { request, call, .. } => {
                let client = app.client(session);
                app.service.call(now, client, request, call, &mut out);
            }
            RtmRequest::Close { .. } => {
                if let Some(client) = app.clients.remove(&session) {
                    app.sessions.remove(&client);
                    // A logout withdraws the client's invitations; closing does not.
                    app.service.call(now, client, 0, RtmCall::Logout {}, &mut out);
                    app.service.close(now, client, &mut out);
                }
            }
        }
        app.emit(out, harness);
    }
}

impl App {
    fn client(&mut self, session: u64) -> ClientId {
        *self.clients.entry(session).or_insert_with(|| {
            let client = self.service.open();
            self.sessions.insert(client, session);
            client
        })
    }

    fn emit(&self, outputs: Vec<Output>, harness: &mut Harness<'_>) {
        for output in outputs {
            let (client, event) = output.into_event();
            if let Some(session) = self.sessions.get(&client) {
                harness.deliver(*session, event);
            }
        }
    }
}

fn offline_messages(trace: &Trace) -> bool {
    let mut begins = trace.records.iter().filter_map(|(_, record)| record.data.get("begin"));
    begins.any(|begin| begin.get("offlineMessages") == Some(&Value::Bool(true)))
}
