//! Exponential back-off with jitter.

use std::time::Duration;

/// Delays between attempts: doubled for each failure up to a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// Returns the full delay after so many earlier delays, without jitter.
    pub fn delay(&self, earlier: u32) -> Duration {
        let factor = 2_u32.saturating_pow(earlier);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// Returns a delay between half of the full one and all of it, so that clients do not retry in step. `random` is
    /// uniformly distributed.
    pub fn jittered(&self, earlier: u32, random: u32) -> Duration {
        let half = self.delay(earlier) / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// Returns a random number for [`Backoff::jittered`].
pub fn random() -> u32 {
    // Without randomness the delay is the full one.
    getrandom::u32().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
        let delays: Vec<u128> = [0, 1, 2, 3, 40, u32::MAX]
            .map(|earlier| backoff.delay(earlier).as_millis())
            .into();
        assert_eq!(delays, [100, 200, 400, 500, 500, 500]);
    }

    #[test]
    fn jitter_takes_up_to_half() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        assert_eq!(backoff.jittered(1, 0), Duration::from_secs(1));
        assert_eq!(backoff.jittered(1, u32::MAX), Duration::from_secs(2));
        let between = backoff.jittered(1, random());
        assert!(
            (Duration::from_secs(1)..=Duration::from_secs(2)).contains(&between),
            "{between:?}"
        );
    }
}
