//! The client's side of the mailbox: polls and received versions (signaling-wire 5).

use std::time::Duration;

use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::wire::Polls;

use crate::client::web_codec::{Notice, mailbox_line};

/// Delay of the acknowledgement after a delivery.
const ACK_AFTER: Duration = Duration::from_secs(1);
/// Poll interval of an idle client.
const IDLE: Duration = Duration::from_secs(60);

/// Number of lines in a full answer.
const FULL: i64 = 30;

/// The received versions, and the time of the next poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mailbox {
    polls: Polls,
    version: i64,
    polling: bool,
    /// A notification of more lines arrived during a poll.
    again: bool,
    deadline: Option<Time>,
}

impl Mailbox {
    /// Creates the mailbox of a client with that poll mode.
    pub fn new(polls: Polls) -> Self {
        Self {
            polls,
            version: 0,
            polling: false,
            again: false,
            deadline: None,
        }
    }

    /// Returns the last received version.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Starts a poll if it is time; returns the version to acknowledge.
    pub fn poll(&mut self, now: Time) -> Option<i64> {
        if self.polling || self.deadline.is_none_or(|deadline| deadline > now) {
            return None;
        }
        self.polling = true;
        self.again = false;
        self.deadline = None;
        Some(self.version)
    }

    /// Returns the time of the next poll; `None` while a poll is pending.
    pub fn deadline(&self) -> Option<Time> {
        self.deadline.filter(|_| !self.polling)
    }

    /// Handles a successful login: most families poll at the next opportunity.
    pub fn start(&mut self, now: Time) {
        self.deadline = (self.polls != Polls::OnNotification).then_some(now);
    }

    /// Handles a lost connection: a pending poll gets no answer.
    pub fn lost(&mut self, now: Time) {
        if self.polling {
            self.polling = false;
            self.deadline = Some(now);
        }
    }

    /// Handles a notification of lines up to `version`.
    pub fn hint(&mut self, version: i64, now: Time) {
        if version <= self.version {
            return;
        }
        self.again = self.polling;
        if !self.polling {
            self.deadline = Some(now);
        }
    }

    /// Handles a pushed line. It is accepted only if it is the next one; otherwise the mailbox is
    /// polled.
    pub fn deliver(&mut self, version: i64, line: Text, now: Time) -> Option<Text> {
        if version != self.version + 1 {
            self.hint(version, now);
            return None;
        }
        self.version = version;
        self.acknowledge_soon(now);
        Some(line)
    }

    /// Handles the answer to a poll; returns its new lines.
    pub fn answered(&mut self, reply: Option<&Value>, now: Time) -> Vec<Text> {
        self.polling = false;
        let idle = (self.polls == Polls::AtLogin).then_some(now + IDLE);
        let next = if self.again { Some(now) } else { idle };
        self.deadline = self.deadline.into_iter().chain(next).min();
        self.again = false;
        let Some(reply) = reply else { return Vec::new() };
        let acknowledged = reply.get("ver_clear").and_then(Value::as_int).unwrap_or(0);
        self.version = self.version.max(acknowledged);
        let mut lines = Vec::new();
        let emitted = self.version;
        for pair in reply.get("msgs").and_then(Value::as_list).unwrap_or_default() {
            if let Some(Notice::Mailbox(version, line)) = mailbox_line(pair)
                && version > self.version
            {
                self.version = version;
                lines.push(line);
                self.acknowledge_soon(now);
            }
        }
        if self.polls == Polls::OnNotification && self.version - emitted >= FULL {
            // More lines may be waiting. Clients that poll on notification poll at once, others
            // with their acknowledgement.
            self.deadline = Some(now);
        }
        lines
    }

    /// Schedules an acknowledgement. A client that polls on notification acknowledges with its next
    /// poll.
    fn acknowledge_soon(&mut self, now: Time) {
        if self.polls == Polls::LoginThenNotified {
            return;
        }
        let soon = now + ACK_AFTER;
        self.deadline = Some(self.deadline.map_or(soon, |deadline| deadline.min(soon)));
    }
}
