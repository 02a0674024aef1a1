//! Sends requests.
//!
//! A message that is sent twice arrives twice, so a request is tried again only where no connection was made: then
//! nobody can have seen it. After 408, 500 or a connection that broke it is not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::config::Rest;
use rtm::AppId;
use runtime::http_client;
use runtime::http_client::{HttpsClient, read};

use crate::upstream::rest::request::{ChannelMessage, authorization, post};
use crate::upstream::rest::response::Outcome;

/// Waits before each further attempt to connect.
const AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// The API.
pub struct Client {
    http: HttpsClient,
    base: Uri,
    authorization: HeaderValue,
    timeout: Duration,
    /// Since the last request that went well: one line in the log for each time that it is out of order.
    failing: AtomicBool,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The TLS library's.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// A key or a secret that cannot stand in a header.
    #[error("the customer key or secret of [upstream.rest] cannot be sent")]
    Key(#[from] hyper::http::Error),
}

impl Client {
    /// Of a config.
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

    /// Sends a message; at most for the config's time.
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
        let mut again = AGAIN.into_iter();
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
                Err(error) if error.is_connect() => match again.next() {
                    Some(wait) => sleep(wait).await,
                    None => return Outcome::Failed,
                },
                // It may have been read before the connection broke.
                Err(_) => return Outcome::Timeout,
            }
        }
    }

    fn log(&self, outcome: Outcome) {
        match outcome {
            Outcome::Sent if self.failing.swap(false, Ordering::Relaxed) => {
                info!("RTM's RESTful API takes messages again");
            }
            Outcome::Unauthorized if !self.failing.swap(true, Ordering::Relaxed) => warn!(
                hint = "look at the customer key and secret of [upstream.rest], and whether RTM is enabled",
                "RTM's RESTful API refuses messages"
            ),
            Outcome::Failed | Outcome::Timeout if !self.failing.swap(true, Ordering::Relaxed) => {
                warn!(
                    outcome = outcome.name(),
                    "RTM's RESTful API does not take messages; see sigbridge_rest_requests"
                );
            }
            _ => {}
        }
    }
}
