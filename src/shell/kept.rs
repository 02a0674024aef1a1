//! Lines that wait for accounts which are away, on this sidecar (decisions H3).
//!
//! RTM has delivered them and keeps nothing; a login elsewhere does not find them (`MAILBOX-VOLATILE`).

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use crate::bridge::Event;
use crate::ident::{Account, AppId};
use crate::time::Time;

type Key = (AppId, Account);
type Lines = Vec<(Event, Time)>;

/// Accounts whose lines are kept; the oldest are forgotten first.
const MAX_ACCOUNTS: usize = 10_000;

/// Lines by account.
#[derive(Debug, Default)]
pub struct Kept {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: HashMap<Key, Lines>,
    order: VecDeque<Key>,
}

impl Kept {
    /// Keeps the lines of an account that is away.
    pub fn keep(&self, key: Key, lines: Lines) {
        let mut inner = self.inner.lock();
        if inner.lines.insert(key.clone(), lines).is_none() {
            inner.order.push_back(key);
        }
        while inner.order.len() > MAX_ACCOUNTS {
            if let Some(oldest) = inner.order.pop_front() {
                inner.lines.remove(&oldest);
            }
        }
    }

    /// The lines of an account that is back.
    pub fn take(&self, key: &Key) -> Lines {
        let mut inner = self.inner.lock();
        let lines = inner.lines.remove(key).unwrap_or_default();
        if !lines.is_empty() {
            inner.order.retain(|known| known != key);
        }
        lines
    }
}
