//! Memory of queued client data: the share of each user, and the bound of the sum (`[limits]
//! memory`).
//!
//! Every user has its own bound. The product of these bounds and the number of users exceeds the
//! memory of a machine. All users therefore report here, and use less while the sum exceeds the
//! bound: see docs/limits.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A user of memory for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUser {
    /// Lines of offline accounts.
    OfflineMailboxes,
    /// Unacknowledged lines of sessions, and messages not yet sent to their peers.
    Sessions,
    /// Sessions without a client, with all of their memory.
    Grace,
    /// Queued frames of connections.
    Connections,
    /// Pending requests of `/api`.
    Requests,
}

impl MemoryUser {
    /// All users, with their names in metrics.
    pub const ALL: &[(MemoryUser, &'static str)] = &[
        (Self::OfflineMailboxes, "kept lines"),
        (Self::Sessions, "sessions"),
        (Self::Grace, "sessions without a client"),
        (Self::Connections, "connections"),
        (Self::Requests, "requests"),
    ];
}

/// Granularity of the counts, so that small changes do not touch the shared counter.
const STEP: usize = 4 * 1024;

/// The memory budget and its use.
#[derive(Debug)]
pub struct Memory {
    bound: AtomicUsize,
    total: AtomicUsize,
    by_holder: [AtomicUsize; MemoryUser::ALL.len()],
}

/// The share of one user, released on drop.
#[derive(Debug)]
pub struct MemoryUse {
    memory: Arc<Memory>,
    holder: MemoryUser,
    bytes: usize,
}

impl Memory {
    /// Creates an unused budget of `bound` bytes.
    pub fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            bound: AtomicUsize::new(bound),
            total: AtomicUsize::new(0),
            by_holder: Default::default(),
        })
    }

    /// Registers a user without a share.
    pub fn holds(self: &Arc<Self>, holder: MemoryUser) -> MemoryUse {
        MemoryUse {
            memory: self.clone(),
            holder,
            bytes: 0,
        }
    }

    /// Changes the bound.
    pub fn limit(&self, bound: usize) {
        self.bound.store(bound, Ordering::Relaxed);
    }

    /// Returns true if the use exceeds the bound.
    pub fn is_full(&self) -> bool {
        self.total.load(Ordering::Relaxed) > self.bound.load(Ordering::Relaxed)
    }

    /// Returns the memory of all users of a kind, in bytes.
    pub fn of(&self, holder: MemoryUser) -> usize {
        self.by_holder[holder as usize].load(Ordering::Relaxed)
    }
}

impl MemoryUse {
    /// Returns true if the user should release memory, because the use exceeds the bound.
    pub fn is_pressed(&self) -> bool {
        self.memory.is_full()
    }

    /// Sets the user's share.
    pub fn set(&mut self, bytes: usize) {
        let bytes = bytes.next_multiple_of(STEP);
        if bytes == self.bytes {
            return;
        }
        let counters = [&self.memory.total, &self.memory.by_holder[self.holder as usize]];
        for counter in counters {
            if bytes > self.bytes {
                counter.fetch_add(bytes - self.bytes, Ordering::Relaxed);
            } else {
                counter.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            }
        }
        self.bytes = bytes;
    }
}

impl Drop for MemoryUse {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_until_released() {
        let memory = Memory::new(10 * STEP);
        let (mut kept, mut session) = (
            memory.holds(MemoryUser::OfflineMailboxes),
            memory.holds(MemoryUser::Sessions),
        );
        kept.set(1);
        session.set(9 * STEP);
        assert_eq!(
            (memory.of(MemoryUser::OfflineMailboxes), memory.of(MemoryUser::Sessions)),
            (STEP, 9 * STEP)
        );
        assert!(!memory.is_full());
        kept.set(STEP + 1);
        assert!(memory.is_full());
        session.set(STEP);
        assert_eq!(memory.of(MemoryUser::Sessions), STEP);
        drop(kept);
        assert_eq!((memory.of(MemoryUser::OfflineMailboxes), memory.is_full()), (0, false));
    }
}
