//! Export of spans: OTLP over HTTP with JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Uri};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin::Metrics;
use crate::otel::encode::{rejected, request};
use crate::otel::span::DROPPED;
use crate::otel::span::Span;
use runtime::backoff::{Backoff, random};
use runtime::http_client::{HttpsClient, read};

/// Maximum of spans of one request.
const BATCH: usize = 512;
/// How long a span waits for others of its request.
const DELAY: Duration = Duration::from_secs(1);
/// Delays between attempts.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
/// Maximum of attempts. The spans of the request are then dropped.
const ATTEMPTS: u32 = 5;

/// Task that exports spans.
pub(super) struct Exporter {
    pub client: HttpsClient,
    pub endpoint: Uri,
    pub timeout: Duration,
    /// Name of this process in its traces.
    pub instance: String,
    pub metrics: Arc<Metrics>,
    /// Spans that the collector does not have yet.
    pub waiting: Arc<AtomicUsize>,
    /// Cancelled at shutdown: no more retries, stop when the queue is empty.
    pub closing: CancellationToken,
}

/// Failed attempt.
enum Failed {
    /// Another attempt may succeed.
    ForNow(String),
    /// The collector does not accept the request.
    ForEver(String),
}

impl Exporter {
    pub async fn run(self, mut spans: mpsc::Receiver<Span>) {
        let mut batch = Vec::new();
        // Set since the last successful request, to log each outage once.
        let mut failing = false;
        while self.gather(&mut spans, &mut batch).await {
            let body = Bytes::from(request(&batch, &self.instance));
            let lost = match self.export(body, &mut failing).await {
                true => 0,
                false => batch.len(),
            };
            self.metrics.dropped_many(DROPPED, lost);
            self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
            batch.clear();
        }
    }

    /// Takes the spans of the next request. Returns false if there are none.
    async fn gather(&self, spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) -> bool {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => spans.close(),
            _ = spans.recv_many(batch, BATCH) => {}
        }
        let delay = sleep(DELAY);
        tokio::pin!(delay);
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                biased;
                taken = spans.recv_many(batch, room) => {
                    // The queue is closed.
                    if taken == 0 {
                        break;
                    }
                }
                () = self.closing.cancelled(), if !spans.is_closed() => spans.close(),
                () = &mut delay => break,
            }
        }
        !batch.is_empty()
    }

    /// Sends a request until it is accepted or given up. Returns false if it was given up.
    async fn export(&self, body: Bytes, failing: &mut bool) -> bool {
        for attempt in 0..ATTEMPTS {
            let (error, may_retry) = match timeout(self.timeout, self.post(body.clone())).await {
                Ok(Ok(())) => {
                    if std::mem::take(failing) {
                        info!("trace export succeeds again");
                    }
                    return true;
                }
                Ok(Err(Failed::ForNow(error))) => (error, true),
                Ok(Err(Failed::ForEver(error))) => (error, false),
                Err(_) => ("no answer in time".to_owned(), true),
            };
            if !std::mem::replace(failing, true) {
                let hint = "check [otel] endpoint and the collector; clients are not affected";
                warn!(error, hint, "trace export failed; spans that cannot wait are dropped");
            }
            if !may_retry || self.closing.is_cancelled() {
                return false;
            }
            tokio::select! {
                () = sleep(BACKOFF.jittered(attempt, random())) => {}
                () = self.closing.cancelled() => {}
            }
        }
        false
    }

    /// Makes one attempt; the error omits the URL, which may hold a secret.
    async fn post(&self, body: Bytes) -> Result<(), Failed> {
        let request = Request::post(&self.endpoint)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Failed::ForEver(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| {
            let what = match error.is_connect() {
                true => "cannot connect",
                false => "connection lost",
            };
            Failed::ForNow(what.to_owned())
        })?;
        let status = response.status();
        let body = read(response).await;
        match status.as_u16() {
            200..=299 => {
                let rejected = body.map_or(0, |(_, body)| rejected(&body));
                self.metrics.dropped_many(DROPPED, rejected.min(BATCH));
                Ok(())
            }
            // The others are final (OTLP/HTTP).
            429 | 502..=504 => Err(Failed::ForNow(format!("status {}", status.as_u16()))),
            status => Err(Failed::ForEver(format!("status {status}"))),
        }
    }
}
