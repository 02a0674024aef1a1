//! Reliable in-order delivery across reconnects: sequence numbers and acks.
//!
//! Pure: the socket's task takes frames to write and reports frames read.

use std::collections::{BTreeSet, VecDeque};

use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Maximum of held objects; above it the first one may be acknowledged. Half of a window, so that a link continues.
const MAX_HELD: usize = 512;

/// Both directions of a link, across successive sockets.
#[derive(Debug)]
pub struct ReliableQueue {
    /// Unacknowledged objects, with the first one's number.
    unacknowledged_objects: VecDeque<Utf8Bytes>,
    first: u64,
    /// Last number written to the current socket.
    written: u64,
    /// Maximum of unacknowledged objects.
    window: u64,
    /// Last number processed here.
    received: u64,
    /// Last acknowledged number.
    acknowledged: u64,
    /// Received objects whose effects are not stored yet. An ack stops before the first one.
    held: BTreeSet<u64>,
}

/// Meaning of a received number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Next in order: process it.
    Next,
    /// Duplicate: drop it.
    Seen,
    /// Objects are missing: fatal.
    Gap,
}

impl Default for ReliableQueue {
    fn default() -> Self {
        Self {
            unacknowledged_objects: VecDeque::new(),
            first: 1,
            written: 0,
            window: 1024,
            received: 0,
            acknowledged: 0,
            held: BTreeSet::new(),
        }
    }
}

impl ReliableQueue {
    /// Appends an object; `write` gets its number.
    pub fn push(&mut self, write: impl FnOnce(u64) -> String) {
        let seq = self.first + self.unacknowledged_objects.len() as u64;
        self.unacknowledged_objects.push_back(write(seq).into());
    }

    /// Returns the number of unacknowledged and unwritten objects.
    pub fn waiting(&self) -> usize {
        self.unacknowledged_objects.len()
    }

    /// Returns the next object to write, if the window allows.
    pub fn next(&mut self) -> Option<Utf8Bytes> {
        let next = self.written + 1;
        if next >= self.first + self.window {
            return None;
        }
        let index = usize::try_from(next.checked_sub(self.first)?).ok()?;
        let text = self.unacknowledged_objects.get(index)?.clone();
        self.written = next;
        Some(text)
    }

    /// Handles an ack up to `seq`; returns false if it is invalid.
    pub fn acknowledge(&mut self, seq: u64) -> bool {
        if seq > self.written {
            return false;
        }
        while self.first <= seq && self.unacknowledged_objects.pop_front().is_some() {
            self.first += 1;
        }
        true
    }

    /// Handles a received object.
    pub fn receive(&mut self, seq: u64) -> Incoming {
        if seq <= self.received {
            Incoming::Seen
        } else if seq == self.received + 1 {
            self.received = seq;
            Incoming::Next
        } else {
            Incoming::Gap
        }
    }

    /// Returns the last number processed here.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns the last number that may be acknowledged.
    pub fn acknowledgeable(&self) -> u64 {
        self.held.first().map_or(self.received, |first| first - 1)
    }

    /// Excludes the last received object, and those after it, from acks until its release. Returns its number.
    pub fn hold(&mut self) -> u64 {
        if self.held.len() >= MAX_HELD {
            self.held.pop_first();
        }
        self.held.insert(self.received);
        self.received
    }

    /// Releases a held object.
    pub fn release(&mut self, seq: u64) {
        self.held.remove(&seq);
    }

    /// Returns the number of processed objects without an ack to the other side, except for held ones.
    pub fn unacknowledged(&self) -> u64 {
        self.acknowledgeable().saturating_sub(self.acknowledged)
    }

    /// Marks all processed objects as acknowledged, except for held ones; returns the last number.
    pub fn note_acknowledged(&mut self) -> u64 {
        self.acknowledged = self.acknowledgeable();
        self.acknowledged
    }

