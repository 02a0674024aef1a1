//! Counters. Label sets are closed: reasons and codes come from the tables and the source, never from clients.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::log::lost_lines;
use agent_link::driver::LinkHealth;
use protocol::memory_budget::MemoryUser;
use runtime::net::{Shortage, Shortages};
use trace::Health;

/// All counters of a server.
#[derive(Debug)]
pub struct Metrics {
    /// Sessions, with or without a client.
    pub sessions: Gauge,
    /// Open sockets.
    pub sockets: Gauge,
    bad_frames: Family<Reason, Counter>,
    notes: Family<Limitation, Counter>,
    dropped: Family<What, Counter>,
    held: Family<HolderName, Gauge>,
    logins: Family<Login, Counter>,
    tls_failures: Family<Reason, Counter>,
    certificate_loads: Family<Result, Counter>,
    trace_records: Family<Result, Counter>,
    webhook_notices: Family<Result, Counter>,
    rest_requests: Family<Result, Counter>,
    link: LinkHealth,
    redis: Arc<rtm_redis::Health>,
    registry: Registry,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct What {
    what: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HolderName {
    holder: &'static str,
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
    /// All at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            sessions: Gauge::default(),
            sockets: Gauge::default(),
            bad_frames: Family::default(),
            notes: Family::default(),
            dropped: Family::default(),
            held: Family::default(),
            logins: Family::default(),
            tls_failures: Family::default(),
            certificate_loads: Family::default(),
            trace_records: Family::default(),
            webhook_notices: Family::default(),
            rest_requests: Family::default(),
            link: LinkHealth::default(),
            redis: Arc::default(),
            registry: Registry::with_prefix("sigbridge"),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "sessions",
            "Sessions, with or without a client",
            metrics.sessions.clone(),
        );
        registry.register("sockets", "Open sockets", metrics.sockets.clone());
        registry.register(
            "bad_frames",
            "Frames that break the wire's rules",
            metrics.bad_frames.clone(),
        );
        registry.register("limitations", "Translations that were not exact", metrics.notes.clone());
        registry.register(
            "dropped",
            "What was dropped for want of room or of a taker",
            metrics.dropped.clone(),
        );
        registry.register(
            "held_bytes",
            "What waits for clients in memory, by what holds it",
            metrics.held.clone(),
        );
        registry.register(
            "logins",
            "Logins by what became of them; refusals with the reason",
            metrics.logins.clone(),
        );
        registry.register(
            "log_lines_lost",
            "Lines of the log that could not be written",
            lost_lines(),
        );
        registry.register(
            "tls_failures",
            "Connections that began TLS and did not get to its end",
            metrics.tls_failures.clone(),
        );
        registry.register(
            "certificate_loads",
            "Attempts to read a new certificate while serving",
            metrics.certificate_loads.clone(),
        );
        registry.register(
            "trace_records",
            "Records of traces, written or lost",
            metrics.trace_records.clone(),
        );
        registry.register(
            "webhook_notices",
            "Notices of webhooks by what became of them, for each receiver",
            metrics.webhook_notices.clone(),
        );
        registry.register(
            "rest_requests",
            "Messages by RTM's RESTful API, by what became of them",
            metrics.rest_requests.clone(),
        );
        let link = &metrics.link;
        registry.register("agent_up", "Whether an agent is there", link.up.clone());
        registry.register(
            "agent_gaps",
            "Agents that died with what they had not passed on",
            link.gaps.clone(),
        );
        registry.register(
            "agent_gap_sessions",
            "Sessions that such a death concerned",
            link.gap_sessions.clone(),
        );
        registry.register(
            "agent_events_lost",
            "Events that an agent had no room for",
            link.events_lost.clone(),
        );
        registry.register(
            "agent_calls_failed",
            "Calls that came to nothing between here and the agent",
            link.failed.clone(),
        );
        metrics.redis.register(&mut metrics.registry);
        for (_, holder) in MemoryUser::ALL {
            metrics.holds(holder, 0);
        }
        metrics
    }

    /// A frame breaks the wire's rules.
    pub fn bad_frame(&self, reason: &'static str) {
        self.bad_frames.get_or_create(&Reason { reason }).inc();
    }

    /// A translation was not exact.
    pub fn note(&self, row: &str, code: &str) {
        self.notes
            .get_or_create(&Limitation {
                row: row.into(),
                code: code.into(),
            })
            .inc();
    }

    /// Something was dropped.
    pub fn dropped(&self, what: &'static str) {
        self.dropped.get_or_create(&What { what }).inc();
    }

    /// Several things were dropped.
    pub fn dropped_many(&self, what: &'static str, how_many: usize) {
        let many = u64::try_from(how_many).unwrap_or(u64::MAX);
        self.dropped.get_or_create(&What { what }).inc_by(many);
    }

    /// What holds memory for clients, and how much.
    pub fn holds(&self, holder: &'static str, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.held.get_or_create(&HolderName { holder }).set(bytes);
    }

    /// Connections that were not served for lack of something.
    pub fn lacks(&mut self, strain: &Shortages) {
        for lack in Shortage::ALL {
            let (name, help) = lack.counted();
            self.registry.register(name, help, strain.counter(*lack));
        }
    }

    /// How recording goes.
    pub fn health(&self) -> Health {
        let of = |result| self.trace_records.get_or_create(&Result { result }).clone();
        Health {
            written: of("written"),
            lost: of("lost"),
        }
    }

    /// How the link to agents goes.
    pub fn link(&self) -> LinkHealth {
        self.link.clone()
    }

    /// How the service on Redis goes.
    pub fn redis(&self) -> Arc<rtm_redis::Health> {
        self.redis.clone()
    }

    /// A login came to a session, was refused for a reason of the tables, or was abandoned.
    pub fn login(&self, result: &'static str, reason: &str) {
        let reason = reason.to_owned();
        self.logins.get_or_create(&Login { result, reason }).inc();
    }

    /// A connection began TLS, and that failed.
    pub fn tls_failed(&self, reason: &'static str) {
        self.tls_failures.get_or_create(&Reason { reason }).inc();
    }

    /// A new certificate was read, or could not be.
    pub fn certificate_loaded(&self, result: &'static str) {
        self.certificate_loads.get_or_create(&Result { result }).inc();
    }

    /// A notice of a webhook was delivered, will be sent again, was given up, or found no room.
    pub fn webhook(&self, result: &'static str) {
        self.webhook_notices.get_or_create(&Result { result }).inc();
    }

    /// A message by RTM's RESTful API was sent, or not.
    pub fn rest(&self, result: &'static str) {
        self.rest_requests.get_or_create(&Result { result }).inc();
    }

    /// All counters in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
