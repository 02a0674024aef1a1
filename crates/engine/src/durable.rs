//! The stored state of a session, with which the account's next session continues.
//!
//! A session has no effect for its store: after a step, the server takes the changes since the last time
//! (`Session::changes`). So changes of several steps are stored at once.

use protocol::event::{CallRef, Event, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{ChannelId, InvitationId, UserId};
use tables::row::RowId;

use crate::emulate::call_role::Role;

/// Lines and messages in one set of changes.
pub(crate) const AT_ONCE: usize = 256;

/// Numbers of the entries of a queue, and those that a store has.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Entries that were ever added.
    pub(crate) added: u64,
    /// The store has the entries with lower numbers.
    pub(crate) below: u64,
    /// Removed entries that the store has.
    pub(crate) removed: Vec<u64>,
    /// Number of entries that a client has acknowledged, or got and may never acknowledge.
    pub(crate) settled: u64,
}

/// The versions of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The acknowledged version.
    pub acknowledged: Option<u64>,
    /// It is assumed.
    pub assumed: bool,
    /// The first version of the login.
    pub base: u64,
    /// The last version that a client got which may never acknowledge it.
    pub fetched: u64,
}

/// A line of a mailbox.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedLine {
    /// The event.
    pub event: Event,
    /// The account that caused it.
    pub sender: Text,
    /// It is of the current login only.
    pub volatile: bool,
    /// Its time.
    pub at: Time,
}

/// A message that waits for its peer.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedMessage {
    /// The peer.
    pub peer: UserId,
    /// The row that sends it.
    pub row: RowId,
    /// The row's values.
    pub slots: Vec<Value>,
    /// Its expiry.
    pub until: Time,
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedCall {
    /// The channel.
    pub channel: Text,
    /// The other party.
    pub peer: Text,
    /// The session's side.
    pub role: Role,
    /// It was accepted.
    pub talking: bool,
    /// The row that started it, with its values.
    pub origin: Option<(RowId, Vec<Value>)>,
}

/// The state of a session without its queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The family of the client.
    pub family: Text,
    /// The session has ended: its next one gets the lines only.
    pub ended: bool,
    /// The versions of the mailbox.
    pub versions: Versions,
    /// Number of joins.
    pub cids: i64,
    /// The session line.
    pub line: Text,
    /// The joined channel.
    pub channel: Option<Text>,
}

/// A stored session.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The state.
    pub head: Head,
    /// Unacknowledged lines by number, in order.
    pub lines: Vec<(u64, SavedLine)>,
    /// Messages for offline peers by number, in order.
    pub messages: Vec<(u64, SavedMessage)>,
    /// Calls.
    pub calls: Vec<SavedCall>,
}

/// State that is not in the store yet.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The store removes its earlier content.
    pub all: bool,
    /// There are more changes.
    pub more: bool,
    /// The changed state.
    pub head: Option<Head>,
    /// New lines.
    pub lines: Vec<(u64, SavedLine)>,
    /// Numbers of removed lines.
    pub removed_lines: Vec<u64>,
    /// New messages.
    pub messages: Vec<(u64, SavedMessage)>,
    /// Numbers of removed messages.
    pub removed_messages: Vec<u64>,
    /// The calls after a change.
    pub calls: Option<Vec<SavedCall>>,
    /// The last expiry of a message.
    pub until: Option<Time>,
}

/// State of a session that is in the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saved {
    pub head: Head,
    pub calls: Vec<SavedCall>,
    /// The store may have anything.
    pub unknown: bool,
    /// A resume by line whose RTM login is pending.
    pub resuming: Option<CallRef>,
    /// The channel state that its client has sent meanwhile: number of the channel, number of the last line.
    pub subscribed: Option<(SocketId, u64, u64)>,
    /// The channel to join again.
    pub channel: Option<Text>,
    /// The channel whose members are fetched.
    pub lists: Option<ChannelId>,
    /// Calls whose invitations ended with the last RTM client.
    pub unanswered: Vec<(Role, InvitationId)>,
}

impl Stored {
    /// Counts a new entry; returns its number.
    pub(crate) fn add(&mut self) -> u64 {
        self.added += 1;
        self.added - 1
    }

    /// Returns a number that grows with everything that must be stored before the client gets it.
    pub(crate) fn progress(&self) -> u64 {
        self.added + self.settled
    }

    /// Notes a removed entry.
    pub(crate) fn removes(&mut self, number: u64) {
        if number < self.below {
            self.removed.push(number);
        }
    }

    /// Handles a store that may have lost entries.
    pub(crate) fn forget(&mut self) {
        self.below = 0;
        self.removed.clear();
    }

    /// Continues with the entries of a store, the last of which has that number.
    pub(crate) fn restore(&mut self, last: Option<u64>) {
        self.added = last.map_or(0, |last| last + 1);
        self.below = self.added;
    }

    /// Takes the first entries that are not stored; returns true if there are more.
    pub(crate) fn take<T>(&mut self, mut unstored: Vec<(u64, T)>, out: &mut Vec<(u64, T)>) -> bool {
        let more = unstored.len() > AT_ONCE;
        unstored.truncate(AT_ONCE);
        self.below = unstored.last().map_or(self.added, |(number, _)| number + 1);
        *out = unstored;
        more
    }
}
