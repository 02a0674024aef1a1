//! Webhooks: events POSTed to the customer's receivers in the envelope of the vendor's notification service, with its
//! signatures (upstreams 3.4, docs/webhooks.md).
//!
//! [`Webhooks::tell`] never blocks and never fails. Each receiver has its own queue and gets notifications in order, at
//! least once within the retry limit. A full queue drops notifications, counted and logged.

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

/// Webhook sender of a server.
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
    /// Set while the queue is full, to log each overflow once.
    full: AtomicBool,
}

impl Webhooks {
    /// Starts one sender task per receiver; requires a tokio runtime.
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

    /// Reports an event that occurs now.
    pub fn tell(&self, event: TraceEvent) {
        self.tell_with(|| event);
    }

    /// Reports an event; skips its construction if there is no receiver.
    pub fn tell_with(&self, event: impl FnOnce() -> TraceEvent) {
        if self.queues.is_empty() {
            return;
        }
        let event = event();
        if !self.events.contains(&event.class()) {
            return;
        }
        let notice = Notice::new(event, self.clock.now());
        for queue in &self.queues {
            if queue.notices.try_send(notice.clone()).is_ok() {
                queue.full.store(false, Ordering::Relaxed);
                continue;
            }
            self.metrics.webhook("overflow");
            if !queue.full.swap(true, Ordering::Relaxed) && admits("webhook queue full", Bound::EVENT, Cause::default())
            {
                warn!(
                    hint = "the receiver is too slow; see sigbridge_webhook_notices",
                    "webhook queue full; notifications dropped"
                );
            }
        }
    }

    /// Makes one last attempt per queued notification, for at most `patience`.
    pub async fn finish(&self, patience: Duration) {
        self.closing.cancel();
        if tokio::time::timeout(patience, self.senders.wait()).await.is_err() {
            warn!("webhook notifications lost at shutdown; receivers are too slow");
            self.metrics.dropped("webhook notices at the end of the process");
        }
    }
}
