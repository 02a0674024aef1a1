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
pub(super) struct TimerId(Time, u64);

/// The timers of a world.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<TimerId, Timer>,
    next: u64,
}

impl Timers {
    /// Timers of the same time fire in the order in which they were set.
    pub(super) fn set(&mut self, at: Time, timer: Timer) -> TimerId {
        let id = TimerId(at, self.next);
        self.next += 1;
        self.due.insert(id, timer);
        id
    }

    /// The timer, unless it has fired.
    pub(super) fn cancel(&mut self, id: TimerId) -> Option<Timer> {
        self.due.remove(&id)
    }

    /// The first timer that is due at `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<(Time, Timer)> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let (TimerId(at, _), timer) = first.remove_entry();
        Some((at, timer))
    }

    /// When the first one is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.due.first_key_value().map(|(id, _)| id.0)
    }
}
