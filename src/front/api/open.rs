//! Requests that are not answered yet.

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;

use crate::mapping::row::SigId;
use crate::shell::Held;
use crate::value::Value;

/// Most of them on one connection.
pub const MAX_OPEN: usize = 256;
/// What they may take, with the responses that wait for others of their batch.
const OPEN_BYTES: usize = 256 * 1024;
/// The same while the memory of the sidecar is full.
const SMALL_SHARE: usize = 16 * 1024;
/// What a request takes beside its texts.
const ENTRY_BYTES: usize = 128;
/// The number of the login, the only call of a connection that is none of the wire's functions.
pub const LOGIN_CALL: i64 = 0;

/// A request that waits.
#[derive(Debug)]
pub struct Entry {
    /// Where its response goes; a notification has none.
    pub to: Option<Address>,
    /// It has named a function, whose result an event tells, with a number of the app's.
    pub invoked: Option<(SigId, Value)>,
}

/// Where a response goes.
#[derive(Debug)]
pub struct Address {
    /// The request's id.
    pub id: Box<RawValue>,
    /// Where it was in the batch that it came in.
    pub place: Option<Place>,
}

/// The place of a request in a batch; its response has the same, whichever is known first.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The batch.
    pub batch: u64,
    /// How many requests come before it.
    pub at: usize,
}

impl Entry {
    fn bytes(&self) -> usize {
        let id = self.to.as_ref().map_or(0, |to| to.id.get().len());
        let invoked = self.invoked.as_ref().map_or(0, |(_, number)| number.bytes());
        ENTRY_BYTES + id + invoked
    }
}

/// The requests of a connection by the number that the engine knows each by, and the batches that wait for them.
#[derive(Debug, Default)]
pub struct Open {
    entries: HashMap<i64, Entry>,
    last: i64,
    batches: HashMap<u64, Batch>,
    last_batch: u64,
    has_logged_in: bool,
    bytes: usize,
    /// Where what it takes is counted.
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Batch {
    waiting: usize,
    /// By their places.
    done: BTreeMap<usize, String>,
    /// Its last request has been read.
    closed: bool,
}

impl Open {
    /// Counts what it takes.
    pub fn count_in(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// Whether there is no room for one more.
    pub fn is_full(&self, entry: &Entry) -> bool {
        let is_pressed = self.held.as_ref().is_some_and(Held::is_pressed);
        let most = if is_pressed { SMALL_SHARE } else { OPEN_BYTES };
        // One request fits always: it is no larger than a frame.
        let is_first = self.bytes == 0;
        self.entries.len() >= MAX_OPEN || !is_first && self.bytes + entry.bytes() > most
    }

    fn takes(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.report();
    }

    fn lets_go(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.report();
    }

    fn report(&mut self) {
        if let Some(held) = &mut self.held {
            held.set(self.bytes);
        }
    }

    /// A login begins; false when the connection has had one.
    pub fn log_in(&mut self) -> bool {
        !std::mem::replace(&mut self.has_logged_in, true)
    }

    /// The number of a new request.
    pub fn number(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Notes who waits for the answer to a number.
    pub fn wait(&mut self, number: i64, entry: Entry) {
        if let Some(place) = entry.to.as_ref().and_then(|to| to.place)
            && let Some(batch) = self.batches.get_mut(&place.batch)
        {
            batch.waiting += 1;
        }
        if entry.to.is_some() || entry.invoked.is_some() {
            self.takes(entry.bytes());
            if let Some(before) = self.entries.insert(number, entry) {
                self.lets_go(before.bytes());
            }
        }
    }

    /// Who waits for the answer to a number.
    pub fn take(&mut self, number: i64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        self.lets_go(entry.bytes());
        Some(entry)
    }

    /// A batch begins.
    pub fn begin_batch(&mut self) -> u64 {
        self.last_batch += 1;
        self.batches.insert(self.last_batch, Batch::default());
        self.last_batch
    }

    /// A batch has been read; its answer, when nothing of it waits and there is one.
    pub fn end_batch(&mut self, batch: u64) -> Option<String> {
        self.batches.get_mut(&batch)?.closed = true;
        self.finished(batch)
    }

    /// A response is there; what is to be sent now.
    pub fn answered(&mut self, place: Option<Place>, text: String) -> Option<String> {
        let Some(place) = place else { return Some(text) };
        let batch = self.batches.get_mut(&place.batch)?;
        batch.waiting = batch.waiting.saturating_sub(1);
        self.refused(place, text);
        self.finished(place.batch)
    }

    /// A response to a request of a batch that never waited.
    pub fn refused(&mut self, place: Place, text: String) {
        if let Some(batch) = self.batches.get_mut(&place.batch) {
            let bytes = text.len();
            batch.done.insert(place.at, text);
            self.takes(bytes);
        }
    }

    fn finished(&mut self, number: u64) -> Option<String> {
        let batch = self.batches.get(&number)?;
        if !batch.closed || batch.waiting > 0 {
            return None;
        }
        let done: Vec<String> = self.batches.remove(&number)?.done.into_values().collect();
        self.lets_go(done.iter().map(String::len).sum());
        (!done.is_empty()).then(|| format!("[{}]", done.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Holder, Memory};

    fn entry(bytes: usize, place: Option<Place>) -> Entry {
        let id = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
        Entry {
            to: Some(Address { id, place }),
            invoked: None,
        }
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_in_bytes() {
        let memory = Memory::new(1 << 20);
        let mut open = Open::default();
        open.count_in(memory.holds(Holder::Requests));
        let fill = |open: &mut Open, bytes: usize| {
            for number in 1.. {
                if open.is_full(&entry(bytes, None)) {
                    return number - 1;
                }
                open.wait(number, entry(bytes, None));
            }
            0
        };
        assert_eq!(fill(&mut open, 60_000), 4);
        assert!(memory.of(Holder::Requests) > 240_000);
        (1..=4).for_each(|number| drop(open.take(number)));
        assert_eq!(memory.of(Holder::Requests), 0);
        assert_eq!(fill(&mut open, 10), 256);
        (1..=256).for_each(|number| drop(open.take(number)));
        let mut all = memory.holds(Holder::Sessions);
        all.set(2 << 20);
        assert_eq!(fill(&mut open, 60_000), 1);
    }

    #[test]
    fn responses_that_wait_for_their_batch_count() {
        let mut open = Open::default();
        let batch = open.begin_batch();
        let place = |at| Place { batch, at };
        for at in [0, 1] {
            open.wait(at as i64, entry(10, Some(place(at))));
        }
        assert_eq!(open.end_batch(batch), None);
        open.take(1);
        let before = open.bytes;
        assert_eq!(open.answered(Some(place(1)), "x".repeat(1000)), None);
        assert_eq!(open.bytes, before + 1000);
        open.take(0);
        assert!(open.answered(Some(place(0)), "y".into()).is_some());
        assert_eq!(open.bytes, 0);
    }

    #[test]
    fn responses_have_the_order_of_their_requests() {
        let mut open = Open::default();
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
