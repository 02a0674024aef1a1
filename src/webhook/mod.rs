//! Webhooks: events POSTed to the customer's receivers in the envelope of the vendor's notification service, with its
//! signatures (upstreams 3.4, docs/webhooks.md).
//!
//! [`Webhooks::emit`] never blocks and never fails. Each receiver has its own queue and gets notifications in order, at
//! least once within the retry limit. A full queue drops notifications, counted and logged.

mod envelope;
mod event;
mod sender;
pub mod signature;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
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
    receivers: ArcSwap<Receivers>,
    clock: Clock,
    metrics: Arc<Metrics>,
    senders: TaskTracker,
}

/// Receivers of one config, each with its queue.
struct Receivers {
    queues: Vec<Queue>,
    events: HashSet<EventClass>,
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
        let receivers = receivers(config, &senders, clock, &metrics)?;
        Ok(Self {
            receivers: ArcSwap::from_pointee(receivers),
            clock,
            metrics,
            senders,
        })
    }

    /// Uses the receivers of another config. The earlier ones get their queued events, in one attempt for each.
    ///
    /// # Errors
    /// The TLS library's; then nothing changes.
    pub fn replace(&self, config: &Webhook) -> Result<(), rustls::Error> {
        let new = receivers(config, &self.senders, self.clock, &self.metrics)?;
        self.receivers.swap(Arc::new(new)).closing.cancel();
        Ok(())
    }

    /// Reports an event that occurs now.
    pub fn emit(&self, event: TraceEvent) {
        self.emit_with(|| event);
    }

    /// Reports an event; skips its construction if there is no receiver.
    pub fn emit_with(&self, event: impl FnOnce() -> TraceEvent) {
        let receivers = self.receivers.load();
        if receivers.queues.is_empty() {
            return;
        }
        let event = event();
        if !receivers.events.contains(&event.class()) {
            return;
        }
        let notice = Notice::new(event, self.clock.now());
        for queue in &receivers.queues {
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
        self.receivers.load().closing.cancel();
        self.senders.close();
        if tokio::time::timeout(patience, self.senders.wait()).await.is_err() {
            warn!("webhook notifications lost at shutdown; receivers are too slow");
            self.metrics.dropped("webhook notices at the end of the process");
        }
    }
}

/// Starts one sender task per receiver.
fn receivers(
    config: &Webhook,
    senders: &TaskTracker,
    clock: Clock,
    metrics: &Arc<Metrics>,
) -> Result<Receivers, rustls::Error> {
    let closing = CancellationToken::new();
    let clients = config.urls.iter().map(|_| http_client::client(config.timeout));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let queues = config.urls.iter().zip(clients).map(|(url, client)| {
        let (notices, inbox) = mpsc::channel(config.queue);
        let sender = Sender {
            client,
            url: url.clone(),
            config: config.clone(),
            clock,
            metrics: metrics.clone(),
            closing: closing.clone(),
        };
        senders.spawn(sender.run(inbox));
        Queue {
            notices,
            full: AtomicBool::new(false),
        }
    });
    Ok(Receivers {
        queues: queues.collect(),
        events: config.events.iter().copied().collect(),
        closing,
    })
}
