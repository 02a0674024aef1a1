//! Sessions without a client, during their grace time. Their number is limited: the oldest end first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::server::session_inbox::WeakInbox;
use protocol::memory_budget::{Memory, MemoryUse, MemoryUser};

/// Memory of a session without queued data.
const SESSION_BYTES: usize = 16 * 1024;

/// Sessions without a client, in the order of its loss.
#[derive(Debug)]
pub struct GraceSessions {
    most: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    order: BTreeMap<u64, (u64, WeakInbox)>,
    numbers: HashMap<u64, u64>,
    last: u64,
    held: MemoryUse,
}

impl GraceSessions {
    /// Creates an empty set of at most `most` sessions.
    pub fn new(most: usize, memory: &Arc<Memory>) -> Self {
        let held = memory.holds(MemoryUser::Grace);
        Self {
            most: AtomicUsize::new(most),
            inner: Mutex::new(Inner {
                order: BTreeMap::new(),
                numbers: HashMap::new(),
                last: 0,
                held,
            }),
        }
    }

    /// Changes the limit, for further sessions.
    pub fn limit(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Adds a session that lost its client. Above the limit, removes and returns the oldest session.
    pub fn begin(&self, session: u64, inbox: WeakInbox) -> Option<WeakInbox> {
        let mut inner = self.inner.lock();
        if inner.numbers.contains_key(&session) {
            return None;
        }
        inner.last += 1;
        let number = inner.last;
        inner.numbers.insert(session, number);
        inner.order.insert(number, (session, inbox));
        let oldest = if inner.order.len() > self.most.load(Ordering::Relaxed) {
            inner.pop()
        } else {
            None
        };
        inner.count();
        oldest
    }

    /// Removes a session that has a client again or is over.
    pub fn end(&self, session: u64) {
        let mut inner = self.inner.lock();
        if let Some(number) = inner.numbers.remove(&session) {
            inner.order.remove(&number);
            inner.count();
        }
    }

    /// Removes and returns the oldest session.
    pub fn oldest(&self) -> Option<WeakInbox> {
        let mut inner = self.inner.lock();
        let oldest = inner.pop();
        inner.count();
        oldest
    }
}

impl Inner {
    fn pop(&mut self) -> Option<WeakInbox> {
        let (_, (session, inbox)) = self.order.pop_first()?;
        self.numbers.remove(&session);
        Some(inbox)
    }

    fn count(&mut self) {
        self.held.set(self.order.len() * SESSION_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session_inbox::inbox;

    #[test]
    fn the_oldest_give_up_first() {
        let memory = Memory::new(1 << 20);
        let grace_sessions = GraceSessions::new(2, &memory);
        let inbox = inbox(&Arc::default(), &Arc::default()).downgrade();
        let begin = |id| grace_sessions.begin(id, inbox.clone()).is_some();
        let waits = |id| grace_sessions.inner.lock().numbers.contains_key(&id);
        assert!(!begin(1) && !begin(2) && !begin(1));
        assert!(begin(3) && !waits(1) && waits(2));
        grace_sessions.end(2);
        assert!(!begin(4) && begin(5) && !waits(3));
        assert_eq!(memory.of(MemoryUser::Grace), 2 * SESSION_BYTES);
        assert!(grace_sessions.oldest().is_some() && !waits(4));
        grace_sessions.end(5);
        assert!(grace_sessions.oldest().is_none());
        assert_eq!(memory.of(MemoryUser::Grace), 0);
    }
}
