//! What waits for the thread that writes a trace.
//!
//! Sessions copy what happens into one buffer, once and as it is, under a lock that is held no longer than that takes. The
//! thread that writes takes the whole buffer and gives back an empty one: nothing is allocated, shared or freed for
//! a single record, and nobody is woken for one.

use parking_lot::{Condvar, Mutex};

use super::batch::Batch;
use super::happening::Happening;

/// Records that wait; more are not recorded, and end the file.
const RECORDS: usize = 65_536;
/// Bytes of them.
const BYTES: usize = 64 << 20;
/// A buffer that has grown beyond this is not used again.
const KEEP: usize = 4 << 20;

/// Between sessions and the thread that writes.
#[derive(Debug, Default)]
pub struct Spool {
    state: Mutex<State>,
    filled: Condvar,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It waits to be written.
    Waits,
    /// It is the first that is lost: there is no room.
    TooMuch,
    /// It is lost, as others before it.
    Over,
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    /// The thread has nothing to write, and is to be woken.
    waits: bool,
    /// No session is left.
    closed: bool,
    /// It has lost a record: nothing that follows could be played.
    broken: bool,
}

impl Spool {
    /// Adds a record.
    pub fn add(&self, t_us: u64, session: u64, what: Happening<'_>) -> Added {
        let mut state = self.state.lock();
        if state.broken {
            return Added::Over;
        }
        if state.batch.len() >= RECORDS || state.batch.bytes() >= BYTES {
            state.broken = true;
            return Added::TooMuch;
        }
        state.batch.add(t_us, session, what);
        if std::mem::take(&mut state.waits) {
            self.filled.notify_one();
        }
        Added::Waits
    }

    /// Waits until there is something to write, and takes all of it; none when nothing can follow. `used` is what was
    /// taken last.
    pub fn take(&self, mut used: Batch) -> Option<Batch> {
        used.clear();
        if used.room() > KEEP {
            used = Batch::default();
        }
        let mut state = self.state.lock();
        while state.batch.is_empty() {
            if state.closed {
                return None;
            }
            state.waits = true;
            self.filled.wait(&mut state);
        }
        Some(std::mem::replace(&mut state.batch, used))
    }

    /// Takes no more: what follows is lost. Returns how many records were waiting.
    pub fn refuse(&self) -> usize {
        let mut state = self.state.lock();
        state.broken = true;
        std::mem::take(&mut state.batch).len()
    }

    /// Whether records are lost.
    pub fn is_broken(&self) -> bool {
        self.state.lock().broken
    }

    /// No record follows.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::SocketId;

    fn add(spool: &Spool, frame: &str) -> Added {
        let socket = SocketId(1);
        spool.add(0, 1, Happening::Heard { socket, frame })
    }

    #[test]
    fn what_was_added_is_taken_before_the_end() {
        let spool = Spool::default();
        assert_eq!([add(&spool, "a"), add(&spool, "b")], [Added::Waits; 2]);
        spool.close();
        let batch = spool.take(Batch::default()).expect("two records");
        assert_eq!(batch.len(), 2);
        assert!(spool.take(batch).is_none());
    }

    #[test]
    fn it_is_bounded_in_records_and_in_bytes() {
        let spool = Spool::default();
        assert!((0..RECORDS).all(|_| add(&spool, "x") == Added::Waits));
        assert_eq!(add(&spool, "x"), Added::TooMuch);
        assert_eq!((spool.is_broken(), spool.refuse()), (true, RECORDS));
        assert_eq!(
            add(&spool, "x"),
            Added::Over,
            "what was lost is not followed by anything"
        );

        let spool = Spool::default();
        let large = "x".repeat(BYTES / 4);
        assert!((0..4).all(|_| add(&spool, &large) == Added::Waits));
        assert_eq!(add(&spool, "x"), Added::TooMuch);
    }
}
