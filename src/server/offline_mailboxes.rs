//! Lines of offline accounts on this sidecar (decisions H3).
//!
//! RTM has delivered these lines and does not store them. A login elsewhere does not get them (`MAILBOX-VOLATILE`).
//! Each account has a limit, and [`Memory`] limits the sum. The oldest lines are dropped first. Lines expire.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use protocol::event::Event;
use rtm::time::Time;

use crate::server::mailbox_file::Key;
use crate::server::table_set::{TableSet, event_between};
use protocol::memory_budget::{Memory, MemoryUse, MemoryUser};

pub type Lines = Vec<(Event, Time)>;

/// Memory of an account without its lines.
const ACCOUNT_BYTES: usize = 256;

/// Lines of offline accounts.
pub struct OfflineMailboxes {
    memory: Arc<Memory>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Limits of one account: lines, bytes.
    limits: (usize, usize),
    /// Tables of all lines.
    set: Arc<TableSet>,
    accounts: HashMap<Key, Waiting>,
    /// Accounts, ordered by their oldest line.
    order: BTreeSet<(Time, u64)>,
    numbers: HashMap<u64, Key>,
    last: u64,
    bytes: usize,
    held: MemoryUse,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    lines: Lines,
    bytes: usize,
}

/// Dropped lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Number of dropped lines.
    pub lines: usize,
    /// Accounts without remaining lines.
    pub accounts: Vec<Key>,
}

impl OfflineMailboxes {
    /// Creates an empty store. `limits` are the limits of one account, in lines and bytes.
    pub fn new(memory: &Arc<Memory>, limits: (usize, usize), set: Arc<TableSet>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                limits,
                set,
                accounts: HashMap::new(),
                order: BTreeSet::new(),
                numbers: HashMap::new(),
                last: 0,
                bytes: 0,
                held: memory.holds(MemoryUser::OfflineMailboxes),
            }),
            memory: memory.clone(),
        }
    }

    /// Stores the lines of an offline account, whose events are those of `set`. Returns the number of rejected lines, and
    /// the lines dropped for them.
    pub fn keep(&self, key: Key, lines: Lines, set: &Arc<TableSet>) -> (usize, Dropped) {
        let inner = &mut *self.inner.lock();
        let mut waiting = inner.remove(&key).unwrap_or_default();
        let before = lines.len();
        let lines = lines_between(lines, set, &inner.set);
        let (most, most_bytes) = inner.limits;
        let mut taken = 0;
        for (event, at) in lines {
            let bytes = event.bytes();
            if waiting.lines.len() >= most || waiting.bytes + bytes > most_bytes {
                break;
            }
            waiting.bytes += bytes;
            waiting.lines.push((event, at));
            taken += 1;
        }
        inner.insert(key, waiting);
        (before - taken, inner.evict(&self.memory))
    }

    /// Drops the lines of accounts while the memory is full, in the order of their oldest lines.
    pub fn evict(&self) -> Dropped {
        self.inner.lock().evict(&self.memory)
    }

    /// Drops lines older than `ttl`.
    pub fn expire(&self, now: Time, ttl: Duration) -> Dropped {
        let inner = &mut *self.inner.lock();
        let mut expired = Dropped::default();
        while let Some((oldest, number)) = inner.order.first()
            && now.since(*oldest) >= ttl
        {
            let key = inner.numbers[number].clone();
            let mut waiting = inner.remove(&key).unwrap_or_default();
            let before = waiting.lines.len();
            waiting.lines.retain(|(_, at)| now.since(*at) < ttl);
            waiting.bytes = ACCOUNT_BYTES + waiting.lines.iter().map(|(event, _)| event.bytes()).sum::<usize>();
            expired.lines += before - waiting.lines.len();
            if waiting.lines.is_empty() {
                expired.accounts.push(key);
            } else {
                inner.insert(key, waiting);
            }
        }
        expired
    }

    /// Removes and returns all lines by account, in the order of their oldest lines, with their tables.
    pub fn take_all(&self) -> (Vec<(Key, Lines)>, Arc<TableSet>) {
        let inner = &mut *self.inner.lock();
        let set = inner.set.clone();
        (std::iter::from_fn(|| inner.pop_oldest()).collect(), set)
    }

    /// Removes and returns the lines of an account, for a session with the tables `set`.
    pub fn take(&self, key: &Key, set: &Arc<TableSet>) -> Lines {
        let inner = &mut *self.inner.lock();
        let lines = inner.remove(key).unwrap_or_default().lines;
        lines_between(lines, &inner.set, set)
    }

    /// Converts all lines to other tables. Returns the number of lines that these do not have.
    pub fn convert(&self, set: &Arc<TableSet>) -> usize {
        let inner = &mut *self.inner.lock();
        let old = std::mem::replace(&mut inner.set, set.clone());
        let keys: Vec<Key> = inner.accounts.keys().cloned().collect();
        let mut lost = 0;
        for key in keys {
            let mut waiting = inner.remove(&key).unwrap_or_default();
            let before = waiting.lines.len();
            waiting.lines = lines_between(waiting.lines, &old, set);
            lost += before - waiting.lines.len();
            inner.insert(key, waiting);
        }
        lost
    }

    /// Sets the limits of one account, for further lines.
    pub fn limit(&self, limits: (usize, usize)) {
        self.inner.lock().limits = limits;
    }
}

/// Converts lines between tables.
pub fn lines_between(lines: Lines, from: &Arc<TableSet>, to: &Arc<TableSet>) -> Lines {
    if Arc::ptr_eq(from, to) {
        return lines;
    }
    let lines = lines.into_iter();
    lines
        .filter_map(|(mut event, at)| {
            (event.sig, event.row) = event_between(&event, &from.tables, &to.tables)?;
            Some((event, at))
        })
        .collect()
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            number: 0,
            lines: Vec::new(),
            bytes: ACCOUNT_BYTES,
        }
    }
}

