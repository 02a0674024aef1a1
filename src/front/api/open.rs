//! Requests that are not answered yet.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::mapping::row::SigId;
use crate::value::Value;

/// Most of them on one connection.
pub const MAX_OPEN: usize = 256;
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
    /// The batch that it came in.
    pub batch: Option<u64>,
}

/// The requests of a connection by the number that the engine knows each by, and the batches that wait for them.
#[derive(Debug, Default)]
pub struct Open {
    entries: HashMap<i64, Entry>,
    last: i64,
    batches: HashMap<u64, Batch>,
    last_batch: u64,
    has_logged_in: bool,
}

#[derive(Debug, Default)]
struct Batch {
    waiting: usize,
    done: Vec<String>,
    /// Its last request has been read.
    closed: bool,
}

impl Open {
    /// Whether there is no room for one more.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MAX_OPEN
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
        if let Some(batch) = entry.to.as_ref().and_then(|to| to.batch)
            && let Some(batch) = self.batches.get_mut(&batch)
        {
            batch.waiting += 1;
        }
        if entry.to.is_some() || entry.invoked.is_some() {
            self.entries.insert(number, entry);
        }
    }

    /// Who waits for the answer to a number.
    pub fn take(&mut self, number: i64) -> Option<Entry> {
        self.entries.remove(&number)
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
    pub fn answered(&mut self, batch: Option<u64>, text: String) -> Option<String> {
        let Some(number) = batch else { return Some(text) };
        let batch = self.batches.get_mut(&number)?;
        batch.waiting = batch.waiting.saturating_sub(1);
        batch.done.push(text);
        self.finished(number)
    }

    /// A response to a request of a batch that never waited.
    pub fn refused(&mut self, batch: u64, text: String) {
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.done.push(text);
        }
    }

    fn finished(&mut self, number: u64) -> Option<String> {
        let batch = self.batches.get(&number)?;
        if !batch.closed || batch.waiting > 0 {
            return None;
        }
        let done = self.batches.remove(&number)?.done;
        (!done.is_empty()).then(|| format!("[{}]", done.join(",")))
    }
}
