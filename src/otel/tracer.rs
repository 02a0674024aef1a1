//! Source of spans: sampling, ids, times, and the queue to the collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::admin::Metrics;
use crate::config::Otel;
use crate::otel::LoginResult;
use crate::otel::exporter::Exporter;
use crate::otel::span::DROPPED;
use crate::otel::span::{Attribute, Begun, Kind, Span};
use runtime::clock::Clock;
use runtime::http_client;
use runtime::log_limit::{Bound, Cause, admits};

/// Name of the span of a login.
const LOGIN: &str = "login";

/// Source of spans.
#[derive(Debug, Default)]
pub struct Tracer(Option<Export>);

#[derive(Debug)]
struct Export {
    queue: mpsc::Sender<Span>,
    one_in: u64,
    /// State of the ids and of the sampling.
    random: AtomicU64,
    /// An instant, and its time in nanoseconds since the epoch.
    epoch: (Instant, u64),
    metrics: Arc<Metrics>,
    /// Spans that the collector does not have yet.
    waiting: Arc<AtomicUsize>,
    /// Set while the queue is full, to log each overflow once.
    full: AtomicBool,
    closing: CancellationToken,
    task: TaskTracker,
}

impl Tracer {
    /// Starts the export, if a collector is configured; requires a tokio runtime.
    ///
    /// # Errors
    /// The TLS library's.
    pub fn start(config: &Otel, clock: Clock, metrics: &Arc<Metrics>) -> Result<Self, rustls::Error> {
        let Some(endpoint) = &config.endpoint else {
            return Ok(Self(None));
        };
        let (queue, spans) = mpsc::channel(config.queue);
        let now = clock.now();
        let random = getrandom::u64().unwrap_or_else(|_| now.as_millis());
        let (closing, task, waiting) = (CancellationToken::new(), TaskTracker::new(), Arc::default());
        let exporter = Exporter {
            client: http_client::client(config.timeout)?,
            endpoint: endpoint.clone(),
            timeout: config.timeout,
            instance: format!("{random:016x}"),
            metrics: metrics.clone(),
            waiting: Arc::clone(&waiting),
            closing: closing.clone(),
        };
        task.spawn(exporter.run(spans));
        Ok(Self(Some(Export {
            queue,
            one_in: u64::from(config.one_in),
            random: AtomicU64::new(mixed(random)),
            epoch: (Instant::now(), now.as_millis().saturating_mul(1_000_000)),
            metrics: metrics.clone(),
            waiting,
            full: AtomicBool::new(false),
            closing,
            task,
        })))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a trace, if it is sampled.
    pub fn begin(&self) -> Option<Begun> {
        let export = self.0.as_ref()?;
        if export.one_in > 1 && !export.next().is_multiple_of(export.one_in) {
            return None;
        }
        let trace = u128::from(export.next()) << 64 | u128::from(export.next());
        Some(export.span_of(trace))
    }

    /// Begins a span below another.
    pub(super) fn below(&self, parent: Begun) -> Begun {
        // A span exists only with an export.
        self.0.as_ref().map_or(parent, |export| export.span_of(parent.trace))
    }

    /// Returns the time in nanoseconds since the epoch.
    pub(super) fn now(&self) -> u64 {
        self.0.as_ref().map_or(0, Export::now)
    }

    /// Queues an ended span.
    pub(super) fn emit(&self, span: Span) {
        let Some(export) = &self.0 else { return };
        export.waiting.fetch_add(1, Ordering::Relaxed);
        if export.queue.try_send(span).is_ok() {
            export.full.store(false, Ordering::Relaxed);
            return;
        }
        export.waiting.fetch_sub(1, Ordering::Relaxed);
        self.dropped();
        if !export.full.swap(true, Ordering::Relaxed) && admits("span queue full", Bound::EVENT, Cause::default()) {
            let hint = "the collector is too slow; raise [otel] one_in or queue";
            warn!(hint, "span queue full; spans dropped");
        }
    }

    /// Counts a span that is not exported.
    pub(super) fn dropped(&self) {
        if let Some(export) = &self.0 {
            export.metrics.dropped(DROPPED);
        }
    }

    /// Ends the span of a login.
    pub fn login(&self, begun: Begun, result: &LoginResult<'_>) {
        let mut attributes: Vec<(&str, Attribute)> = vec![("sigbridge.outcome", result.failure.unwrap_or("ok").into())];
        // A login without a name has failed before its app was known.
        for (key, text) in [("sigbridge.app", result.app), ("sigbridge.profile", result.profile)] {
            if !text.is_empty() {
                attributes.push((key, text.into()));
            }
        }
        if let Some(session) = result.session {
            attributes.push(("sigbridge.session", session.to_string().as_str().into()));
        }
        if let Some(how) = result.how {
            attributes.push(("sigbridge.login", how.into()));
        }
        self.emit(Span {
            begun,
            parent: None,
            name: LOGIN.into(),
            kind: Kind::Server,
            ended: self.now(),
            attributes,
            failure: result.failure.map(Into::into),
        });
    }

    /// Exports the queued spans, in one attempt for each request and for at most `patience`.
    pub async fn finish(&self, patience: Duration) {
        let Some(export) = &self.0 else { return };
        export.closing.cancel();
        export.task.close();
        if timeout(patience, export.task.wait()).await.is_err() {
            let lost = export.waiting.load(Ordering::Relaxed);
            export.metrics.dropped_many(DROPPED, lost);
            warn!(lost, "trace spans lost at shutdown; the collector is too slow");
        }
    }
}

impl Export {
    fn now(&self) -> u64 {
        let (instant, at) = self.epoch;
        let since = Instant::now().duration_since(instant).as_nanos();
        at.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    fn span_of(&self, trace: u128) -> Begun {
        Begun {
            trace,
            // Zero is no id.
            span: self.next().max(1),
            at: self.now(),
        }
    }

    /// Returns the next number of a sequence that has no repetition (SplitMix64).
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mixed(self.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }
}

fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
