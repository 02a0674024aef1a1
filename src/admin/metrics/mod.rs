//! Metrics. Label sets are closed: reasons and codes come from the tables and the source, never from clients. All
//! families have their values from the start, so that a rate has a beginning.

mod labels;
mod process;
mod times;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::log::lost_lines;
use crate::server::limit::Limit;
use agent_link::driver::LinkHealth;
use protocol::memory_budget::MemoryUser;
use runtime::net::{Shortage, Shortages};
use tables::Tables;

use labels::{DROPS, limitations};
pub use times::{LoginResult, Times};
use trace::Health;

/// Metrics of a server.
#[derive(Debug)]
pub struct Metrics {
    /// Sessions, connected or not.
    pub sessions: Gauge,
    pub sockets: Gauge,
    bad_frames: Family<Reason, Counter>,
    notes: Family<Limitation, Counter>,
    dropped: Family<KindLabel, Counter>,
    /// The same counts, which a family cannot list.
    dropped_by_reason: Mutex<BTreeMap<&'static str, u64>>,
    held: Family<HolderName, Gauge>,
    limits: Family<LimitName, Counter>,
    logins: Family<Login, Counter>,
    tls_failures: Family<Reason, Counter>,
    certificate_loads: Family<Result, Counter>,
    reloads: Family<Result, Counter>,
    trace_records: Family<Result, Counter>,
    webhook_notices: Family<Result, Counter>,
    rest_requests: Family<Result, Counter>,
    link: LinkHealth,
    redis: Arc<rtm_redis::Health>,
    /// Histograms of work and waits.
    pub times: Times,
    client_sessions: Family<Clients, Gauge>,
    registry: Registry,
    /// Metrics without the prefix of this program.
    process: Registry,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    what: &'static str,
    /// `true` if a limit or the configuration requires the drop.
    intentional: &'static str,
}

