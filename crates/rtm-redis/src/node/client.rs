//! State of one RTM instance, as its SDK would keep it.

use std::collections::{BTreeMap, VecDeque};

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, OnlineState, RtmCall, UserId};
use rtm_embedded::checks::LoginState;
use rtm_embedded::{Expiry, Handles, Rates, TimerId};

use crate::wire::{EntryId, Fields};

/// One RTM instance, from `open` to `close`.
#[derive(Debug, Default)]
pub struct Client {
    pub phase: Phase,
    pub rates: Rates,
    pub handles: Handles<u64>,
    /// A pending call that later calls depend on.
    pub busy: bool,
    /// Calls behind it, oldest first.
    pub waiting: VecDeque<WaitingCall>,
    /// Its session has a record in Redis and acknowledges messages.
    pub needs_acknowledgement: bool,
    /// Messages that its session has not processed, in their order.
    pub unprocessed: VecDeque<UnprocessedMessage>,
}

/// A message that an instance was given and its session has not processed.
#[derive(Debug)]
pub enum UnprocessedMessage {
    /// An entry of the stream, with its fields after `peer`.
    Entry(EntryId, Fields),
    /// An offline message; the last one has the user, the login and their number.
    Offline(Option<[Vec<u8>; 3]>),
}

/// A call that waits for another one.
#[derive(Debug)]
pub struct WaitingCall {
    pub request: u64,
    pub call: RtmCall,
    pub until: Time,
    /// The membership in the channel is not checked.
    pub as_member: bool,
}

/// State of the instance.
#[derive(Debug, Default)]
pub enum Phase {
    /// DISCONNECTED.
    #[default]
    LoggedOut,
    /// CONNECTED.
    LoggedIn(Box<Session>),
    /// ABORTED: only `logout` ends it.
    Aborted,
}

/// A login.
#[derive(Debug)]
pub struct Session {
    pub user: UserId,
    /// Name of the login in Redis.
    pub login: Text,
    pub expiry: Expiry,
    pub token_timer: Option<TimerId>,
    /// In the order of joining.
    pub joined: Vec<ChannelId>,
    /// Channels of an earlier login elsewhere, until they are joined again or left.
    pub moved: Vec<ChannelId>,
    /// A copy for a repair.
    pub attributes: Vec<(Text, Text)>,
    /// With the presence of the last event.
    pub following: BTreeMap<UserId, OnlineState>,
}

impl LoginState for Session {
    fn has_joined(&self, channel: &ChannelId) -> bool {
        self.joined.contains(channel)
    }

    fn joined_count(&self) -> usize {
        self.joined.len()
    }

    fn follows(&self, user: &UserId) -> bool {
        self.following.contains_key(user)
    }

    fn followed_count(&self) -> usize {
        self.following.len()
    }
}

impl Client {
    pub fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::LoggedIn(session) => Some(session),
            _ => None,
        }
    }

    pub fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::LoggedIn(session) => Some(session),
            _ => None,
        }
    }
}
