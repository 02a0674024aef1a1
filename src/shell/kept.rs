//! Lines that wait for accounts which are away, on this sidecar (decisions H3).
//!
//! RTM has delivered them and keeps nothing; a login elsewhere does not find them (`MAILBOX-VOLATILE`).

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use crate::bridge::Event;
use crate::time::Time;

use super::spool::Key;

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
    /// Keeps the lines of an account that is away, at most `limit`. How many lines there was no room for.
    pub fn keep(&self, key: Key, lines: Lines, limit: usize) -> usize {
        let mut inner = self.inner.lock();
        if !inner.lines.contains_key(&key) {
            inner.order.push_back(key.clone());
        }
        let kept = inner.lines.entry(key).or_default();
        kept.extend(lines);
        let mut dropped = kept.len().saturating_sub(limit);
        kept.truncate(limit);
        while inner.order.len() > MAX_ACCOUNTS {
            let oldest = inner.order.pop_front().and_then(|oldest| inner.lines.remove(&oldest));
            dropped += oldest.map_or(0, |lines| lines.len());
        }
        dropped
    }

    /// Removes lines that are not `fresh`; returns how many, and the accounts that have none left.
    pub fn sweep(&self, fresh: impl Fn(Time) -> bool) -> (usize, Vec<Key>) {
        let mut inner = self.inner.lock();
        let (mut gone, mut empty) = (0, Vec::new());
        inner.lines.retain(|key, lines| {
            let before = lines.len();
            lines.retain(|(_, at)| fresh(*at));
            gone += before - lines.len();
            if lines.is_empty() {
                empty.push(key.clone());
            }
            !lines.is_empty()
        });
        if !empty.is_empty() {
            let Inner { lines, order } = &mut *inner;
            order.retain(|key| lines.contains_key(key));
        }
        (gone, empty)
    }

    /// All lines, by account in the order of their coming; none are left.
    pub fn take_all(&self) -> Vec<(Key, Lines)> {
        let mut inner = self.inner.lock();
        let order = std::mem::take(&mut inner.order);
        let with_lines = order.into_iter().filter_map(|key| {
            let lines = inner.lines.remove(&key)?;
            Some((key, lines))
        });
        with_lines.collect()
    }

    /// The lines of an account that is back.
    pub fn take(&self, key: &Key) -> Lines {
        let mut inner = self.inner.lock();
        let lines = inner.lines.remove(key);
        if lines.is_some() {
            inner.order.retain(|known| known != key);
        }
        lines.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::{Account, AppId};

    #[test]
    fn lines_wait_in_order_and_are_bounded() {
        let key = (AppId::new("app").unwrap(), Account::new("alice").unwrap());
        let line = |n| {
            (
                Event {
                    sig: n,
                    row: 0,
                    args: Vec::new(),
                },
                Time::from_millis(0),
            )
        };
        let kept = Kept::default();
        assert_eq!(kept.keep(key.clone(), vec![line(1), line(2)], 3), 0);
        assert_eq!(kept.keep(key.clone(), vec![line(3), line(4)], 3), 1);
        let sigs: Vec<usize> = kept.take(&key).iter().map(|(event, _)| event.sig).collect();
        assert_eq!(sigs, [1, 2, 3]);
        assert!(kept.take(&key).is_empty());
    }

    #[test]
    fn lines_are_forgotten_when_their_time_is_over() {
        let key = |name| (AppId::new("app").unwrap(), Account::new(name).unwrap());
        let line = |ms| {
            let (sig, row, args) = (0, 0, Vec::new());
            (Event { sig, row, args }, Time::from_millis(ms))
        };
        let kept = Kept::default();
        kept.keep(key("alice"), vec![line(1), line(5)], 9);
        kept.keep(key("bob"), vec![line(2)], 9);
        let later_than = |ms| move |at| at > Time::from_millis(ms);
        assert_eq!(kept.sweep(later_than(0)), (0, vec![]));
        assert_eq!(kept.sweep(later_than(3)), (2, vec![key("bob")]));
        assert_eq!(kept.take_all(), [(key("alice"), vec![line(5)])]);
    }
}
