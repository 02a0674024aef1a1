//! Session lines that all sidecars on one Redis know: their key, and whose session each one is.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::interval;
use tracing::warn;

use identity::SessionLineKey;
use runtime::log_limit::{Bound, Cause, admits};

use crate::server::Server;
use crate::server::mailbox_file::Key;

/// Interval of attempts to read the key of session lines from Redis.
const LINE_KEY_EVERY: Duration = Duration::from_millis(100);
/// Lifetime of a session line in Redis.
const LINE_TTL: Duration = Duration::from_secs(24 * 3600);

impl Server {
    /// Has other sidecars find a session by its line.
    pub fn remember_line(&self, line: u64, (app, account): &Key) {
        let Some(redis) = self.redis.clone().filter(|_| self.config().is_durable(app)) else {
            return;
        };
        let (app, account) = (app.clone(), account.clone());
        tokio::spawn(async move {
            if let Err(failure) = redis.set_line(line, &app, account.as_str(), LINE_TTL).await
                && admits("session lines are not kept", Bound::EVENT, Cause::default())
            {
                let hint = failure.hint();
                warn!(%failure, hint, "a session line is not in Redis: it is known to this sidecar only");
            }
        });
    }

    /// Takes the key of session lines that all sidecars have, as soon as Redis gives it.
    pub async fn share_line_key(self: Arc<Self>) {
        let Some(redis) = self.redis.clone().filter(|_| self.config().session.line_key.is_none()) else {
            return;
        };
        let mut every = interval(LINE_KEY_EVERY);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = every.tick() => {}
            }
            if let Ok(secret) = redis.secret().await
                && let Some(key) = SessionLineKey::new(secret.expose_secret().as_bytes())
            {
                return self.line_keys.share(key);
            }
        }
    }
}
