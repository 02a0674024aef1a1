//! State of one RTM instance: its SDK's state, and the service's state of its login.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, OnlineState, RtmCall, RtmEvent, UserId};

use crate::context::{ClientId, ReplyTo};
use crate::invitations::{Handles, InvitationKey};
use crate::rates::Rates;
use crate::timers::TimerId;
use crate::token::Expiry;

/// The instances. A separate type, so that a session can be borrowed while timers are set.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<ClientId, Client>);

impl Clients {
    pub(super) fn insert(&mut self, id: ClientId, client: Client) {
        self.0.insert(id, client);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, client: ClientId) -> Option<&Client> {
        self.0.get(&client)
    }

    pub(super) fn get_mut(&mut self, client: ClientId) -> Option<&mut Client> {
        self.0.get_mut(&client)
    }

    pub(super) fn remove(&mut self, client: ClientId) -> Option<Client> {
        self.0.remove(&client)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ClientId, &Client)> {
        self.0.iter()
    }

    /// Returns the instance's login, if there is one.
    pub(super) fn session(&self, client: ClientId) -> Option<&Session> {
        match &self.get(client)?.phase {
            Phase::In(session) => Some(session),
            _ => None,
        }
    }

    /// Returns the instance's login, if there is one.
    pub(super) fn session_mut(&mut self, client: ClientId) -> Option<&mut Session> {
        match &mut self.get_mut(client)?.phase {
            Phase::In(session) => Some(session),
            _ => None,
        }
    }
}

/// One RTM instance, from `open` to `close`.
#[derive(Debug)]
pub(super) struct Client {
    /// True if its link is up; set by tests.
    pub(super) link_up: bool,
    pub(super) phase: Phase,
    pub(super) rates: Rates,
    pub(super) handles: Handles<InvitationKey>,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            link_up: true,
            phase: Phase::Out,
            rates: Rates::default(),
            handles: Handles::default(),
        }
    }
}

/// The login phase of an instance.
#[derive(Debug)]
pub(super) enum Phase {
    /// DISCONNECTED.
    Out,
    /// CONNECTING: the login waits for the link.
    Connecting(PendingLogin),
    /// CONNECTED or RECONNECTING.
    In(Box<Session>),
    /// ABORTED: only `logout` leaves this state.
    Aborted,
}

/// A login that waits for the link.
#[derive(Debug)]
pub(super) struct PendingLogin {
    pub(super) reply_to: ReplyTo,
    pub(super) user: UserId,
    pub(super) token: Option<Text>,
    pub(super) timer: TimerId,
}

/// A login.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) user: UserId,
    /// True if the service counts the user as logged in by this instance. False after 30 s without
    /// a link, or if another instance has taken the user id.
    pub(super) present: bool,
    pub(super) expiry: Expiry,
    pub(super) token_timer: Option<TimerId>,
    /// At most 20, in the order of joining.
    pub(super) joined: Vec<Joined>,
    pub(super) attributes: Vec<(Text, Text)>,
    pub(super) following: BTreeSet<UserId>,
    /// Set while the link is lost.
    pub(super) outage: Option<Box<Outage>>,
}

impl Session {
    pub(super) fn new(user: UserId, expiry: Expiry) -> Self {
        Self {
            user,
            present: true,
            expiry,
            token_timer: None,
            joined: Vec::new(),
            attributes: Vec::new(),
            following: BTreeSet::new(),
            outage: None,
        }
    }

    /// Returns the presence for subscribers.
    pub(super) fn online_state(&self) -> OnlineState {
        match &self.outage {
            _ if !self.present => OnlineState::Offline,
            Some(outage) if outage.stage >= Stage::Unreachable => OnlineState::Unreachable,
            _ => OnlineState::Online,
        }
    }

    /// Returns true if outputs of the service arrive at once.
    pub(super) fn is_reachable(&self) -> bool {
        self.outage.is_none()
    }

    pub(super) fn joined(&self, channel: &ChannelId) -> Option<&Joined> {
        self.joined.iter().find(|j| j.channel == *channel)
    }
}

/// A channel that the instance has joined.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) channel: ChannelId,
    /// The index among the channel's members; `None` once the service has removed a silent user.
    pub(super) place: Option<usize>,
    /// The first message that the instance missed during its outage.
    pub(super) missed: Option<u64>,
}

/// A lost link (rtm-api 4).
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) since: Time,
    pub(super) stage: Stage,
    /// The timer of the next stage; `None` after the last.
    pub(super) timer: Option<TimerId>,
    /// The token has expired during the outage: only `renewToken` lets the instance recover.
    pub(super) token_expired: bool,
    /// Peer messages and invitation signals, oldest first.
    pub(super) held: VecDeque<Held>,
    /// Calls of the instance, oldest first.
    pub(super) waiting: VecDeque<Waiting>,
    /// Changes in the presence of subscribed users.
    pub(super) presence: BTreeMap<UserId, OnlineState>,
}

/// The stage of an outage, by its duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Up to 4 s: not detected.
    Unnoticed,
    /// The instance is RECONNECTING.
    Interrupted,
    /// Over 6 s: subscribers see UNREACHABLE.
    Unreachable,
    /// Over 30 s: the service has logged the user out.
    Abandoned,
}

/// An event for an instance whose link is lost.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) event: RtmEvent,
    /// The timer of the sender's call, if the delivery of the message completes one.
    pub(super) sender: Option<TimerId>,
}

/// A call of an instance whose link is lost.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) reply_to: ReplyTo,
    pub(super) call: RtmCall,
    pub(super) timer: TimerId,
}
