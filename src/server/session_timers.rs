//! Timers of all sessions in one task: the next timer of each session.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use rtm::time::Time;
use runtime::clock::Clock;

use crate::server::run_queue::enter;
use crate::server::session_inbox::WeakInbox;

/// The next timer of each session.
#[derive(Default)]
pub struct SessionTimers {
    waiting: Mutex<BTreeMap<(Time, u64), WeakInbox>>,
    /// Signals an earlier first timer.
    changed: Notify,
}

impl SessionTimers {
    /// Replaces the next timer of a session.
    pub fn set(&self, session: u64, before: Option<Time>, at: Option<Time>, inbox: &WeakInbox) {
        let mut waiting = self.waiting.lock();
        if let Some(before) = before {
            waiting.remove(&(before, session));
        }
        let Some(at) = at else { return };
        waiting.insert((at, session), inbox.clone());
        let is_first = waiting
            .first_key_value()
            .is_some_and(|(first, _)| *first == (at, session));
        drop(waiting);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Fires timers until `end`.
    pub async fn work(self: Arc<Self>, clock: Clock, end: CancellationToken) {
        loop {
            let next = self.waiting.lock().first_key_value().map(|((at, _), _)| *at);
            let sleep = async {
                match next {
                    Some(at) => sleep_until(clock.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end.cancelled() => return,
                () = self.changed.notified() => {}
                () = sleep => self.fire(clock.now()),
            }
        }
    }

    fn fire(&self, now: Time) {
        let due = {
            let mut waiting = self.waiting.lock();
            let later = waiting.split_off(&(now, u64::MAX));
            std::mem::replace(&mut *waiting, later)
        };
        let _run = enter();
        for inbox in due.into_values() {
            if let Some(inbox) = inbox.upgrade() {
                inbox.fire_timers();
            }
        }
    }
}
