//! Who may have how much of a store that many senders share.
//!
//! A sender may have no more than what is left for all, and a kind of event no more than three times that. So one sender
//! gets half of an empty store, ten get a tenth each, and whoever has nothing in it finds room: nobody can crowd out
//! another, and where there is no crowd a store can be filled.

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Events.
    pub events: usize,
    /// What they take.
    pub bytes: usize,
}

/// What a kind of event may have, in multiples of what is left.
const KIND_SHARE: usize = 3;

/// Something in the store.
#[derive(Clone, Copy, Debug)]
pub struct Portion<'p> {
    /// Who has sent it.
    pub sender: &'p str,
    /// Whether it is about a call.
    pub of_call: bool,
    /// What it takes.
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

/// Whether a store of `bound`, in which `there` is, which is `total`, takes one more.
pub fn admits<'p>(there: impl Iterator<Item = Portion<'p>>, total: Amount, new: Portion<'p>, bound: Amount) -> bool {
    if !total.with(new.bytes).is_within(bound) {
        return false;
    }
    // Nobody has more than all of this, and as much is left.
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

    /// A store that is offered something by senders in turn.
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
    fn one_sender_leaves_half_and_ten_a_part_to_others() {
        let mut store = Store::default();
        assert_eq!(store.fill(1, true, 10), 500);
        assert!((0..250).all(|_| store.offer("friend", false, 10)));
        let mut store = Store::default();
        assert_eq!(store.fill(2, false, 10), 667);
        assert!((0..80).all(|_| store.offer("friend", false, 10)));
    }

    #[test]
    fn one_kind_leaves_a_quarter_to_the_other_whoever_sends_it() {
        let mut store = Store::default();
        assert_eq!(store.fill(2000, true, 10), 750);
        assert!((0..100).all(|_| store.offer("friend", false, 10)));
    }

    #[test]
    fn as_many_senders_as_there_are_events_for_find_room_for_one_each() {
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
