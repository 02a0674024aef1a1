//! The mailbox: lines with contiguous versions, kept until the client has them (decisions H3).

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;
use crate::value::Text;

use super::super::io::Event;
use super::share::{Amount, Portion, admits};

/// Lines that wait for a client to have them.
///
/// Line `i` has the version `acknowledged + 1 + i`: versions have no gaps, since some clients lose lines at one.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    /// All up to this version is acknowledged; none before the client's first poll.
    acknowledged: Option<u64>,
    /// That was a guess, which the first poll may correct.
    assumed: bool,
    /// All up to this version was told since the guess, each behind the other.
    told: u64,
    /// All up to this version was sent to a client that may never come to acknowledge it.
    fetched: u64,
    lines: VecDeque<Line>,
    /// What they take.
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Line {
    event: Event,
    sender: Text,
    bytes: usize,
    volatile: bool,
    at: Time,
}

/// There is no room for another line, or none for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Mailbox {
    /// Adds a line. Its version, when the client may be told it at once.
    ///
    /// # Errors
    /// [`Full`]: there is no room within `bound`, or its sender has had its share of it.
    pub fn push(
        &mut self,
        event: Event,
        (sender, volatile): (Text, bool),
        now: Time,
        bound: Amount,
    ) -> Result<Option<u64>, Full> {
        let line = Line {
            bytes: event.bytes(),
            event,
            sender,
            volatile,
            at: now,
        };
        let total = Amount {
            events: self.lines.len(),
            bytes: self.bytes,
        };
        if !admits(self.lines.iter().map(Line::portion), total, line.portion(), bound) {
            return Err(Full);
        }
        self.bytes += line.bytes;
        self.lines.push_back(line);
        Ok(self.acknowledged.map(|version| version + self.lines.len() as u64))
    }

    /// The client has all up to `version` and takes `max` more: what is acknowledged now, and the next lines.
    pub fn poll(&mut self, version: u64, max: usize) -> (u64, Vec<(u64, Event)>) {
        let before = match self.acknowledged {
            // Its count is not ours: it cannot have what it was not told.
            Some(_) if self.assumed && version > self.told => version,
            known => known.unwrap_or(version),
        };
        self.assumed = false;
        let gone = version.saturating_sub(before).min(self.lines.len() as u64);
        self.forget(gone);
        let acknowledged = before + gone;
        self.acknowledged = Some(acknowledged);
        let lines = self.lines.iter().take(max).zip(acknowledged + 1..);
        (
            acknowledged,
            lines.map(|(line, version)| (version, line.event.clone())).collect(),
        )
    }

    /// A line is sent without being asked for.
    pub fn told(&mut self, version: u64) {
        if version == self.told + 1 {
            self.told = version;
        }
    }

    /// A poll has fetched all up to `version`. The client filters nothing and acknowledges late: its next login is not
    /// told it again, even if the answer was lost with the connection.
    pub fn fetched(&mut self, version: u64) {
        self.fetched = version;
    }

    /// What was sent is not for the next login.
    fn settle(&mut self) {
        let acknowledged = self.acknowledged.unwrap_or(0);
        let gone = self.fetched.saturating_sub(acknowledged).min(self.lines.len() as u64);
        self.forget(gone);
        self.fetched = 0;
    }

    fn forget(&mut self, lines: u64) {
        let gone = self.lines.drain(..usize::try_from(lines).unwrap_or(usize::MAX));
        self.bytes -= gone.map(|line| line.bytes).sum::<usize>();
    }

    /// The client does not poll before it is told of a version: its counter is taken to begin at 0, until it polls.
    pub fn begin(&mut self) {
        if self.acknowledged.is_none() {
            self.acknowledged = Some(0);
            self.assumed = true;
            self.told = 0;
        }
    }

    /// The version of the last line that waits; none before versions are known.
    pub fn last(&self) -> Option<u64> {
        let waiting = self.lines.len() as u64;
        self.acknowledged
            .filter(|_| waiting > 0)
            .map(|version| version + waiting)
    }

    /// A new login: its counter begins anew. What was for the old one only, and what has waited too long, goes.
    pub fn restart(&mut self, now: Time, ttl: Duration) -> usize {
        self.settle();
        self.acknowledged = None;
        self.assumed = false;
        let before = self.lines.len();
        self.lines.retain(|line| !line.volatile && now.since(line.at) < ttl);
        self.bytes = self.lines.iter().map(|line| line.bytes).sum();
        before - self.lines.len()
    }

    /// The lines that nobody has acknowledged, with when they came; none are left.
    pub fn leave(&mut self) -> Vec<(Event, Time)> {
        self.settle();
        self.bytes = 0;
        self.lines
            .drain(..)
            .filter(|line| !line.volatile)
            .map(|line| (line.event, line.at))
            .collect()
    }

    /// What the lines take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many lines wait.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True when none wait.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Line {
    fn portion(&self) -> Portion<'_> {
        Portion {
            sender: &self.sender,
            of_call: self.volatile,
            bytes: self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> Event {
        Event {
            sig: n,
            row: 0,
            args: Vec::new(),
        }
    }

    fn push(mailbox: &mut Mailbox, n: usize, volatile: bool, at: u64) -> Result<Option<u64>, Full> {
        let bound = Amount {
            events: 3,
            bytes: 10_000,
        };
        let sender = n.to_string().into();
        mailbox.push(event(n), (sender, volatile), Time::from_millis(at), bound)
    }

    fn versions(answer: (u64, Vec<(u64, Event)>)) -> (u64, Vec<(u64, usize)>) {
        (
            answer.0,
            answer
                .1
                .into_iter()
                .map(|(version, event)| (version, event.sig))
                .collect(),
        )
    }

    #[test]
    fn versions_are_contiguous_and_start_at_the_clients() {
        let mut mailbox = Mailbox::default();
        assert_eq!(push(&mut mailbox, 1, false, 0), Ok(None));
        assert_eq!(versions(mailbox.poll(7, 30)), (7, vec![(8, 1)]));
        assert_eq!(push(&mut mailbox, 2, false, 0), Ok(Some(9)));
        assert_eq!(push(&mut mailbox, 3, false, 0), Ok(Some(10)));
        assert_eq!(push(&mut mailbox, 4, false, 0), Err(Full));
        assert_eq!(versions(mailbox.poll(8, 1)), (8, vec![(9, 2)]));
        assert_eq!(versions(mailbox.poll(10, 30)), (10, vec![]));
        assert_eq!(push(&mut mailbox, 5, false, 0), Ok(Some(11)));
    }

    #[test]
    fn a_client_that_counts_wrong_loses_nothing() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(0, 30);
        assert_eq!(push(&mut mailbox, 1, false, 0), Ok(Some(1)));
        assert_eq!(versions(mailbox.poll(0, 30)), (0, vec![(1, 1)]));
        assert_eq!(versions(mailbox.poll(99, 30)), (1, vec![]), "never more than there is");
        assert_eq!(versions(mailbox.poll(0, 30)), (1, vec![]), "never back");
    }

    #[test]
    fn what_was_fetched_is_not_for_the_next_login() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(5, 30);
        push(&mut mailbox, 1, false, 0).unwrap();
        push(&mut mailbox, 2, false, 0).unwrap();
        mailbox.poll(5, 30);
        mailbox.fetched(7);
        push(&mut mailbox, 3, false, 0).unwrap();
        assert_eq!(mailbox.len(), 3, "only its acknowledgement ends a line in its login");
        mailbox.restart(Time::from_millis(0), Duration::from_secs(10));
        assert_eq!(mailbox.len(), 1);
    }

    #[test]
    fn a_client_whose_count_was_guessed_wrong_is_believed() {
        let mut mailbox = Mailbox::default();
        mailbox.begin();
        assert_eq!(push(&mut mailbox, 1, false, 0), Ok(Some(1)));
        assert_eq!(mailbox.last(), Some(1));
        assert_eq!(versions(mailbox.poll(7, 30)), (7, vec![(8, 1)]));
        assert_eq!(versions(mailbox.poll(8, 30)), (8, vec![]));
        assert_eq!(mailbox.last(), None);
    }

    #[test]
    fn what_was_only_announced_is_not_acknowledged() {
        for (told, acknowledged, left) in [(&[][..], 2, 3), (&[1][..], 2, 3), (&[1, 2][..], 2, 1), (&[2][..], 2, 3)] {
            let mut mailbox = Mailbox::default();
            mailbox.begin();
            for n in 1..=3 {
                push(&mut mailbox, n, false, 0).unwrap();
            }
            told.iter().for_each(|version| mailbox.told(*version));
            assert_eq!(mailbox.poll(2, 30).0, acknowledged, "{told:?}");
            assert_eq!(mailbox.len(), left, "{told:?}");
        }
    }

    #[test]
    fn a_new_login_begins_anew() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(5, 30);
        push(&mut mailbox, 1, true, 900).unwrap();
        push(&mut mailbox, 2, false, 100).unwrap();
        push(&mut mailbox, 3, false, 900).unwrap();
        assert_eq!(mailbox.restart(Time::from_millis(1_100), Duration::from_secs(1)), 2);
        assert_eq!(versions(mailbox.poll(0, 30)), (0, vec![(1, 3)]));
    }

    #[test]
    fn it_knows_what_its_lines_take() {
        let mut mailbox = Mailbox::default();
        let line = event(1).bytes();
        mailbox.poll(0, 30);
        for n in 1..=3 {
            push(&mut mailbox, n, n == 3, 0).unwrap();
        }
        assert_eq!(mailbox.bytes(), 3 * line);
        mailbox.poll(1, 30);
        assert_eq!(mailbox.bytes(), 2 * line);
        mailbox.restart(Time::from_millis(0), Duration::from_secs(10));
        assert_eq!(mailbox.bytes(), line);
        mailbox.leave();
        assert_eq!(mailbox.bytes(), 0);
    }
}
