//! Fair shares of a store with many senders.
//!
//! A sender may use at most as much as remains free, and a kind of event at most three times that.
//! One sender can thus use half of an empty store, ten a tenth each. A sender with nothing in the
//! store always finds room, so no sender can displace another.

/// The size of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of events.
    pub events: usize,
    /// Size in bytes.
    pub bytes: usize,
}

/// The share of a kind of event, in multiples of the free space.
const KIND_SHARE: usize = 3;

/// An entry of the store.
#[derive(Clone, Copy, Debug)]
pub struct Portion<'p> {
    /// The sender.
    pub sender: &'p str,
    /// True for a call signal.
    pub of_call: bool,
    /// Size in bytes.
    pub bytes: usize,
}

impl Amount {
    fn add(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
    }

    fn with(mut self, bytes: usize) -> Self {
        self.add(bytes);
        self
    }

    fn is_within(self, bound: Self) -> bool {
        self.events <= bound.events && self.bytes <= bound.bytes
    }

    fn times(self, n: usize) -> Self {
        Self {
            events: self.events.saturating_mul(n),
            bytes: self.bytes.saturating_mul(n),
        }
    }
}

/// Returns true if a store with the bound `bound`, the entries `there` and the sum `total` accepts
/// a new entry.
pub fn admits<'p>(there: impl Iterator<Item = Portion<'p>>, total: Amount, new: Portion<'p>, bound: Amount) -> bool {
    if !total.with(new.bytes).is_within(bound) {
        return false;
    }
    // No sender uses more than this sum, and as much is free.
    if total.with(new.bytes).times(2).is_within(bound) {
        return true;
    }
    let left = Amount {
        events: bound.events - total.events,
        bytes: bound.bytes - total.bytes,
    };
    let (mut own, mut kind) = (Amount::default(), Amount::default());
    for portion in there {
        if portion.sender == new.sender && portion.of_call == new.of_call {
            own.add(portion.bytes);
        }
        if portion.of_call == new.of_call {
            kind.add(portion.bytes);
        }
    }
    let is_first = own.events == 0;
    (is_first || own.with(new.bytes).is_within(left)) && kind.with(new.bytes).is_within(left.times(KIND_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Amount = Amount {
        events: 1000,
        bytes: 1_000_000,
    };

    /// A store to which senders add entries in turn.
    #[derive(Default)]
    struct Store(Vec<(String, bool, usize)>);

    impl Store {
        fn offer(&mut self, sender: &str, of_call: bool, bytes: usize) -> bool {
            let portion = |(sender, of_call, bytes): &(String, bool, usize)| (sender.clone(), *of_call, *bytes);
            let there: Vec<_> = self.0.iter().map(portion).collect();
            let portions = there.iter().map(|(sender, of_call, bytes)| Portion {
                sender,
                of_call: *of_call,
                bytes: *bytes,
            });
            let total = Amount {
                events: there.len(),
                bytes: there.iter().map(|(_, _, bytes)| bytes).sum(),
            };
            let new = Portion { sender, of_call, bytes };
            let admitted = admits(portions, total, new, BOUND);
            if admitted {
                self.0.push((sender.to_owned(), of_call, bytes));
            }
            admitted
        }

        fn fill(&mut self, senders: usize, of_call: bool, bytes: usize) -> usize {
            let before = self.0.len();
            for round in 0.. {
                let sender = |n: usize| format!("{of_call} {n}");
                if (0..senders).filter(|n| self.offer(&sender(*n), of_call, bytes)).count() == 0 || round > 2000 {
                    break;
                }
            }
            self.0.len() - before
        }
    }

    #[test]
    fn one_sender_leaves_half_and_ten_leave_a_share() {
        let mut store = Store::default();
        assert_eq!(store.fill(1, true, 10), 500);
        assert!((0..250).all(|_| store.offer("friend", false, 10)));
        let mut store = Store::default();
        assert_eq!(store.fill(2, false, 10), 667);
        assert!((0..80).all(|_| store.offer("friend", false, 10)));
    }

    #[test]
    fn one_kind_leaves_a_quarter_to_the_other() {
        let mut store = Store::default();
        assert_eq!(store.fill(2000, true, 10), 750);
        assert!((0..100).all(|_| store.offer("friend", false, 10)));
    }

    #[test]
    fn each_of_many_senders_has_room_for_one() {
        let mut store = Store::default();
        assert!((0..750).all(|n| store.offer(&n.to_string(), false, 10)));
        assert!(!store.offer("late", false, 10));
    }

    #[test]
    fn bytes_count_as_events_do() {
        let mut store = Store::default();
        assert_eq!(store.fill(1, true, 100_000), 5);
        assert!((0..2).all(|_| store.offer("friend", false, 100_000)));
        assert!(!store.offer("third", false, 600_000), "the bound is one for all");
    }
}
