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

/// The next timer of each session. Equal times fire in the order in which they were set.
#[derive(Default)]
pub struct SessionTimers {
    waiting: Mutex<Waiting>,
    /// Signals an earlier first timer.
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    inboxes: BTreeMap<Armed, WeakInbox>,
    last: u64,
}

/// A timer that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Armed {
    /// Its time.
    pub at: Time,
    number: u64,
}

impl SessionTimers {
    /// Sets a timer of a session.
    pub fn set(&self, at: Time, inbox: &WeakInbox) -> Armed {
        let mut waiting = self.waiting.lock();
        waiting.last += 1;
        let number = waiting.last;
        let armed = Armed { at, number };
        waiting.inboxes.insert(armed, inbox.clone());
        let is_first = waiting
            .inboxes
            .first_key_value()
            .is_some_and(|(first, _)| *first == armed);
        drop(waiting);
        if is_first {
            self.changed.notify_one();
        }
        armed
    }

    /// Removes a timer.
    pub fn remove(&self, armed: Armed) {
        self.waiting.lock().inboxes.remove(&armed);
    }

    /// Fires timers until `end`.
    pub async fn work(self: Arc<Self>, clock: Clock, end: CancellationToken) {
        loop {
            let next = self.waiting.lock().inboxes.first_key_value().map(|(first, _)| first.at);
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
            let waiting = &mut *self.waiting.lock();
            let later = waiting.inboxes.split_off(&Armed {
                at: now,
                number: u64::MAX,
            });
            std::mem::replace(&mut waiting.inboxes, later)
        };
        let _run = enter();
        for inbox in due.into_values() {
            if let Some(inbox) = inbox.upgrade() {
                inbox.fire_timers();
            }
        }
    }
}
