//! Clock for the pure parts.

use std::cell::Cell;
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

    /// Returns the current time, or the time of this thread's [`hold`].
    pub fn now(&self) -> Time {
        self.start_time + held_or_now().duration_since(self.start)
    }

    /// Converts a time to an instant, for sleeping.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + time.since(self.start_time)
    }
}

thread_local! {
    static HELD: Cell<Held> = const { Cell::new(Held::No) };
}

/// Time that clocks of this thread return.
#[derive(Clone, Copy)]
enum Held {
    No,
    /// From the next read on.
    Next,
    At(Instant),
}

/// Time of this thread's clocks, until the drop.
#[derive(Debug)]
#[must_use = "clocks continue when it is dropped"]
pub struct Hold {
    /// Marker that keeps it on its thread.
    _thread: std::marker::PhantomData<*const ()>,
}

/// Makes all clocks of this thread return the time of their next read. For a short run of steps without an await: a read
/// of the system's clock costs as much as a small step.
pub fn hold() -> Hold {
    HELD.set(Held::Next);
    Hold {
        _thread: std::marker::PhantomData,
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        HELD.set(Held::No);
    }
}

/// Latest time of a part that several threads run one after another. Held times of two threads differ, and a part must
/// not see an earlier time than before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latest(Time);

impl Latest {
    /// Returns the current time, or the latest one if it is later.
    pub fn now(&mut self, clock: &Clock) -> Time {
        self.0 = self.0.max(clock.now());
        self.0
    }

    /// Returns the latest time.
    pub fn latest(&self) -> Time {
        self.0
    }
}

fn held_or_now() -> Instant {
    match HELD.get() {
        Held::At(instant) => instant,
        Held::No => Instant::now(),
        Held::Next => {
            let now = Instant::now();
            HELD.set(Held::At(now));
            now
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
fn wall() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_held_clock_stands_at_its_next_read() {
        let clock = Clock::start_at(Time::from_millis(1_000));
        let advance = || tokio::time::advance(Duration::from_millis(5));
        {
            let held = hold();
            advance().await;
            assert_eq!(clock.now().as_millis(), 1_005);
            advance().await;
            assert_eq!(clock.now().as_millis(), 1_005);
            drop(held);
        }
        assert_eq!(clock.now().as_millis(), 1_010);
    }

    #[test]
    fn a_part_sees_no_earlier_time_in_another_thread() {
        let (clock, mut latest) = (Clock::start(), Latest::default());
        let _held = hold();
        let early = clock.now();
        std::thread::scope(|scope| {
            scope.spawn(|| while latest.now(&clock) <= early {});
        });
        assert_eq!(clock.now(), early);
        assert!(latest.now(&clock) > early);
    }
}
