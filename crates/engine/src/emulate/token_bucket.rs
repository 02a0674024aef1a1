//! Signaling's message rate (signaling-api 5.1): a token bucket with the capacity of one second.

use rtm::time::Time;

/// A token bucket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// Tokens in thousandths of a message.
    tokens: u64,
    filled: Option<Time>,
}

impl Bucket {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_one_second_then_the_rate() {
        let mut bucket = Bucket::default();
        let taken = |bucket: &mut Bucket, ms: u64| (0..200).filter(|_| bucket.take(Time::from_millis(ms), 60)).count();
        assert_eq!(taken(&mut bucket, 1_000), 60);
        assert_eq!(taken(&mut bucket, 1_500), 30);
        assert_eq!(taken(&mut bucket, 9_500), 60);
        assert!((0..1000).all(|_| bucket.take(Time::from_millis(9_500), 0)));
    }
}