/// Clients that are counted together.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub struct Clients {
    /// A configured App ID; `other` for all others, which clients choose.
    pub app: String,
    pub profile: String,
    /// `connected`, or `grace` without a connection.
    pub state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HolderName {
    holder: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LimitName {
    limit: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Login {
    result: &'static str,
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Limitation {
    row: String,
    code: String,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("sigbridge");
        let mut metrics = Self {
            times: Times::register(&mut registry),
            client_sessions: Family::default(),
            process: Registry::default(),
            sessions: Gauge::default(),
            sockets: Gauge::default(),
            bad_frames: Family::default(),
            notes: Family::default(),
            dropped: Family::default(),
            dropped_by_reason: Mutex::default(),
            held: Family::default(),
            limits: Family::default(),
            logins: Family::default(),
            tls_failures: Family::default(),
            certificate_loads: Family::default(),
            reloads: Family::default(),
            trace_records: Family::default(),
            webhook_notices: Family::default(),
            rest_requests: Family::default(),
            link: LinkHealth::default(),
            redis: Arc::default(),
            registry,
        };
        let registry = &mut metrics.registry;
        registry.register(
            "sessions",
            "Sessions, connected or waiting for a reconnect",
            metrics.sessions.clone(),
        );
        registry.register("sockets", "Open sockets", metrics.sockets.clone());
        registry.register("bad_frames", "Invalid frames, by reason", metrics.bad_frames.clone());
        registry.register(
            "limitations",
            "Inexact translations, by row and limitation code",
            metrics.notes.clone(),
        );
        registry.register("dropped", "Items dropped, by reason", metrics.dropped.clone());
        registry.register(
            "held_bytes",
            "Bytes queued for clients, by kind of queue",
            metrics.held.clone(),
        );
        registry.register(
            "limits_reached",
            "Connections, logins, joins and messages over a limit, by key of [limits]",
            metrics.limits.clone(),
        );
        registry.register(
            "logins",
            "Logins, by result and reason of refusal",
            metrics.logins.clone(),
        );
        registry.register("log_lines_lost", "Log lines lost to write errors", lost_lines());
        registry.register(
            "tls_failures",
            "Failed TLS handshakes, by reason",
            metrics.tls_failures.clone(),
        );
        registry.register(
            "certificate_loads",
            "Certificate reloads, by result",
            metrics.certificate_loads.clone(),
        );
        registry.register(
            "reloads",
            "Reloads of config and tables, by result",
            metrics.reloads.clone(),
        );
        registry.register(
            "trace_records",
            "Trace records, by result",
            metrics.trace_records.clone(),
        );
        registry.register(
            "webhook_notices",
            "Webhook notifications per receiver, by result",
            metrics.webhook_notices.clone(),
        );
        registry.register(
            "rest_requests",
            "Messages sent over RTM's RESTful API, by result",
            metrics.rest_requests.clone(),
        );
        let link = &metrics.link;
        registry.register("agent_up", "1 if an agent is connected, else 0", link.up.clone());
        registry.register("agent_gaps", "Agents lost with undelivered events", link.gaps.clone());
        registry.register(
            "agent_gap_sessions",
            "Sessions affected by a lost agent",
            link.gap_sessions.clone(),
        );
        registry.register(
            "agent_events_lost",
            "Events dropped by an agent's full queue",
            link.events_lost.clone(),
        );
        registry.register(
            "agent_calls_failed",
            "Calls lost between this process and the agent, by reason",
            link.failed.clone(),
        );
        registry.register(
            "agent_call_seconds",
            "Time from a request to the agent to its answer",
            link.round_trip.histogram(),
        );
        metrics.redis.register(&mut metrics.registry);
        let registry = &mut metrics.registry;
        registry.register(
            "client_sessions",
            "Sessions by configured app and profile, connected or in their grace time",
            metrics.client_sessions.clone(),
        );
        registry.register("build", "The build of this program", build());
        registry.register_collector(Box::new(process::Runtime));
        metrics.process.register_collector(Box::new(process::Process));
        for limit in Limit::ALL {
            drop(metrics.limits.get_or_create(&LimitName { limit: limit.key() }));
        }
        metrics.begin();
        metrics
    }

    /// Creates all values of closed label sets.
    fn begin(&self) {
        for (_, holder) in MemoryUser::ALL {
            self.holds(holder, 0);
        }
        for (what, _) in DROPS {
            self.dropped_many(what, 0);
        }
        for reason in labels::BAD_FRAMES {
            let _ = self.bad_frames.get_or_create(&Reason { reason });
        }
        for reason in labels::TLS_FAILURES {
            let _ = self.tls_failures.get_or_create(&Reason { reason });
        }
        for (family, results) in [
            (&self.reloads, labels::RELOADS),
            (&self.certificate_loads, labels::CERTIFICATE_LOADS),
            (&self.trace_records, labels::TRACE_RECORDS),
            (&self.webhook_notices, labels::WEBHOOK_NOTICES),
            (&self.rest_requests, labels::REST_REQUESTS),
        ] {
            for result in results {
                let _ = family.get_or_create(&Result { result });
            }
        }
        let login = |result, reason: &str| {
            let reason = reason.to_owned();
            let _ = self.logins.get_or_create(&Login { result, reason });
        };
        labels::LOGINS.iter().for_each(|result| login(result, ""));
        labels::REFUSALS.iter().for_each(|reason| login("refused", reason));
        for reason in labels::AGENT_FAILURES {
            self.link.begin_failure(reason);
        }
    }

    /// Creates the values of the tables' codes.
    pub fn begin_tables(&self, tables: &Tables) {
        for (row, code) in limitations(tables) {
            let (row, code) = (row.to_owned(), code.to_owned());
            let _ = self.notes.get_or_create(&Limitation { row, code });
        }
    }

    /// Sets the sessions of each kind of client.
    pub fn show_clients(&self, now: BTreeMap<Clients, i64>) {
        for (clients, sessions) in now {
            self.client_sessions.get_or_create(&clients).set(sessions);
        }
    }

    /// Counts an invalid frame.
    pub fn bad_frame(&self, reason: &'static str) {
        self.bad_frames.get_or_create(&Reason { reason }).inc();
    }

    /// Counts an inexact translation.
    pub fn note(&self, row: &str, code: &str) {
        self.notes
            .get_or_create(&Limitation {
                row: row.into(),
                code: code.into(),
            })
            .inc();
    }

    /// Counts a dropped item.
    pub fn dropped(&self, what: &'static str) {
        self.dropped_many(what, 1);
    }

    /// Counts dropped items.
    pub fn dropped_many(&self, what: &'static str, how_many: usize) {
        let many = u64::try_from(how_many).unwrap_or(u64::MAX);
        let known = DROPS.iter().find(|(known, _)| *known == what);
        debug_assert!(known.is_some(), "`{what}` is not in the list of drops");
        let intentional = match known {
            Some((_, true)) => "true",
            _ => "false",
        };
        self.dropped
            .get_or_create(&KindLabel { what, intentional })
            .inc_by(many);
        if many > 0 {
            *self.dropped_by_reason.lock().entry(what).or_default() += many;
        }
    }

    /// Returns all drops as `reason count`, separated by commas.
    pub fn all_dropped(&self) -> String {
        let dropped = self.dropped_by_reason.lock();
        let dropped = dropped.iter().map(|(what, count)| format!("{what} {count}"));
        dropped.collect::<Vec<_>>().join(", ")
    }

    /// Sets the bytes that a kind of queue holds for clients.
    pub fn holds(&self, holder: &'static str, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.held.get_or_create(&HolderName { holder }).set(bytes);
    }

    /// Registers the counters of rejected connections.
    pub fn lacks(&mut self, shortages: &Shortages) {
        for lack in Shortage::ALL {
            let (name, help) = lack.counted();
            self.registry.register(name, help, shortages.counter(*lack));
        }
    }

    /// Returns the counters of the trace recorder.
    pub fn health(&self) -> Health {
        let of = |result| self.trace_records.get_or_create(&Result { result }).clone();
        Health {
            written: of("written"),
            lost: of("lost"),
        }
    }

    /// Returns the metrics of the agent link.
    pub fn link(&self) -> LinkHealth {
        self.link.clone()
    }

    /// Returns the metrics of the service on Redis.
    pub fn redis(&self) -> Arc<rtm_redis::Health> {
        self.redis.clone()
    }

    /// Counts a login: accepted, refused for a reason of the tables, or abandoned.
    pub fn login(&self, result: &'static str, reason: &str) {
        let reason = reason.to_owned();
        self.logins.get_or_create(&Login { result, reason }).inc();
    }

    /// Counts a failed TLS handshake.
    pub fn tls_failed(&self, reason: &'static str) {
        self.tls_failures.get_or_create(&Reason { reason }).inc();
    }

    /// Counts a certificate reload.
    pub fn certificate_loaded(&self, result: &'static str) {
        self.certificate_loads.get_or_create(&Result { result }).inc();
    }

    /// Counts a refusal by a limit.
    pub fn limit_reached(&self, limit: Limit) {
        self.limits.get_or_create(&LimitName { limit: limit.key() }).inc();
    }

    /// Counts a reload of config and tables.
    pub fn reloaded(&self, result: &'static str) {
        self.reloads.get_or_create(&Result { result }).inc();
    }

    /// Counts a webhook notification: delivered, retried, given up or dropped.
    pub fn webhook(&self, result: &'static str) {
        self.webhook_notices.get_or_create(&Result { result }).inc();
    }

    /// Counts a message over RTM's RESTful API.
    pub fn rest(&self, result: &'static str) {
        self.rest_requests.get_or_create(&Result { result }).inc();
    }

    /// Encodes all metrics in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &self.process);
        let _ = encode_eof(&mut text);
        text
    }
}

/// Label of apps that are not configured.
pub const OTHER: &str = "other";

fn build() -> Info<Vec<(&'static str, &'static str)>> {
    Info::new(vec![
        ("version", env!("CARGO_PKG_VERSION")),
        ("commit", env!("SIGBRIDGE_COMMIT")),
        ("profile", env!("SIGBRIDGE_PROFILE")),
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
