//! Pings and pongs of a client, and its channel for a resume.

use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;

use crate::client::codec::Codec;

/// Time between two pings.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A native client that misses a pong stops sending, and disconnects after this time.
const PONG_TIMEOUT: Duration = Duration::from_secs(180);

/// The joined channel.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    /// The channel's number from the join's reply.
    pub cid: Text,
    pub name: Text,
    /// The number of its last line.
    pub msgid: i64,
}

/// The state of pings and pongs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keepalive {
    count: i64,
    next: Option<Time>,
    sent: Option<Time>,
    /// Time of the disconnect after a missed pong.
    end: Option<Time>,
}

impl Keepalive {
    /// Starts the pings: native clients ping at once, others after an interval.
    pub fn start(&mut self, codec: Codec, now: Time) {
        *self = Self {
            count: self.count,
            ..Self::default()
        };
        self.next = Some(match codec {
            Codec::Lines => now,
            Codec::Frames => now + PING_EVERY,
        });
    }

    /// Handles a pong. Native clients ignore a pong in the same millisecond as its ping.
    pub fn pong(&mut self, codec: Codec, now: Time) {
        let sent = self.sent.take();
        if codec == Codec::Lines && sent.is_some_and(|sent| now <= sent) {
            self.next = None;
            self.end = Some(now + PONG_TIMEOUT);
        }
    }

    /// Returns true if the client disconnects, because a pong was missed.
    pub fn is_over(&self, now: Time) -> bool {
        self.end.is_some_and(|at| at <= now)
    }

    /// Returns the number of the ping whose time has come.
    pub fn ping(&mut self, now: Time) -> Option<i64> {
        self.next.filter(|at| *at <= now)?;
        self.next = Some(now + PING_EVERY);
        self.sent = Some(now);
        self.count += 1;
        Some(self.count)
    }

    /// Returns the time of the next action.
    pub fn deadline(&self) -> Option<Time> {
        self.next.into_iter().chain(self.end).min()
    }
}
