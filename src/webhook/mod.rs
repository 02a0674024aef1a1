//! Webhooks: what happens here, POSTed to the customer's receivers in the envelope of the vendor's notification
//! service, and signed as that signs (upstreams 3.4, docs/webhooks.md).
//!
//! [`Webhooks::tell`] never waits and never fails. Each receiver has a queue of its own and is told in order, each
//! notice at least once until its retries are used up; what a queue has no room for is counted and logged.

mod envelope;
mod event;
mod sender;
pub mod signature;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::admin::Metrics;
use crate::config::Webhook;
use runtime::clock::Clock;
use runtime::http_client;
use runtime::log_limit::{Bound, Cause, admits};

pub use envelope::Notice;
pub use event::{EventClass, TraceEvent, User};
use sender::Sender;

/// Where things that happen are told.
pub struct Webhooks {
    queues: Vec<Queue>,
    events: HashSet<EventClass>,
    clock: Clock,
    metrics: Arc<Metrics>,
    senders: TaskTracker,
    closing: CancellationToken,
}

struct Queue {
    notices: mpsc::Sender<Notice>,
    /// Since the last notice that had room: one line in the log for each time it is full.
    full: AtomicBool,
}

impl Webhooks {
    /// Sets a sender going for each receiver; in a tokio runtime.
    ///
    /// # Errors
    /// The TLS library's.
    pub fn start(config: &Webhook, clock: Clock, metrics: Arc<Metrics>) -> Result<Self, rustls::Error> {
        let senders = TaskTracker::new();
        let closing = CancellationToken::new();
        let mut queues = Vec::new();
        for url in &config.urls {
            let (notices, inbox) = mpsc::channel(config.queue);
            let sender = Sender {
                client: http_client::client(config.timeout)?,
                url: url.clone(),
                config: config.clone(),
                clock,
                metrics: metrics.clone(),
                closing: closing.clone(),
            };
            senders.spawn(sender.run(inbox));
            queues.push(Queue {
                notices,
                full: AtomicBool::new(false),
            });
        }
        senders.close();
        Ok(Self {
            queues,
            events: config.events.iter().copied().collect(),
            clock,
            metrics,
            senders,
            closing,
        })
    }

    /// Something has happened, now.
    pub fn tell(&self, happening: TraceEvent) {
        self.tell_with(|| happening);
    }

    /// The same, and nothing is computed where there is no receiver.
    pub fn tell_with(&self, happening: impl FnOnce() -> TraceEvent) {
        if self.queues.is_empty() {
            return;
        }
        let happening = happening();
        if !self.events.contains(&happening.class()) {
            return;
        }
        let notice = Notice::new(happening, self.clock.now());
        for queue in &self.queues {
            if queue.notices.try_send(notice.clone()).is_ok() {
                queue.full.store(false, Ordering::Relaxed);
                continue;
            }
            self.metrics.webhook("overflow");
            if !queue.full.swap(true, Ordering::Relaxed)
                && admits("a webhook's queue is full", Bound::EVENT, Cause::default())
            {
                warn!(
                    hint = "the receiver is too slow for what happens here; see sigbridge_webhook_notices",
                    "notices of a webhook are dropped: its queue is full"
                );
            }
        }
    }

    /// Sends what waits, each notice once more and no more, for at most `patience`.
    pub async fn finish(&self, patience: Duration) {
        self.closing.cancel();
        if tokio::time::timeout(patience, self.senders.wait()).await.is_err() {
            warn!("notices of webhooks are lost at the end of the process: their receivers are too slow");
            self.metrics.dropped("webhook notices at the end of the process");
        }
    }
}
