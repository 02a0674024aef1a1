//! The clock that the pure parts are told.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use rtm::time::Time;

/// Wall-clock time at the start, counted on monotonically: a clock that jumps moves no timer. What expires by the wall clock,
/// as tokens do, is judged by [`wall`](Self::wall).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_time: Time,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
            start_time: wall(),
        }
    }

    /// What the wall clock shows at the moment, which may have been set meanwhile: for what expires, and for no timer.
    pub fn wall(&self) -> Time {
        wall()
    }

    /// Now.
    pub fn now(&self) -> Time {
        self.start_time + Instant::now().duration_since(self.start)
    }

    /// The instant of a time, for sleeping until then.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + time.since(self.start_time)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
fn wall() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
