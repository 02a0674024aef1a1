//! Pending requests.

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;

use rtm::value::Value;
use tables::row::SigId;

use crate::memory_budget::MemoryUse;

/// Maximum number of pending requests on one connection.
pub const MAX_REQUESTS: usize = 256;
/// Maximum memory of pending requests and of responses that wait for their batch.
const MAX_BYTES: usize = 256 * 1024;
/// The same while the memory budget is exhausted.
const SMALL_SHARE: usize = 16 * 1024;
/// Memory of a request besides its texts.
const ENTRY_BYTES: usize = 128;
/// The number of the login, which is not a function of the wire.
pub const LOGIN_CALL: i64 = 0;

/// A pending request.
#[derive(Debug)]
pub struct Entry {
    /// The address of the response; `None` for a notification.
    pub to: Option<Address>,
    /// The function named by an `invoke`: its result event and the app's number.
    pub invoked: Option<(SigId, Value)>,
}

/// The address of a response.
#[derive(Debug)]
pub struct Address {
    pub id: Box<RawValue>,
    /// The request's place in its batch.
    pub place: Option<Place>,
}

/// The place of a request in a batch, which is also that of its response.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub batch: u64,
    /// Number of requests before it.
    pub at: usize,
}

impl Entry {
    fn bytes(&self) -> usize {
        let id = self.to.as_ref().map_or(0, |to| to.id.get().len());
        let invoked = self.invoked.as_ref().map_or(0, |(_, number)| number.bytes());
        ENTRY_BYTES + id + invoked
    }
}

/// The pending requests of a connection by the engine's call number, and their batches.
#[derive(Debug, Default)]
pub struct PendingRequests {
    entries: HashMap<i64, Entry>,
    last: i64,
    batches: HashMap<u64, Batch>,
    last_batch: u64,
    has_logged_in: bool,
    bytes: usize,
    /// The memory accounting.
    held: Option<MemoryUse>,
}

#[derive(Debug, Default)]
struct Batch {
    waiting: usize,
    /// Responses by their places.
    done: BTreeMap<usize, String>,
    /// All requests of the batch have been read.
    closed: bool,
}

impl PendingRequests {
    /// Sets the memory accounting.
    pub fn count_in(&mut self, held: MemoryUse) {
        self.held = Some(held);
    }

    /// Returns true if the pending-request limit is reached.
    pub fn is_full(&self, entry: &Entry) -> bool {
        let is_pressed = self.held.as_ref().is_some_and(MemoryUse::is_pressed);
        let most = if is_pressed { SMALL_SHARE } else { MAX_BYTES };
        // One request always fits: it is no larger than a frame.
        let is_first = self.bytes == 0;
        self.entries.len() >= MAX_REQUESTS || !is_first && self.bytes + entry.bytes() > most
    }

    fn reserve(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.report();
    }

    fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.report();
    }

    fn report(&mut self) {
        if let Some(held) = &mut self.held {
            held.set(self.bytes);
        }
    }

    /// Registers a login; returns false if the connection already had one.
    pub fn log_in(&mut self) -> bool {
        !std::mem::replace(&mut self.has_logged_in, true)
    }

    /// Returns the number of a new request.
    pub fn number(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Registers a pending request.
    pub fn wait(&mut self, number: i64, entry: Entry) {
        if let Some(place) = entry.to.as_ref().and_then(|to| to.place)
            && let Some(batch) = self.batches.get_mut(&place.batch)
        {
            batch.waiting += 1;
        }
        if entry.to.is_some() || entry.invoked.is_some() {
            self.reserve(entry.bytes());
            if let Some(before) = self.entries.insert(number, entry) {
                self.release(before.bytes());
            }
        }
    }

    /// Removes and returns the pending request of a number.
    pub fn take(&mut self, number: i64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        self.release(entry.bytes());
        Some(entry)
    }

    /// Converts result events to other tables. A function without an equal has no result event.
    pub fn convert(&mut self, convert: impl Fn(SigId) -> Option<SigId>) {
        for entry in self.entries.values_mut() {
            self.bytes -= entry.bytes();
            entry.invoked = entry
                .invoked
                .take()
                .and_then(|(sig, number)| Some((convert(sig)?, number)));
            self.bytes += entry.bytes();
        }
        self.report();
    }

    /// Starts a batch.
    pub fn begin_batch(&mut self) -> u64 {
        self.last_batch += 1;
        self.batches.insert(self.last_batch, Batch::default());
        self.last_batch
    }

    /// Ends a batch. Returns its response, if no request is pending and the response is not empty.
    pub fn end_batch(&mut self, batch: u64) -> Option<String> {
        self.batches.get_mut(&batch)?.closed = true;
        self.finished(batch)
    }

    /// Adds a response; returns the text to send now.
    pub fn answered(&mut self, place: Option<Place>, text: String) -> Option<String> {
        let Some(place) = place else { return Some(text) };
        let batch = self.batches.get_mut(&place.batch)?;
        batch.waiting = batch.waiting.saturating_sub(1);
        self.refused(place, text);
        self.finished(place.batch)
    }

    /// Adds the response to a request that was refused at once.
    pub fn refused(&mut self, place: Place, text: String) {
        if let Some(batch) = self.batches.get_mut(&place.batch) {
            let bytes = text.len();
            batch.done.insert(place.at, text);
            self.reserve(bytes);
        }
    }

    fn finished(&mut self, number: u64) -> Option<String> {
        let batch = self.batches.get(&number)?;
        if !batch.closed || batch.waiting > 0 {
            return None;
        }
        let done: Vec<String> = self.batches.remove(&number)?.done.into_values().collect();
        self.release(done.iter().map(String::len).sum());
        (!done.is_empty()).then(|| format!("[{}]", done.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_budget::{Memory, MemoryUser};

    fn entry(bytes: usize, place: Option<Place>) -> Entry {
        let id = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
        Entry {
            to: Some(Address { id, place }),
            invoked: None,
        }
    }

    #[test]
    fn pending_requests_are_bounded_in_number_and_bytes() {
        let memory = Memory::new(1 << 20);
        let mut pending = PendingRequests::default();
        pending.count_in(memory.holds(MemoryUser::Requests));
        let fill = |pending: &mut PendingRequests, bytes: usize| {
            for number in 1.. {
                if pending.is_full(&entry(bytes, None)) {
                    return number - 1;
                }
                pending.wait(number, entry(bytes, None));
            }
            0
        };
        assert_eq!(fill(&mut pending, 60_000), 4);
        assert!(memory.of(MemoryUser::Requests) > 240_000);
        (1..=4).for_each(|number| drop(pending.take(number)));
        assert_eq!(memory.of(MemoryUser::Requests), 0);
        assert_eq!(fill(&mut pending, 10), 256);
        (1..=256).for_each(|number| drop(pending.take(number)));
        let mut all = memory.holds(MemoryUser::Sessions);
        all.set(2 << 20);
        assert_eq!(fill(&mut pending, 60_000), 1);
    }

    #[test]
    fn waiting_batch_responses_are_counted() {
        let mut pending = PendingRequests::default();
        let batch = pending.begin_batch();
        let place = |at| Place { batch, at };
        for at in [0, 1] {
            pending.wait(at as i64, entry(10, Some(place(at))));
        }
        assert_eq!(pending.end_batch(batch), None);
        pending.take(1);
        let before = pending.bytes;
        assert_eq!(pending.answered(Some(place(1)), "x".repeat(1000)), None);
        assert_eq!(pending.bytes, before + 1000);
        pending.take(0);
        assert!(pending.answered(Some(place(0)), "y".into()).is_some());
        assert_eq!(pending.bytes, 0);
    }

    #[test]
    fn responses_have_the_order_of_their_requests() {
        let mut open = PendingRequests::default();
        let batch = open.begin_batch();
        let place = |at| Place { batch, at };
        for at in [0, 1, 3] {
            open.wait(at as i64, entry(1, Some(place(at))));
        }
        open.refused(place(2), "c".into());
        assert_eq!(open.end_batch(batch), None);
        assert_eq!(open.answered(Some(place(3)), "d".into()), None);
        assert_eq!(open.answered(Some(place(1)), "b".into()), None);
        assert_eq!(open.answered(Some(place(0)), "a".into()).as_deref(), Some("[a,b,c,d]"));
    }
}
