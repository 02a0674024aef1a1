//! Sender task of one receiver.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Uri};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::admin::Metrics;
use crate::config::Webhook;
use runtime::backoff::{Backoff, random};
use runtime::clock::Clock;
use runtime::http_client::{HttpsClient, read};
use runtime::log_limit::{Bound, Cause, admits};

use crate::webhook::envelope::Notice;
use crate::webhook::signature::{HEADER, HEADER_V2, v1, v2};

/// Longest wait between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Settings of one receiver's task.
pub struct Sender {
    pub client: HttpsClient,
    pub url: Uri,
    pub config: Webhook,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// Cancelled at shutdown: no more retries, stop when the queue is empty.
    pub closing: CancellationToken,
}

impl Sender {
    /// Sends one notification after another, to keep their order.
    pub async fn run(self, mut notices: mpsc::Receiver<Notice>) {
        loop {
            let notice = tokio::select! {
                biased;
                notice = notices.recv() => notice,
                () = self.closing.cancelled() => {
                    notices.close();
                    notices.recv().await
                }
            };
            let Some(notice) = notice else { return };
            self.send(&notice).await;
        }
    }

    async fn send(&self, notice: &Notice) {
        let backoff = Backoff::new(self.config.backoff, MAX_BACKOFF);
        for attempt in 0..=self.config.retries {
            let failed = match timeout(self.config.timeout, self.post(notice)).await {
                Ok(Ok(())) => {
                    self.metrics.webhook("delivered");
                    return;
                }
                Ok(Err(failed)) => failed,
                Err(_) => "no answer in time".to_owned(),
            };
            if attempt == self.config.retries || self.closing.is_cancelled() {
                self.metrics.webhook("failed");
                if admits("webhook notifications given up", Bound::EVENT, Cause::from(&failed)) {
                    warn!(
                        notice = notice.id(),
                        event = notice.number(),
                        error = failed,
                        "webhook notification given up; the receiver rejects it"
                    );
                }
                return;
            }
            self.metrics.webhook("retried");
            debug!(
                notice = notice.id(),
                error = failed,
                "webhook notification will be retried"
            );
            tokio::select! {
                () = sleep(backoff.jittered(attempt, random())) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    /// Makes one attempt; the error omits the URL, which may hold a secret.
    async fn post(&self, notice: &Notice) -> Result<(), String> {
        let body = notice.body(self.config.product_id, self.clock.now());
        let secret = &self.config.secret;
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(HEADER, v1(secret, body.as_bytes()))
            .header(HEADER_V2, v2(secret, body.as_bytes()))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| match error.is_connect() {
                true => "cannot connect",
                false => "connection lost",
            })?;
        let status = response.status();
        // The body is irrelevant; reading it allows the connection to be reused.
        let _ = read(response).await;
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("status {}", status.as_u16())),
        }
    }
}
