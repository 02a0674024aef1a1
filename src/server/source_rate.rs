//! Rate limit of the answers to one source.

use std::collections::HashMap;
use std::net::IpAddr;

use rtm::rate::{Rate, SlidingWindow};
use rtm::time::Time;

/// Largest number of answers to one source within a second.
pub const MAX_ANSWERS: usize = 20;
const RATE: Rate = Rate::new(MAX_ANSWERS as u32, 1);
/// Largest number of remembered sources.
const MAX_SOURCES: usize = 4096;

/// Answers of the last second, by source.
///
/// The source addresses of datagrams are easily forged, and the rate protects their owners. So with too many sources,
/// new ones get no answer until others expire. A map of the most recent sources would let an attacker evict his victim.
/// For the same reason it keeps the times and not only a count: no second has more than [`MAX_ANSWERS`], wherever it
/// begins.
#[derive(Debug, Default)]
pub struct Rates {
    sources: HashMap<IpAddr, SlidingWindow>,
    swept: Time,
}

impl Rates {
    /// Returns true and counts an answer if `source` may be answered at `now`.
    pub fn allow(&mut self, source: IpAddr, now: Time) -> bool {
        self.sweep(now);
        let source = source.to_canonical();
        if self.sources.len() >= MAX_SOURCES && !self.sources.contains_key(&source) {
            return false;
        }
        self.sources.entry(source).or_default().take(now, RATE)
    }

    /// Removes the sources without recent answers. It runs rarely, because a flood would make it expensive.
    fn sweep(&mut self, now: Time) {
        if now.since(self.swept) >= RATE.per {
            self.swept = now;
            self.sources.retain(|_, answers| answers.is_busy(now, RATE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(1_000_000 + ms)
    }

    /// Returns the number of answers to `count` questions at one time.
    fn answered(rates: &mut Rates, source: [u8; 4], ms: u64, count: usize) -> usize {
        (0..count).filter(|_| rates.allow(source.into(), at(ms))).count()
    }

    #[test]
    fn twenty_a_second_for_each_source() {
        let mut rates = Rates::default();
        assert_eq!(answered(&mut rates, [10, 0, 0, 1], 0, 5), 5);
        assert_eq!(answered(&mut rates, [10, 0, 0, 1], 900, 30), 15);
        assert_eq!(answered(&mut rates, [10, 0, 0, 2], 900, 30), 20, "separate sources");
        assert_eq!(answered(&mut rates, [10, 0, 0, 1], 999, 30), 0);
        assert_eq!(answered(&mut rates, [10, 0, 0, 1], 1_000, 30), 5);
        assert_eq!(answered(&mut rates, [10, 0, 0, 1], 1_900, 30), 15);
        let mapped = "::ffff:10.0.0.1".parse().expect("an address");
        assert!(!rates.allow(mapped, at(1_900)), "same source on an IPv6 socket");
    }

    #[test]
    fn there_is_room_for_so_many_sources() {
        let mut rates = Rates::default();
        let source = |n: usize| IpAddr::from((n as u32).to_be_bytes());
        for n in 0..MAX_SOURCES {
            assert!(rates.allow(source(n), at(0)));
        }
        assert!(!rates.allow(source(MAX_SOURCES), at(0)), "new source");
        assert!(rates.allow(source(0), at(0)), "known source");
        assert_eq!(rates.sources.len(), MAX_SOURCES);
        assert!(rates.allow(source(0), at(500)));
        assert!(!rates.allow(source(MAX_SOURCES), at(999)));
        assert!(
            rates.allow(source(MAX_SOURCES), at(1_000)),
            "expired sources are removed"
        );
        assert_eq!(rates.sources.len(), 2);
    }

    proptest! {
        #[test]
        fn no_second_has_more(steps in proptest::collection::vec(0..120_u64, 1..200)) {
            let mut rates = Rates::default();
            let (mut ms, mut sent) = (0, Vec::new());
            for step in steps {
                ms += step;
                if rates.allow([10, 0, 0, 1].into(), at(ms)) {
                    sent.push(ms);
                }
            }
            for (i, first) in sent.iter().enumerate() {
                let within = sent[i..].iter().take_while(|ms| **ms < first + 1_000).count();
                prop_assert!(within <= MAX_ANSWERS);
            }
        }
    }
}