impl Waiting {
    fn oldest(&self) -> Time {
        self.lines.iter().map(|(_, at)| *at).min().unwrap_or_default()
    }
}

impl Inner {
    fn insert(&mut self, key: Key, mut waiting: Waiting) {
        if waiting.lines.is_empty() {
            return;
        }
        self.last += 1;
        waiting.number = self.last;
        self.bytes += waiting.bytes;
        self.held.set(self.bytes);
        self.order.insert((waiting.oldest(), waiting.number));
        self.numbers.insert(waiting.number, key.clone());
        self.accounts.insert(key, waiting);
    }

    fn remove(&mut self, key: &Key) -> Option<Waiting> {
        let waiting = self.accounts.remove(key)?;
        self.order.remove(&(waiting.oldest(), waiting.number));
        self.numbers.remove(&waiting.number);
        self.bytes -= waiting.bytes;
        self.held.set(self.bytes);
        Some(waiting)
    }

    fn pop_oldest(&mut self) -> Option<(Key, Lines)> {
        let (_, number) = self.order.first()?;
        let key = self.numbers[number].clone();
        let waiting = self.remove(&key)?;
        Some((key, waiting.lines))
    }

    fn evict(&mut self, memory: &Memory) -> Dropped {
        let mut dropped = Dropped::default();
        while memory.is_full()
            && let Some((key, lines)) = self.pop_oldest()
        {
            dropped.lines += lines.len();
            dropped.accounts.push(key);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::Account;
    use rtm::AppId;
    use std::sync::LazyLock;
    use tables::Tables;

    fn set() -> Arc<TableSet> {
        static SET: LazyLock<Arc<TableSet>> =
            LazyLock::new(|| TableSet::new(Arc::new(Tables::default())).expect("no profiles, no wires"));
        SET.clone()
    }

    fn keep(kept: &OfflineMailboxes, key: Key, lines: Lines) -> (usize, Dropped) {
        kept.keep(key, lines, &set())
    }

    fn take(kept: &OfflineMailboxes, key: &Key) -> Lines {
        kept.take(key, &set())
    }

    fn key(account: &str) -> Key {
        (AppId::new("app").unwrap(), Account::new(account).unwrap())
    }

    fn line(sig: usize, at: u64, bytes: usize) -> (Event, Time) {
        let args = vec!["x".repeat(bytes).as_str().into()];
        (Event { sig, row: 0, args }, Time::from_millis(at))
    }

    fn sigs(lines: &[(Event, Time)]) -> Vec<usize> {
        lines.iter().map(|(event, _)| event.sig).collect()
    }

    fn dropped(lines: usize, accounts: &[&str]) -> Dropped {
        let accounts = accounts.iter().map(|account| key(account)).collect();
        Dropped { lines, accounts }
    }

    #[test]
    fn lines_wait_in_order_and_are_bounded() {
        let memory = Memory::new(1 << 20);
        let kept = OfflineMailboxes::new(&memory, (3, 10_000), set());
        let alice = || key("alice");
        assert_eq!(
            keep(&kept, alice(), vec![line(1, 0, 1), line(2, 0, 1)]),
            (0, dropped(0, &[]))
        );
        assert_eq!(
            keep(&kept, alice(), vec![line(3, 0, 1), line(4, 0, 1)]),
            (1, dropped(0, &[]))
        );
        assert_eq!(sigs(&take(&kept, &alice())), [1, 2, 3]);
        assert!(take(&kept, &alice()).is_empty());
        assert_eq!(
            keep(&kept, alice(), vec![line(1, 0, 9_000), line(2, 0, 9_000)]),
            (1, dropped(0, &[]))
        );
        take(&kept, &alice());
        assert_eq!(memory.of(MemoryUser::OfflineMailboxes), 0);
    }

    #[test]
    fn with_the_memory_full_the_oldest_go_first() {
        let memory = Memory::new(25_000);
        let kept = OfflineMailboxes::new(&memory, (100, 100_000), set());
        for (account, at) in [("new", 3), ("old", 1), ("middle", 2)] {
            let oldest = if account == "middle" {
                dropped(1, &["old"])
            } else {
                dropped(0, &[])
            };
            assert_eq!(keep(&kept, key(account), vec![line(1, at, 9_000)]), (0, oldest));
        }
        assert!(take(&kept, &key("old")).is_empty());
        let mut other = memory.holds(MemoryUser::Sessions);
        other.set(8_000);
        assert_eq!(kept.evict(), dropped(1, &["middle"]));
        assert_eq!(kept.take_all().0.len(), 1);
    }

    #[test]
    fn lines_go_when_their_time_is_over() {
        let memory = Memory::new(1 << 20);
        let kept = OfflineMailboxes::new(&memory, (100, 100_000), set());
        keep(&kept, key("alice"), vec![line(1, 0, 1), line(2, 600, 1)]);
        keep(&kept, key("bob"), vec![line(3, 100, 1)]);
        keep(&kept, key("carol"), vec![line(4, 900, 1)]);
        let second = Duration::from_secs(1);
        assert_eq!(kept.expire(Time::from_millis(999), second), dropped(0, &[]));
        assert_eq!(kept.expire(Time::from_millis(1_100), second), dropped(2, &["bob"]));
        let left = kept.take_all().0;
        let left: Vec<_> = left
            .iter()
            .map(|((_, who), lines)| (who.as_str(), sigs(lines)))
            .collect();
        assert_eq!(left, [("alice", vec![2]), ("carol", vec![4])]);
    }
}
