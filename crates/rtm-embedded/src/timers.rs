//! Timers in one ordered list.

use std::collections::BTreeMap;

use rtm::time::Time;
use rtm::{CallKind, ChannelId, UserId};

use crate::ids::{ClientId, InvitationKey, ReplyTo};

/// The action of a timer.
#[derive(Clone, Debug)]
pub(super) enum Timer {
    /// Timeout of the caller's acknowledgement of an accept.
    AcceptUnanswered(InvitationKey),
    /// Timeout of a call that waits for its link.
    CallTimeout(ReplyTo, CallKind),
    /// A delayed member count.
    Count(ChannelId),
    /// Timeout of an invitation's delivery or answer.
    Invitation(InvitationKey),
    /// Expiry of the attributes of an empty channel.
    Linger(ChannelId),
    /// The next stage of an outage.
    Link(ClientId),
    /// Timeout of a login that waits for its link.
    LoginTimeout(ClientId),
    /// Expiry of a receiver's oldest stored message.
    OfflineStore(UserId),
    /// Timeout of the peer's acknowledgement of a message.
    PeerTimeout(ReplyTo),
    /// A token's warning or expiry.
    Token(ClientId),
}

/// A timer that can be cancelled: its time, and a number because times repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId(Time, u64);

/// The timers of a service.
#[derive(Debug)]
pub struct Timers<T> {
    due: BTreeMap<TimerId, T>,
    next: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<T> Timers<T> {
    /// Sets a timer. Timers of the same time fire in the order in which they were set.
    pub fn set(&mut self, at: Time, timer: T) -> TimerId {
        let id = TimerId(at, self.next);
        self.next += 1;
        self.due.insert(id, timer);
        id
    }

    /// Cancels and returns the timer, unless it has fired.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.due.remove(&id)
    }

    /// Removes and returns the first timer up to `now`.
    pub fn pop(&mut self, now: Time) -> Option<(Time, T)> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let (TimerId(at, _), timer) = first.remove_entry();
        Some((at, timer))
    }

    /// Returns the time of the first timer.
    pub fn deadline(&self) -> Option<Time> {
        self.due.first_key_value().map(|(id, _)| id.0)
    }
}
