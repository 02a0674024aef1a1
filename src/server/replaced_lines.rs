//! Session lines of clients that another login has replaced.
//!
//! A native SDK reports `kick` as 103, "logged in elsewhere", and its app stops. It reports any other text as 102, and
//! the app logs in again. So `kick` answers only a line in this list (signaling-wire 13).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rtm::time::Time;

/// Maximum of lines; the oldest are dropped first.
const MOST: usize = 10_000;
/// Lifetime of a line, longer than the sleep of a phone.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Numbers of replaced lines.
#[derive(Debug, Default)]
pub struct ReplacedLines {
    since: HashMap<u64, Time>,
    /// Lines in the order of their replacement.
    order: VecDeque<u64>,
}

impl ReplacedLines {
    /// Adds the line of a replaced client.
    pub fn add(&mut self, line: u64, now: Time) {
        if self.since.insert(line, now).is_none() {
            self.order.push_back(line);
        }
        while self.order.len() > MOST || self.oldest().is_some_and(|since| now.since(since) >= KEPT) {
            if let Some(oldest) = self.order.pop_front() {
                self.since.remove(&oldest);
            }
        }
    }

    /// Returns true if the client of a line was replaced.
    pub fn has(&self, line: u64, now: Time) -> bool {
        self.since.get(&line).is_some_and(|since| now.since(*since) < KEPT)
    }

    fn oldest(&self) -> Option<Time> {
        self.since.get(self.order.front()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_forgotten_in_time_and_in_number() {
        let hours = |hours: u64| Time::from_millis(hours * 3_600_000);
        let mut replaced = ReplacedLines::default();
        replaced.add(1, hours(0));
        replaced.add(2, hours(1));
        replaced.add(1, hours(1));
        assert!(replaced.has(1, hours(23)) && replaced.has(2, hours(24)) && !replaced.has(3, hours(1)));
        assert!(!replaced.has(2, hours(25)), "too old");
        replaced.add(3, hours(26));
        assert_eq!((replaced.since.len(), replaced.order.len()), (1, 1));
        for line in 0..20_000 {
            replaced.add(line, hours(27));
        }
        assert_eq!((replaced.since.len(), replaced.order.len()), (MOST, MOST));
        assert!(replaced.has(10_000, hours(27)) && !replaced.has(9_999, hours(27)));
    }
}