    /// Resumes on a new socket; the other side has processed all up to `seq`. Returns false if that is invalid.
    pub fn resume(&mut self, seq: u64, window: u64) -> bool {
        let known = self.first.checked_sub(1).is_some_and(|acked| seq >= acked) && seq <= self.written;
        if known {
            self.acknowledge(seq);
            self.written = seq;
            self.window = window.max(1);
            self.acknowledged = self.acknowledgeable();
        }
        known
    }

    /// Restarts with another peer; returns the unacknowledged objects.
    pub fn restart(&mut self, window: u64) -> VecDeque<Utf8Bytes> {
        let fresh = Self {
            window: window.max(1),
            ..Self::default()
        };
        std::mem::replace(self, fresh).unacknowledged_objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(n: u64) -> ReliableQueue {
        let mut queue = ReliableQueue::default();
        (0..n).for_each(|_| queue.push(|seq| seq.to_string()));
        queue
    }

    fn written(queue: &mut ReliableQueue) -> Vec<String> {
        std::iter::from_fn(|| queue.next().map(|text| text.to_string())).collect()
    }

    #[test]
    fn objects_are_written_once_and_again_after_a_loss() {
        let mut queue = pushed(3);
        assert_eq!(written(&mut queue), ["1", "2", "3"]);
        assert_eq!(written(&mut queue), [""; 0]);
        assert!(queue.acknowledge(1));
        assert!(queue.resume(2, 10));
        assert_eq!(written(&mut queue), ["3"]);
        assert_eq!(queue.waiting(), 1);
    }

    #[test]
    fn the_window_bounds_what_is_on_its_way() {
        let mut queue = pushed(5);
        assert!(queue.resume(0, 2));
        assert_eq!(written(&mut queue), ["1", "2"]);
        assert!(queue.acknowledge(1));
        assert_eq!(written(&mut queue), ["3"]);
    }

    #[test]
    fn invalid_sequence_numbers_are_rejected() {
        let mut queue = pushed(2);
        assert!(!queue.acknowledge(1), "not written yet");
        queue.next();
        assert!(!queue.acknowledge(2));
        assert!(!queue.resume(2, 10));
        assert!(queue.acknowledge(1));
        assert!(!queue.resume(0, 10), "what was acknowledged is not kept");
    }

    #[test]
    fn objects_are_delivered_once_in_order() {
        let mut queue = ReliableQueue::default();
        let got: Vec<_> = [1, 1, 2, 4, 3].map(|seq| queue.receive(seq)).into();
        use Incoming::{Gap, Next, Seen};
        assert_eq!(got, [Next, Seen, Next, Gap, Next]);
        assert_eq!((queue.received(), queue.unacknowledged()), (3, 3));
        assert_eq!(queue.note_acknowledged(), 3);
        assert_eq!(queue.unacknowledged(), 0);
    }

    #[test]
    fn an_ack_stops_before_the_first_held_object() {
        let mut queue = ReliableQueue::default();
        queue.receive(1);
        queue.receive(2);
        assert_eq!(queue.hold(), 2);
        queue.receive(3);
        assert_eq!(queue.hold(), 3);
        queue.receive(4);
        assert_eq!((queue.unacknowledged(), queue.note_acknowledged()), (1, 1));
        queue.release(3);
        assert_eq!(queue.unacknowledged(), 0);
        queue.release(2);
        assert_eq!((queue.unacknowledged(), queue.note_acknowledged()), (3, 4));
        for seq in 5..5 + MAX_HELD as u64 + 2 {
            queue.receive(seq);
            queue.hold();
        }
        assert_eq!(queue.acknowledgeable(), 6, "the number of held objects is bounded");
    }

    #[test]
    fn another_side_begins_at_one() {
        let mut queue = pushed(2);
        queue.next();
        queue.receive(1);
        assert_eq!(queue.restart(4).len(), 2);
        queue.push(|seq| seq.to_string());
        assert_eq!(written(&mut queue), ["1"]);
        assert_eq!(queue.received(), 0);
    }
}
