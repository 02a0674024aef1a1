//! What waits for clients, in bytes: who holds how much, and the bound for all of it (`[limits] memory`).
//!
//! Every holder has a bound of its own. The product of those bounds with the number of holders is more than a machine
//! has, so all holders report here, and use less while the sum is over the bound: see docs/limits.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What holds memory for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUser {
    /// Lines of accounts that are away.
    OfflineMailboxes,
    /// Lines that a session's client has not acknowledged, and messages that wait for their peers.
    Sessions,
    /// Sessions without a client, each as a whole.
    Grace,
    /// Frames that a connection has not taken.
    Connections,
    /// Requests of `/api` that are not answered.
    Requests,
}

impl MemoryUser {
    /// Every holder, with its name in metrics.
    pub const ALL: &[(MemoryUser, &'static str)] = &[
        (Self::OfflineMailboxes, "kept lines"),
        (Self::Sessions, "sessions"),
        (Self::Grace, "sessions without a client"),
        (Self::Connections, "connections"),
        (Self::Requests, "requests"),
    ];
}

/// Amounts are counted in steps, so that small ones cost no shared counter.
const STEP: usize = 4 * 1024;

/// All that is held.
#[derive(Debug)]
pub struct Memory {
    bound: usize,
    total: AtomicUsize,
    by_holder: [AtomicUsize; MemoryUser::ALL.len()],
}

/// What one holder holds; dropped, it holds nothing.
#[derive(Debug)]
pub struct MemoryUse {
    memory: Arc<Memory>,
    holder: MemoryUser,
    bytes: usize,
}

impl Memory {
    /// Nothing is held yet, of at most `bound` bytes.
    pub fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            bound,
            total: AtomicUsize::new(0),
            by_holder: Default::default(),
        })
    }

    /// A holder of nothing.
    pub fn holds(self: &Arc<Self>, holder: MemoryUser) -> MemoryUse {
        MemoryUse {
            memory: self.clone(),
            holder,
            bytes: 0,
        }
    }

    /// Whether more is held than should be.
    pub fn is_full(&self) -> bool {
        self.total.load(Ordering::Relaxed) > self.bound
    }

    /// The bytes that the holders of a kind hold.
    pub fn of(&self, holder: MemoryUser) -> usize {
        self.by_holder[holder as usize].load(Ordering::Relaxed)
    }
}

impl MemoryUse {
    /// Whether it should hold less: more is held by all than should be.
    pub fn is_pressed(&self) -> bool {
        self.memory.is_full()
    }

    /// The holder holds so many bytes now.
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
    fn what_is_held_is_counted_until_it_is_let_go() {
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
