//! HTTP requests to the API.
//!
//! A repeated message would be delivered twice, so only a failed connection attempt is retried. A 408, a 500 or a
//! broken connection is not, since RTM may have received the message.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::config::Rest;
use rtm::AppId;
use runtime::backoff::{Backoff, random};
use runtime::http_client;
use runtime::http_client::{HttpsClient, read};

use crate::upstream::rest::request::{ChannelMessage, authorization, post};
use crate::upstream::rest::response::Outcome;

/// Delays between attempts to connect.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
/// Maximum of attempts to connect.
const ATTEMPTS: u32 = 3;

/// RESTful API client.
pub struct Client {
    http: HttpsClient,
    base: Uri,
    authorization: HeaderValue,
    timeout: Duration,
    /// Set since the last successful request, to log each outage once.
    failing: AtomicBool,
}

/// REST client construction failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The key or secret is not a valid header value.
    #[error("the customer key or secret of [upstream.rest] is not a valid header value")]
    Key(#[from] hyper::http::Error),
}

impl Client {
    /// Creates a client for a config.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(config: &Rest) -> Result<Self, ClientError> {
        Ok(Self {
            http: http_client::client(config.timeout)?,
            base: config.url.clone(),
            authorization: authorization(&config.key, &config.secret)?,
            timeout: config.timeout,
            failing: AtomicBool::new(false),
        })
    }

    /// Sends a message within the configured timeout.
    pub async fn send(&self, app: &AppId, message: &ChannelMessage) -> Outcome {
        if !message.is_sendable() {
            return Outcome::Invalid;
        }
        let Some((path, body)) = message.parts(app) else {
            return Outcome::Failed;
        };
        let outcome = match timeout(self.timeout, self.attempts(&path, &body)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Timeout,
        };
        self.log(outcome);
        outcome
    }

    async fn attempts(&self, path: &str, body: &str) -> Outcome {
        let mut failures = 0;
        loop {
            let Ok(request) = post(&self.base, path, &self.authorization, body.to_owned()) else {
                return Outcome::Failed;
            };
            match self.http.request(request).await {
                Ok(response) => {
                    return match read(response).await {
                        Some((status, body)) => Outcome::of(status, &body),
                        None => Outcome::Timeout,
                    };
                }
                Err(error) if error.is_connect() => {
                    failures += 1;
                    if failures == ATTEMPTS {
                        return Outcome::Failed;
                    }
                    sleep(BACKOFF.jittered(failures - 1, random())).await;
                }
                // RTM may have read it before the connection broke.
                Err(_) => return Outcome::Timeout,
            }
        }
    }

    fn log(&self, outcome: Outcome) {
        match outcome {
            Outcome::Sent if self.failing.swap(false, Ordering::Relaxed) => {
                info!("RESTful API requests succeed again");
            }
            Outcome::Unauthorized if !self.failing.swap(true, Ordering::Relaxed) => warn!(
                hint = "check the customer key and secret of [upstream.rest], and that RTM is enabled for the project",
                "RESTful API rejected the credentials"
            ),
            Outcome::Failed | Outcome::Timeout if !self.failing.swap(true, Ordering::Relaxed) => {
                warn!(
                    outcome = outcome.name(),
                    "RESTful API requests fail; see sigbridge_rest_requests"
                );
            }
            _ => {}
        }
    }
}
