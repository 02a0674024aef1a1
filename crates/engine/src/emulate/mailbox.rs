//! The mailbox: lines with contiguous versions, stored until acknowledged (decisions H3).

use std::collections::VecDeque;
use std::time::Duration;

use protocol::event::Event;
use rtm::time::Time;
use rtm::value::Text;

use crate::durable::{SavedLine, Stored, Versions};
use crate::emulate::mailbox_share::{Amount, Portion, admits};

/// Lines that the client has not acknowledged.
///
/// Line `i` has the version `acknowledged + 1 + i`: versions have no gaps, since some clients lose
/// lines at one.
///
/// The versions of a login are above all versions of the session before it. SDK 1.4 never stops the
/// pollers of logins before a lost connection. Each polls once a minute, and every second when the
/// answer is below its version. Such a poll is answered with its own version, and neither
/// acknowledges nor fetches lines.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    /// The acknowledged version; `None` before the client's first poll.
    acknowledged: Option<u64>,
    /// The version is assumed; the first poll may correct it.
    assumed: bool,
    /// The first version of this login.
    base: u64,
    /// The last version that was sent: pushed in order, or fetched.
    handed: u64,
    /// The last version that was sent to a client which may never acknowledge it.
    fetched: u64,
    lines: VecDeque<Line>,
    /// Size of the lines in bytes.
    bytes: usize,
    /// Lines in the store.
    pub(crate) stored: Stored,
}

#[derive(Clone, Debug)]
struct Line {
    number: u64,
    event: Event,
    sender: Text,
    bytes: usize,
    volatile: bool,
    at: Time,
}

