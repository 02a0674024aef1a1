//! Timers of a session, in the order in which they fire: by time, then by key, so that retries keep their order.
//!
//! A timer that is set again before it fires has the new time only.

use rtm::time::Time;

use crate::api::{Effect, TimerKey};

/// Timers that are set; a session has few.
#[derive(Debug, Default)]
pub(crate) struct Timers(Vec<(Time, TimerKey)>);

impl Timers {
    /// Sets the timers in the effects of a step.
    pub fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::SetTimer { key, at } = effect {
                self.remove(*key);
                if self.0.capacity() == 0 {
                    self.0.reserve_exact(1);
                }
                let place = self.0.partition_point(|timer| *timer < (*at, *key));
                self.0.insert(place, (*at, *key));
            }
        }
    }

    /// Returns the time of the first timer.
    pub fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Removes and returns the first timer up to `now`.
    pub fn pop(&mut self, now: Time) -> Option<TimerKey> {
        self.next().filter(|at| *at <= now)?;
        let (_, key) = self.0.remove(0);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Some(key)
    }

    /// Removes a timer. Returns its time.
    pub fn remove(&mut self, key: TimerKey) -> Option<Time> {
        let place = self.0.iter().position(|(_, known)| *known == key)?;
        Some(self.0.remove(place).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(timers: &mut Timers, key: TimerKey, at: u64) {
        let at = Time::from_millis(at);
        timers.note(&[Effect::SetTimer { key, at }]);
    }

    #[test]
    fn timers_fire_by_time_and_key() {
        let mut timers = Timers::default();
        for (number, at) in [(2, 5), (1, 5), (3, 4), (4, 9)] {
            set(&mut timers, TimerKey::Retry(number), at);
        }
        let now = Time::from_millis(5);
        let fired: Vec<TimerKey> = std::iter::from_fn(|| timers.pop(now)).collect();
        assert_eq!(fired, [3, 1, 2].map(TimerKey::Retry));
        assert_eq!(timers.next(), Some(Time::from_millis(9)));
    }

    #[test]
    fn a_timer_that_an_earlier_one_sets_again_does_not_fire_early() {
        let mut timers = Timers::default();
        set(&mut timers, TimerKey::Grace, 1);
        set(&mut timers, TimerKey::Rejoin, 2);
        let now = Time::from_millis(3);
        assert_eq!(timers.pop(now), Some(TimerKey::Grace));
        set(&mut timers, TimerKey::Rejoin, 8);
        assert_eq!(timers.pop(now), None);
        assert_eq!(timers.remove(TimerKey::Rejoin), Some(Time::from_millis(8)));
    }
}
