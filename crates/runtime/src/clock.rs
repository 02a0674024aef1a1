//! Clock for the pure parts.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use rtm::time::Time;

/// Wall-clock time at start plus monotonic time, so that clock changes move no timer. Use [`wall`](Self::wall) for
/// expiry by the wall clock, as of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_time: Time,
    /// Set if wall-clock time is the time of this clock.
    is_virtual: bool,
}

impl Clock {
    /// Starts a clock.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
            start_time: wall(),
            is_virtual: false,
        }
    }

    /// Starts a clock of virtual time, which follows the runtime's time only.
    pub fn start_at(start_time: Time) -> Self {
        Self {
            start: Instant::now(),
            start_time,
            is_virtual: true,
        }
    }

    /// Returns the current wall-clock time, for expiry only, not for timers.
    pub fn wall(&self) -> Time {
        if self.is_virtual { self.now() } else { wall() }
    }

    /// Returns the current time.
    pub fn now(&self) -> Time {
        self.start_time + Instant::now().duration_since(self.start)
    }

    /// Converts a time to an instant, for sleeping.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + time.since(self.start_time)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
fn wall() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