/// The mailbox is full, or its sender's share is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Mailbox {
    /// Returns the events of all lines.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        self.lines.iter_mut().map(|line| &mut line.event)
    }

    /// Adds a line. Returns its version if the client may be notified at once.
    ///
    /// # Errors
    /// [`Full`]: the line exceeds `bound`, or its sender's share of it.
    pub fn push(
        &mut self,
        event: Event,
        (sender, volatile): (Text, bool),
        now: Time,
        bound: Amount,
    ) -> Result<Option<u64>, Full> {
        let line = Line {
            number: self.stored.added,
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
        self.stored.added += 1;
        self.bytes += line.bytes;
        self.lines.push_back(line);
        Ok(self.acknowledged.map(|version| version + self.lines.len() as u64))
    }

    /// Acknowledges all lines up to `version` and fetches at most `max`. Returns the acknowledged
    /// version, which is never below `version`, and the lines.
    pub fn poll(&mut self, version: u64, max: usize) -> (u64, Vec<(u64, Event)>) {
        // The assumption was wrong: the client has a version that was not sent.
        if self.acknowledged.is_none() || self.assumed && version > self.handed {
            self.begin_at(version.max(self.base));
        }
        self.assumed = false;
        let Some(acknowledged) = self.acknowledge(version) else {
            return (version, Vec::new());
        };
        let lines = self.lines.iter().take(max).zip(acknowledged + 1..);
        let lines: Vec<_> = lines.map(|(line, version)| (version, line.event.clone())).collect();
        self.handed = self.handed.max(acknowledged + lines.len() as u64);
        (acknowledged, lines)
    }

    /// Acknowledges all lines up to `version`. Returns the acknowledged version; `None` if
    /// `version` is not of this login, or was not sent. 0 is the version of a client without any.
    pub fn acknowledge(&mut self, version: u64) -> Option<u64> {
        let before = self.acknowledged?;
        if version > self.handed || (1..self.base).contains(&version) {
            return None;
        }
        let removed = version.saturating_sub(before).min(self.lines.len() as u64);
        self.forget(removed);
        self.acknowledged = Some(before + removed);
        self.acknowledged
    }

    /// Acknowledges all lines up to the version of a logout. Without a version, acknowledges all
    /// sent lines, because the client reads up to the answer.
    pub fn acknowledge_at_logout(&mut self, version: Option<u64>) {
        self.acknowledge(version.unwrap_or(self.handed));
    }

    fn begin_at(&mut self, version: u64) {
        self.acknowledged = Some(version);
        (self.base, self.handed) = (version, version);
    }

    /// Marks a line as pushed.
    pub fn pushed(&mut self, version: u64) {
        if version == self.handed + 1 {
            self.handed = version;
        }
    }

    /// Marks all lines up to `version` as fetched. The client filters nothing and acknowledges
    /// late. Its next login does not get these lines again, even if the answer was lost with the
    /// connection.
    pub fn fetched(&mut self, version: u64) {
        self.fetched = version;
        self.stored.settled += 1;
    }

    /// Removes the sent lines from those of the next login.
    fn settle(&mut self) {
        let acknowledged = self.acknowledged.unwrap_or(0);
        let removed = self.fetched.saturating_sub(acknowledged).min(self.lines.len() as u64);
        self.forget(removed);
        self.fetched = 0;
    }

    fn forget(&mut self, lines: u64) {
        let removed = self.lines.drain(..usize::try_from(lines).unwrap_or(usize::MAX));
        for line in removed {
            self.bytes -= line.bytes;
            self.stored.removes(line.number);
            self.stored.settled += 1;
        }
    }

    /// Assumes a counter of 0 until the first poll, for clients that poll only after a
    /// notification.
    pub fn begin(&mut self) {
        if self.acknowledged.is_none() {
            self.begin_at(0);
            self.assumed = true;
        }
    }

    /// Returns the version of the last line; `None` before versions are known.
    pub fn last(&self) -> Option<u64> {
        let waiting = self.lines.len() as u64;
        self.acknowledged
            .filter(|_| waiting > 0)
            .map(|version| version + waiting)
    }

    /// Starts a new login, whose versions are above those of the old one. Drops the lines of the
    /// old login only, and expired ones; returns their number.
    pub fn restart(&mut self, now: Time, ttl: Duration) -> usize {
        if let Some(version) = self.acknowledged {
            self.base = version + self.lines.len() as u64 + 1;
        }
        self.settle();
        self.acknowledged = None;
        self.assumed = false;
        let before = self.lines.len();
        self.retain(|line| !line.volatile && now.since(line.at) < ttl);
        before - self.lines.len()
    }

    /// Removes the lines of an ended login that are not for a later one, and expired ones.
    pub fn end(&mut self, now: Time, ttl: Duration, is_volatile: impl Fn(&Event) -> bool) {
        self.restart(now, ttl);
        self.retain(|line| !is_volatile(&line.event));
    }

    fn retain(&mut self, stays: impl Fn(&Line) -> bool) {
        let stored = &mut self.stored;
        self.lines.retain(|line| {
            let stays = stays(line);
            if !stays {
                stored.removes(line.number);
            }
            stays
        });
        self.bytes = self.lines.iter().map(|line| line.bytes).sum();
    }

    /// Takes all unacknowledged lines, with their times.
    pub fn leave(&mut self) -> Vec<(Event, Time)> {
        self.settle();
        self.bytes = 0;
        let stored = &mut self.stored;
        self.lines
            .drain(..)
            .inspect(|line| stored.removes(line.number))
            .filter(|line| !line.volatile)
            .map(|line| (line.event, line.at))
            .collect()
    }

    /// Returns the versions for a store.
    pub fn versions(&self) -> Versions {
        Versions {
            acknowledged: self.acknowledged,
            assumed: self.assumed,
            base: self.base,
            fetched: self.fetched,
        }
    }

    /// Returns the lines that the store does not have, with their numbers.
    pub fn unstored(&self) -> impl Iterator<Item = (u64, SavedLine)> {
        let new = self
            .lines
            .iter()
            .rev()
            .take_while(|line| line.number >= self.stored.below);
        let skipped = self.lines.len() - new.count();
        self.lines.iter().skip(skipped).map(|line| {
            let saved = SavedLine {
                event: line.event.clone(),
                sender: line.sender.clone(),
                volatile: line.volatile,
                at: line.at,
            };
            (line.number, saved)
        })
    }

    /// Takes lines and versions from a store. The client may have got all of the lines.
    pub fn restore(&mut self, versions: Versions, lines: Vec<(u64, SavedLine)>) {
        self.stored.restore(lines.last().map(|(number, _)| *number));
        self.acknowledged = versions.acknowledged;
        self.assumed = versions.assumed;
        self.base = versions.base;
        self.fetched = versions.fetched;
        self.handed = versions.acknowledged.unwrap_or(versions.base) + lines.len() as u64;
        for (number, line) in lines {
            let bytes = line.event.bytes();
            self.bytes += bytes;
            self.lines.push_back(Line {
                number,
                event: line.event,
                sender: line.sender,
                bytes,
                volatile: line.volatile,
                at: line.at,
            });
        }
    }

    /// Begins anew with the versions of the next client.
    pub fn forget_versions(&mut self) {
        (self.acknowledged, self.assumed) = (None, false);
        (self.base, self.handed, self.fetched) = (0, 0, 0);
    }

    /// Returns the size of the lines in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns true if there are no lines.
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
    use proptest::prelude::*;

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
    fn unsent_lines_are_not_acknowledged() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(0, 30);
        for n in 1..=3 {
            push(&mut mailbox, n, false, 0).unwrap();
        }
        assert_eq!(versions(mailbox.poll(0, 2)), (0, vec![(1, 1), (2, 2)]));
        // The third line has not been sent.
        assert_eq!(versions(mailbox.poll(3, 30)), (3, vec![]));
        assert_eq!(versions(mailbox.poll(400, 30)), (400, vec![]));
        assert_eq!(versions(mailbox.poll(1, 30)), (1, vec![(2, 2), (3, 3)]));
        assert_eq!(versions(mailbox.poll(0, 30)), (1, vec![(2, 2), (3, 3)]), "never back");
        assert_eq!(versions(mailbox.poll(3, 30)), (3, vec![]));
        assert_eq!(mailbox.acknowledge(4), None);
        assert_eq!(mailbox.acknowledge(3), Some(3));
    }

    #[test]
    fn pushed_lines_can_be_acknowledged() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(0, 30);
        for n in 1..=2 {
            let version = push(&mut mailbox, n, false, 0).unwrap().unwrap();
            mailbox.pushed(version);
        }
        assert_eq!(mailbox.acknowledge(2), Some(2));
        assert!(mailbox.is_empty());
    }

    #[test]
    fn lines_received_before_logout_are_not_repeated() {
        for (version, left) in [(None, 1), (Some(1), 2), (Some(0), 3), (Some(3), 3)] {
            let mut mailbox = Mailbox::default();
            mailbox.poll(0, 30);
            for n in 1..=3 {
                push(&mut mailbox, n, false, 0).unwrap();
            }
            mailbox.poll(0, 2);
            mailbox.acknowledge_at_logout(version);
            assert_eq!(mailbox.leave().len(), left, "{version:?}");
        }
    }

    #[test]
    fn pollers_of_earlier_logins_have_no_effect() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(0, 30);
        for n in 1..=3 {
            let version = push(&mut mailbox, n, n == 3, 0).unwrap().unwrap();
            mailbox.pushed(version);
        }
        assert_eq!(versions(mailbox.poll(1, 30)).0, 1);
        mailbox.restart(Time::from_millis(0), Duration::from_secs(10));
        // Above the three versions of the earlier login.
        assert_eq!(versions(mailbox.poll(0, 30)), (4, vec![(5, 2)]));
        assert_eq!(push(&mut mailbox, 4, false, 0), Ok(Some(6)));
        mailbox.pushed(6);
        for old in [1, 2, 3] {
            assert_eq!(versions(mailbox.poll(old, 30)), (old, vec![]));
        }
        assert_eq!(versions(mailbox.poll(4, 30)), (4, vec![(5, 2), (6, 4)]));
        // A second socket of the same client.
        assert_eq!(versions(mailbox.poll(0, 30)), (4, vec![(5, 2), (6, 4)]));
        assert_eq!(versions(mailbox.poll(6, 30)), (6, vec![]));
    }

    /// A client that accepts contiguous versions only, as the strictest build does.
    #[derive(Default)]
    struct Client {
        version: u64,
        has: Vec<usize>,
    }

    impl Client {
        fn polls(&mut self, mailbox: &mut Mailbox, version: u64) {
            let (clear, lines) = mailbox.poll(version, 3);
            assert!(clear >= version, "{clear} is below {version}");
            self.version = clear;
            lines.into_iter().for_each(|(at, line)| self.takes(at, &line));
        }

        fn takes(&mut self, at: u64, line: &Event) {
            assert_eq!(at, self.version + 1, "no gaps");
            self.version = at;
            self.has.push(line.sig);
        }
    }

    proptest! {
        #[test]
        fn no_poll_sequence_loses_lines(steps in prop::collection::vec((0..6_u8, 0..12_u64), 0..60)) {
            let mut mailbox = Mailbox::default();
            let (mut client, mut other) = (Client::default(), Client::default());
            let mut sent = 0;
            client.polls(&mut mailbox, 0);
            for (ctx, number) in steps {
                match ctx {
                    0..=2 => {
                        sent += 1;
                        let sender = ("bob".into(), false);
                        let bound = Amount { events: 1_000, bytes: 1_000_000 };
                        let at = mailbox.push(event(sent), sender, Time::from_millis(0), bound).unwrap().unwrap();
                        mailbox.pushed(at);
                        if at == client.version + 1 {
                            client.takes(at, &event(sent));
                        }
                    }
                    3 => {
                        mailbox.restart(Time::from_millis(0), Duration::from_secs(10));
                        client.polls(&mut mailbox, 0);
                    }
                    // A poller of an earlier login in the same app. It has received what it acknowledges.
                    4 => {
                        let version = number.min(other.version);
                        other.polls(&mut mailbox, version);
                    }
                    _ => {
                        let version = client.version;
                        client.polls(&mut mailbox, version);
                    }
                }
            }
            for _ in 0..=sent {
                let version = client.version;
                client.polls(&mut mailbox, version);
            }
            let mut has = [client.has, other.has].concat();
            has.sort_unstable();
            has.dedup();
            prop_assert_eq!(has, (1..=sent).collect::<Vec<_>>());
        }
    }

    #[test]
    fn fetched_lines_are_not_repeated_at_the_next_login() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(5, 30);
        push(&mut mailbox, 1, false, 0).unwrap();
        push(&mut mailbox, 2, false, 0).unwrap();
        mailbox.poll(5, 30);
        mailbox.fetched(7);
        push(&mut mailbox, 3, false, 0).unwrap();
        assert_eq!(mailbox.len(), 3, "only an acknowledgement removes a line");
        mailbox.restart(Time::from_millis(0), Duration::from_secs(10));
        assert_eq!(mailbox.len(), 1);
    }

    #[test]
    fn a_wrong_assumed_version_is_corrected() {
        let mut mailbox = Mailbox::default();
        mailbox.begin();
        assert_eq!(push(&mut mailbox, 1, false, 0), Ok(Some(1)));
        assert_eq!(mailbox.last(), Some(1));
        assert_eq!(versions(mailbox.poll(7, 30)), (7, vec![(8, 1)]));
        assert_eq!(versions(mailbox.poll(8, 30)), (8, vec![]));
        assert_eq!(mailbox.last(), None);
    }

    #[test]
    fn announced_lines_are_not_acknowledged() {
        for (emitted, acknowledged, left) in [(&[][..], 2, 3), (&[1][..], 2, 3), (&[1, 2][..], 2, 1), (&[2][..], 2, 3)]
        {
            let mut mailbox = Mailbox::default();
            mailbox.begin();
            for n in 1..=3 {
                push(&mut mailbox, n, false, 0).unwrap();
            }
            emitted.iter().for_each(|version| mailbox.pushed(*version));
            assert_eq!(mailbox.poll(2, 30).0, acknowledged, "{emitted:?}");
            assert_eq!(mailbox.len(), left, "{emitted:?}");
        }
    }

    #[test]
    fn a_new_login_restarts_the_mailbox() {
        let mut mailbox = Mailbox::default();
        mailbox.poll(5, 30);
        push(&mut mailbox, 1, true, 900).unwrap();
        push(&mut mailbox, 2, false, 100).unwrap();
        push(&mut mailbox, 3, false, 900).unwrap();
        assert_eq!(mailbox.restart(Time::from_millis(1_100), Duration::from_secs(1)), 2);
        assert_eq!(versions(mailbox.poll(0, 30)), (9, vec![(10, 3)]));
    }

    #[test]
    fn the_size_of_lines_is_counted() {
        let mut mailbox = Mailbox::default();
        let line = event(1).bytes();
        mailbox.poll(0, 30);
        for n in 1..=3 {
            push(&mut mailbox, n, n == 3, 0).unwrap();
        }
        assert_eq!(mailbox.bytes(), 3 * line);
        mailbox.poll(0, 30);
        mailbox.poll(1, 30);
        assert_eq!(mailbox.bytes(), 2 * line);
        mailbox.restart(Time::from_millis(0), Duration::from_secs(10));
        assert_eq!(mailbox.bytes(), line);
        mailbox.leave();
        assert_eq!(mailbox.bytes(), 0);
    }
}
