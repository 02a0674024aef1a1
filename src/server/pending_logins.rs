//! Unanswered logins, by client address.
//!
//! A client with two racing sockets closes one of them during the login on the other. Some builds treat an early
//! answer to that close as a lost login (signaling-wire 1.4). So this answer follows the answer to the login.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::log::clients::Attempt;

/// Unanswered logins.
#[derive(Debug, Default)]
pub struct PendingLogins {
    counts: Mutex<HashMap<IpAddr, usize>>,
    changed: Notify,
}

/// Registration of one unanswered login, removed on drop.
#[derive(Debug)]
pub struct PendingLogin {
    logins: Arc<PendingLogins>,
    peer: IpAddr,
    /// Data of the login for the log and the counters.
    pub attempt: Attempt,
}

impl PendingLogins {
    /// Registers a login.
    pub fn begin(self: &Arc<Self>, peer: IpAddr, attempt: Attempt) -> PendingLogin {
        *self.counts.lock().entry(peer).or_insert(0) += 1;
        PendingLogin {
            logins: self.clone(),
            peer,
            attempt,
        }
    }

    /// Waits until all logins of `peer` are answered.
    pub async fn settled(&self, peer: IpAddr) {
        loop {
            let changed = self.changed.notified();
            if !self.counts.lock().contains_key(&peer) {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for PendingLogin {
    fn drop(&mut self) {
        let mut counts = self.logins.counts.lock();
        if let Some(count) = counts.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
        drop(counts);
        self.logins.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Metrics;
    use crate::log::accounts::Accounts;
    use crate::log::clients::Logins;
    use identity::SessionLineKey;
    use runtime::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn waits_for_every_login_of_the_peer_and_no_other() {
        let logins = Arc::new(PendingLogins::default());
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        logins.settled(here).await;
        let emitted = Arc::new(Logins {
            accounts: Accounts::new(
                crate::config::Accounts::Keep,
                &SessionLineKey::random().expect("randomness"),
            ),
            metrics: Arc::new(Metrics::new()),
            clock: Clock::start(),
            refusals: Default::default(),
            tracer: Arc::default(),
        });
        let begin = |peer| logins.begin(peer, emitted.begin(peer));
        let (first, second, _other) = (begin(here), begin(here), begin(there));
        let waiting = tokio::spawn({
            let logins = logins.clone();
            async move { logins.settled(here).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
    }
}
