//! Rate limiters with an injected time.
//!
//! | limiter | bound | memory |
//! |---|---|---|
//! | [`TokenBucket`] | a rate per second, with bursts of one second's worth | two numbers |
//! | [`SlidingWindow`] | a number of events in any span of time | the time of each event |
//! | [`SecondCounter`] | a number of events in each second of the clock | two numbers |

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;

/// At most `calls` in any span of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Maximum number of calls.
    pub calls: u32,
    /// The time span.
    pub per: Duration,
}

impl Rate {
    /// Creates a rate of `calls` in `secs` seconds.
    pub const fn new(calls: u32, secs: u64) -> Self {
        let per = Duration::from_secs(secs);
        Self { calls, per }
    }

    /// Returns the rate of `scale` times as many calls.
    pub const fn times(self, scale: u32) -> Self {
        Self {
            calls: self.calls.saturating_mul(scale),
            per: self.per,
        }
    }
}

/// A token bucket with the capacity of one second.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenBucket {
    /// Tokens in thousandths.
    tokens: u64,
    filled: Option<Time>,
}

impl TokenBucket {
    /// Takes one token at a rate of `per_second`; returns false if there is none. 0 means no limit.
    pub fn take(&mut self, now: Time, per_second: u32) -> bool {
        if per_second == 0 {
            return true;
        }
        self.tokens = self.tokens_at(now, per_second);
        self.filled = Some(now);
        if self.tokens < 1000 {
            return false;
        }
        self.tokens -= 1000;
        true
    }

    /// Returns true if the bucket is full.
    pub fn is_full(&self, now: Time, per_second: u32) -> bool {
        self.tokens_at(now, per_second) == full(per_second)
    }

    fn tokens_at(&self, now: Time, per_second: u32) -> u64 {
        let full = full(per_second);
        let gained = self
            .filled
            .map_or(full, |at| now.since(at).as_millis() as u64 * u64::from(per_second));
        self.tokens.saturating_add(gained).min(full)
    }
}

fn full(per_second: u32) -> u64 {
    u64::from(per_second) * 1000
}

/// A sliding window: the times of the events that still count.
#[derive(Clone, Debug, Default)]
pub struct SlidingWindow(VecDeque<Time>);

impl SlidingWindow {
    /// Counts an event if the rate permits one more; otherwise returns false.
    pub fn take(&mut self, now: Time, rate: Rate) -> bool {
        let has_room = self.has_room(now, rate);
        if has_room {
            self.count(now);
        }
        has_room
    }

    /// Returns true if the rate permits one more event.
    pub fn has_room(&mut self, now: Time, rate: Rate) -> bool {
        while self.0.front().is_some_and(|&at| now.since(at) >= rate.per) {
            self.0.pop_front();
        }
        (self.0.len() as u64) < u64::from(rate.calls)
    }

    /// Counts an event.
    pub fn count(&mut self, now: Time) {
        self.0.push_back(now);
    }

    /// Returns true if an event still counts.
    pub fn is_busy(&self, now: Time, rate: Rate) -> bool {
        self.0.back().is_some_and(|&at| now.since(at) < rate.per)
    }
}

/// The number of events in the current second of the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SecondCounter {
    second: u64,
    count: u32,
}

impl SecondCounter {
    /// Counts an event; returns false at the limit.
    pub fn take(&mut self, now: Time, per_second: u32) -> bool {
        if self.second != now.as_secs() {
            (self.second, self.count) = (now.as_secs(), 0);
        }
        let has_room = self.count < per_second;
        self.count += u32::from(has_room);
        has_room
    }

    /// Returns true if the current second has events.
    pub fn is_busy(&self, now: Time) -> bool {
        self.second == now.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_bucket_gives_a_burst_of_one_second_then_the_rate() {
        let mut bucket = TokenBucket::default();
        let taken = |bucket: &mut TokenBucket, ms: u64| (0..200).filter(|_| bucket.take(at(ms), 60)).count();
        assert_eq!(taken(&mut bucket, 1_000), 60);
        assert_eq!(taken(&mut bucket, 1_500), 30);
        assert_eq!(taken(&mut bucket, 9_500), 60);
        assert!((0..1000).all(|_| bucket.take(at(9_500), 0)));
        assert!(!bucket.is_full(at(10_499), 60) && bucket.is_full(at(10_500), 60));
    }

    #[test]
    fn a_window_bounds_any_span() {
        let mut window = SlidingWindow::default();
        let rate = Rate::new(1, 2).times(2);
        for (ms, expected) in [
            (1_000, true),
            (2_999, true),
            (2_999, false),
            (3_000, true),
            (4_998, false),
            (4_999, true),
        ] {
            assert_eq!(window.take(at(ms), rate), expected, "at {ms}");
        }
        assert!(window.is_busy(at(6_998), rate) && !window.is_busy(at(6_999), rate));
    }

    #[test]
    fn a_counter_starts_anew_with_each_second() {
        let mut counter = SecondCounter::default();
        for (ms, expected) in [(1_900, true), (1_999, true), (1_999, false), (2_000, true)] {
            assert_eq!(counter.take(at(ms), 2), expected, "at {ms}");
        }
        assert!(counter.is_busy(at(2_999)) && !counter.is_busy(at(3_000)));
    }
}
