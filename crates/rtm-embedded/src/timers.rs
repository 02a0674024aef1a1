//! What is due when, in one ordered list.

use std::collections::BTreeMap;

use rtm::time::Time;
use rtm::{CallKind, ChannelId, UserId};

use crate::context::{Ask, ClientId};
use crate::invitations::InvitationKey;

/// What happens when a timer fires.
#[derive(Clone, Debug)]
pub(super) enum Timer {
    /// The callee's accept was not acknowledged.
    AcceptUnanswered(InvitationKey),
    /// A call waited too long for its link.
    CallTimeout(Ask, CallKind),
    /// A member count that was held back is due.
    Count(ChannelId),
    /// An invitation was not delivered, or not answered.
    Invitation(InvitationKey),
    /// The attributes of an empty channel go.
    Linger(ChannelId),
    /// The next stage of an outage.
    Link(ClientId),
    /// A login waited too long for its link.
    LoginTimeout(ClientId),
    /// The oldest stored message of a receiver is too old.
    OfflineStore(UserId),
    /// The peer did not acknowledge a message.
    PeerTimeout(Ask),
    /// A token's warning or expiry.
    Token(ClientId),
}

/// A timer that can be cancelled: its time, and a number because times repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId(Time, u64);

/// What is due when.
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
    /// Timers of the same time fire in the order in which they were set.
    pub fn set(&mut self, at: Time, timer: T) -> TimerId {
        let id = TimerId(at, self.next);
        self.next += 1;
        self.due.insert(id, timer);
        id
    }

    /// The timer, unless it has fired.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.due.remove(&id)
    }

    /// The first timer that is due at `now`.
    pub fn pop(&mut self, now: Time) -> Option<(Time, T)> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let (TimerId(at, _), timer) = first.remove_entry();
        Some((at, timer))
    }

    /// When the first one is due.
    pub fn deadline(&self) -> Option<Time> {
        self.due.first_key_value().map(|(id, _)| id.0)
    }
}
