//! Clock for the pure parts.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use rtm::time::Time;

/// Wall-clock time at start plus monotonic time, so that clock changes move no timer. Use [`wall`](Self::wall) for
/// expiry by the wall clock, as of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_time: Time,
    wall: Wall,
}

/// Wall clock.
#[derive(Clone, Copy, Debug)]
enum Wall {
    /// That of the system.
    System,
    /// The time of this clock.
    Virtual,
    /// That of the system and some milliseconds.
    Shifted(&'static AtomicI64),
}

impl Clock {
    /// Starts a clock.
    pub fn start() -> Self {
        Self::with(wall(), Wall::System)
    }

    /// Starts a clock of virtual time, which follows the runtime's time only.
    pub fn start_at(start_time: Time) -> Self {
        Self::with(start_time, Wall::Virtual)
    }

    /// Starts a clock whose wall clock jumps when `shift` changes, in milliseconds. For tests.
    pub fn with_shift(shift: &'static AtomicI64) -> Self {
        Self::with(wall(), Wall::Shifted(shift))
    }

    fn with(start_time: Time, wall: Wall) -> Self {
        Self {
            start: Instant::now(),
            start_time,
            wall,
        }
    }

    /// Returns the current wall-clock time, for expiry only, not for timers.
    pub fn wall(&self) -> Time {
        match self.wall {
            Wall::System => wall(),
            Wall::Virtual => self.now(),
            Wall::Shifted(shift) => {
                let shifted = wall().as_millis().saturating_add_signed(shift.load(Ordering::Relaxed));
                Time::from_millis(shifted)
            }
        }
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
