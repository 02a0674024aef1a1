//! The client's side of the mailbox: when it polls and what it has (signaling-wire 5).

use std::time::Duration;

use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::wire::Polls;

use crate::client::web_codec::{Notice, mailbox_line};

/// A delivery is acknowledged after this time.
const ACK_AFTER: Duration = Duration::from_secs(1);
/// A client that hears nothing asks after this time.
const IDLE: Duration = Duration::from_secs(60);

/// Lines that a full answer holds.
const FULL: i64 = 30;

/// What the client has of its mailbox, and when it asks for more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mailbox {
    polls: Polls,
    version: i64,
    polling: bool,
    /// ClientEvent of more while a poll was out.
    again: bool,
    due: Option<Time>,
}

impl Mailbox {
    /// The mailbox of a client with those habits.
    pub fn new(polls: Polls) -> Self {
        Self {
            polls,
            version: 0,
            polling: false,
            again: false,
            due: None,
        }
    }

    /// The last version that the client has.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The version to acknowledge, when it is time to poll; the poll is then out.
    pub fn poll(&mut self, now: Time) -> Option<i64> {
        if self.polling || self.due.is_none_or(|due| due > now) {
            return None;
        }
        self.polling = true;
        self.again = false;
        self.due = None;
        Some(self.version)
    }

    /// When to poll next; not while a poll is out.
    pub fn due(&self) -> Option<Time> {
        self.due.filter(|_| !self.polling)
    }

    /// A login is answered: most poll at the next opportunity.
    pub fn start(&mut self, now: Time) {
        self.due = (self.polls != Polls::WhenTold).then_some(now);
    }

    /// The connection is lost: a poll that is out is not answered any more.
    pub fn lost(&mut self, now: Time) {
        if self.polling {
            self.polling = false;
            self.due = Some(now);
        }
    }

    /// The server has lines up to `version`.
    pub fn hint(&mut self, version: i64, now: Time) {
        if version <= self.version {
            return;
        }
        self.again = self.polling;
        if !self.polling {
            self.due = Some(now);
        }
    }

    /// A line that came by itself. It counts only when it is the next one; else the mailbox is asked.
    pub fn deliver(&mut self, version: i64, line: Text, now: Time) -> Option<Text> {
        if version != self.version + 1 {
            self.hint(version, now);
            return None;
        }
        self.version = version;
        self.acknowledge_soon(now);
        Some(line)
    }

    /// The answer to a poll: its lines, less those that are known.
    pub fn answered(&mut self, reply: Option<&Value>, now: Time) -> Vec<Text> {
        self.polling = false;
        let idle = (self.polls == Polls::AtLogin).then_some(now + IDLE);
        let next = if self.again { Some(now) } else { idle };
        self.due = self.due.into_iter().chain(next).min();
        self.again = false;
        let Some(reply) = reply else { return Vec::new() };
        let acknowledged = reply.get("ver_clear").and_then(Value::as_int).unwrap_or(0);
        self.version = self.version.max(acknowledged);
        let mut lines = Vec::new();
        let told = self.version;
        for pair in reply.get("msgs").and_then(Value::as_list).unwrap_or_default() {
            if let Some(Notice::Mailbox(version, line)) = mailbox_line(pair)
                && version > self.version
            {
                self.version = version;
                lines.push(line);
                self.acknowledge_soon(now);
            }
        }
        if self.polls == Polls::WhenTold && self.version - told >= FULL {
            // More may wait. Such a client asks at once, others with their acknowledgement.
            self.due = Some(now);
        }
        lines
    }

    /// One that polls only when told after its login acknowledges with its next poll, whenever that is.
    fn acknowledge_soon(&mut self, now: Time) {
        if self.polls == Polls::ThenWhenTold {
            return;
        }
        let soon = now + ACK_AFTER;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }
}
