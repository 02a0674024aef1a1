//! Queue between sessions and the trace writer thread.
//!
//! Sessions copy an event into their file's buffer under a short lock. The writer takes whole buffers and returns empty
//! ones. So there is no allocation, sharing or wake-up per record. Only the writer accesses the disk.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::buffer::Batch;
use crate::event::TraceEvent;
use crate::output::Opening;

/// Maximum of waiting records of all files; more are dropped, and end their file.
const RECORDS: usize = 65_536;
/// Maximum of their bytes.
const BYTES: usize = 64 << 20;
/// A buffer that grew beyond this is not reused.
const KEEP: usize = 4 << 20;
/// Number of spare buffers.
const SPARE: usize = 2;

/// Queue between sessions and the writer thread.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

/// Result of adding a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Queued.
    Waits,
    /// First lost record of its file: the queue is full.
    ExpansionLimitExceeded,
    /// Lost, like earlier ones.
    Over,
}

/// A new file was rejected: the writer has not opened the last one, is full, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk is too slow; earlier records are not written yet")]
pub struct WriterOverloaded;

/// Next work of the writer for one file, in this order.
#[derive(Debug)]
pub struct Work {
    pub file: u64,
    /// File to open first.
    pub opening: Option<Opening>,
    /// Records to write.
    pub batch: Batch,
    /// No more records follow.
    pub last: bool,
}

#[derive(Debug, Default)]
struct State {
    /// By file number.
    files: BTreeMap<u64, Waiting>,
    next_file: u64,
    /// Waiting records of all files.
    records: usize,
    bytes: usize,
    /// Records taken by the writer and not yet written.
    taken: usize,
    spare: Vec<Batch>,
    /// The writer is idle and needs a wake-up.
    waits: bool,
    end: End,
}

/// State of the recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// Accepts new sessions.
    #[default]
    Open,
    /// Accepts no new sessions; recorded ones continue to their end.
    Closed,
    /// Shutdown: waiting records are written, and no more are accepted.
    Finished,
}

/// Waiting records of one file.
#[derive(Debug)]
struct Waiting {
    opening: Option<Opening>,
    batch: Batch,
    /// No session is left, or a record was lost, after which a replay is impossible.
    last: bool,
}

impl State {
    fn is_full(&self) -> bool {
        self.records >= RECORDS || self.bytes >= BYTES
    }

    /// Takes all work; removes files after their last batch.
    fn work(&mut self) -> Vec<Work> {
        let mut work = Vec::new();
        for (file, waiting) in &mut self.files {
            waiting.last |= self.end == End::Finished;
            if waiting.last || waiting.opening.is_some() || !waiting.batch.is_empty() {
                work.push(Work {
                    file: *file,
                    opening: waiting.opening.take(),
                    batch: std::mem::replace(&mut waiting.batch, self.spare.pop().unwrap_or_default()),
                    last: waiting.last,
                });
            }
        }
        self.taken += std::mem::take(&mut self.records);
        self.bytes = 0;
        self.files.retain(|_, waiting| !waiting.last);
        work
    }
}

impl Queue {
    /// Queues the opening of a file; returns its number.
    ///
    /// # Errors
    /// The writer is too far behind, or has ended.
    pub fn begin(&self, opening: Opening) -> Result<u64, WriterOverloaded> {
        let mut state = self.state.lock();
        let waits = state.files.values().any(|waiting| waiting.opening.is_some());
        if waits || state.is_full() || state.end != End::Open {
            return Err(WriterOverloaded);
        }
        state.next_file += 1;
        let file = state.next_file;
        let waiting = Waiting {
            opening: Some(opening),
            batch: Batch::default(),
            last: false,
        };
        state.files.insert(file, waiting);
        self.wake(&mut state);
        Ok(file)
    }

    /// Adds a record.
    pub fn add(&self, file: u64, t_us: u64, session: u64, what: TraceEvent<'_>) -> Added {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let (is_full, ends) = (state.is_full(), state.end == End::Finished);
        let Some(waiting) = state.files.get_mut(&file).filter(|waiting| !waiting.last && !ends) else {
            return Added::Over;
        };
        if is_full {
            waiting.last = true;
            return Added::ExpansionLimitExceeded;
        }
        let before = waiting.batch.bytes();
        waiting.batch.add(t_us, session, what);
        state.bytes += waiting.batch.bytes() - before;
        state.records += 1;
        self.wake(state);
        Added::Waits
    }

    fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.waits) {
            self.filled.notify_all();
        }
    }

    /// Waits for work and takes all of it; `None` at the end.
    pub fn take(&self) -> Option<Vec<Work>> {
        let mut state = self.state.lock();
        loop {
            let work = state.work();
            if !work.is_empty() {
                return Some(work);
            }
            if state.end == End::Finished || state.end == End::Closed && state.files.is_empty() {
                return None;
            }
            state.waits = true;
            self.filled.wait(&mut state);
        }
    }

    /// Reports written or lost records, and returns their buffer.
    pub fn done(&self, records: usize, mut used: Batch) {
        used.clear();
        let mut state = self.state.lock();
        state.taken = state.taken.saturating_sub(records);
        if state.spare.len() < SPARE && used.room() <= KEEP {
            state.spare.push(used);
        }
    }

    /// Waits for records to accumulate, except at the end.
    pub fn gather(&self, time: Duration) {
        let mut state = self.state.lock();
        if state.end != End::Finished {
            self.filled.wait_for(&mut state, time);
        }
    }

    /// Rejects further records of a file; returns the number of waiting ones.
    pub fn refuse(&self, file: u64) -> usize {
        let mut state = self.state.lock();
        let Some(waiting) = state.files.remove(&file) else {
            return 0;
        };
        state.records -= waiting.batch.len();
        state.bytes -= waiting.batch.bytes();
        waiting.batch.len()
    }

    /// Returns true if records of a file are being lost.
    pub fn is_over(&self, file: u64) -> bool {
        self.state.lock().files.get(&file).is_none_or(|waiting| waiting.last)
    }

    /// Marks the end of a file.
    pub fn close(&self, file: u64) {
        let mut state = self.state.lock();
        if let Some(waiting) = state.files.get_mut(&file) {
            waiting.last = true;
        }
        self.wake(&mut state);
    }

    /// Marks the end of all files.
    pub fn close_all(&self) {
        self.end(End::Closed);
    }

    /// Shuts down.
    pub fn finish(&self) {
        self.end(End::Finished);
    }

    fn end(&self, end: End) {
        let mut state = self.state.lock();
        state.end = end;
        state.waits = false;
        self.filled.notify_all();
    }

    /// Returns the number of unwritten records.
    pub fn unwritten(&self) -> usize {
        let state = self.state.lock();
        state.records + state.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::opening;
    use protocol::event::SocketId;

    fn add(queue: &Queue, file: u64, frame: &str) -> Added {
        let socket = SocketId(1);
        queue.add(file, 0, 1, TraceEvent::Decoded { socket, frame })
    }

    /// Returns file, whether to open it, records, and whether it ends.
    fn taken(queue: &Queue) -> Option<Vec<(u64, bool, usize, bool)>> {
        let work = queue.take()?.into_iter();
        let shown = work.map(|work| {
            let len = work.batch.len();
            queue.done(len, work.batch);
            (work.file, work.opening.is_some(), len, work.last)
        });
        Some(shown.collect())
    }

    #[test]
    fn added_records_are_taken_before_the_end() {
        let queue = Queue::default();
        let file = queue.begin(opening()).expect("nothing waits");
        assert_eq!([add(&queue, file, "a"), add(&queue, file, "b")], [Added::Waits; 2]);
        assert_eq!(queue.unwritten(), 2);
        queue.close(file);
        assert_eq!(add(&queue, file, "c"), Added::Over);
        assert_eq!(taken(&queue), Some(vec![(file, true, 2, true)]));
        assert_eq!(queue.unwritten(), 0);
        queue.close_all();
        assert_eq!(taken(&queue), None);
    }

    #[test]
    fn files_end_by_themselves_and_all_at_the_end() {
        let queue = Queue::default();
        let first = queue.begin(opening()).expect("nothing waits");
        assert_eq!(
            queue.begin(opening()),
            Err(WriterOverloaded),
            "one file after the other"
        );
        assert_eq!(taken(&queue), Some(vec![(first, true, 0, false)]));
        let second = queue.begin(opening()).expect("the first one is open");
        assert_eq!([add(&queue, first, "a"), add(&queue, second, "b")], [Added::Waits; 2]);
        assert_eq!(
            taken(&queue),
            Some(vec![(first, false, 1, false), (second, true, 1, false)])
        );
        assert_eq!(queue.refuse(second), 0);
        assert_eq!(add(&queue, second, "b"), Added::Over);
        queue.finish();
        assert_eq!(add(&queue, first, "a"), Added::Over);
        assert_eq!(queue.begin(opening()), Err(WriterOverloaded));
        assert_eq!(taken(&queue), Some(vec![(first, false, 0, true)]));
        assert_eq!(taken(&queue), None);
    }

    #[test]
    fn it_is_bounded_in_records_and_in_bytes() {
        let queue = Queue::default();
        let file = queue.begin(opening()).expect("nothing waits");
        taken(&queue);
        assert!((0..RECORDS).all(|_| add(&queue, file, "x") == Added::Waits));
        assert_eq!(queue.begin(opening()), Err(WriterOverloaded), "the queue is full");
        assert_eq!(add(&queue, file, "x"), Added::ExpansionLimitExceeded);
        assert!(queue.is_over(file));
        assert_eq!(add(&queue, file, "x"), Added::Over, "nothing follows a lost record");
        assert_eq!(taken(&queue), Some(vec![(file, false, RECORDS, true)]));

        let (first, large) = (queue.begin(opening()).expect("room"), "x".repeat(BYTES / 4));
        taken(&queue);
        let second = queue.begin(opening()).expect("room");
        assert!((0..4).all(|at| add(&queue, [first, second][at % 2], &large) == Added::Waits));
        assert_eq!(
            add(&queue, first, "x"),
            Added::ExpansionLimitExceeded,
            "of all files together"
        );
        assert_eq!(add(&queue, second, "x"), Added::ExpansionLimitExceeded);
    }
}
