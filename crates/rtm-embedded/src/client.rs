//! What the world knows of one RTM instance: what its SDK would keep, and what the service keeps of its login.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, OnlineState, RtmCall, RtmEvent, UserId};

use crate::context::{Ask, ClientId};
use crate::invitations::{Handles, InvitationKey};
use crate::rates::Rates;
use crate::timers::TimerId;
use crate::token::Expiry;

/// The instances. A type of its own, so that a session can be held while timers are set.
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

    /// The instance's login, if it has one.
    pub(super) fn session(&self, client: ClientId) -> Option<&Session> {
        match &self.get(client)?.phase {
            Phase::In(session) => Some(session),
            _ => None,
        }
    }

    /// The instance's login, if it has one.
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
    /// Whether its link is up, by the test control.
    pub(super) wire: bool,
    pub(super) phase: Phase,
    pub(super) rates: Rates,
    pub(super) handles: Handles<InvitationKey>,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            wire: true,
            phase: Phase::Out,
            rates: Rates::default(),
            handles: Handles::default(),
        }
    }
}

/// Where the instance is between two logins.
#[derive(Debug)]
pub(super) enum Phase {
    /// DISCONNECTED.
    Out,
    /// CONNECTING: the login waits for the link.
    Connecting(PendingLogin),
    /// CONNECTED or RECONNECTING.
    In(Box<Session>),
    /// ABORTED: nothing but `logout` leads out.
    Aborted,
}

/// A login that waits for the link.
#[derive(Debug)]
pub(super) struct PendingLogin {
    pub(super) ask: Ask,
    pub(super) user: UserId,
    pub(super) token: Option<Text>,
    pub(super) timer: TimerId,
}

/// A login.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) user: UserId,
    /// Whether the service counts the user as logged in by this instance: not after 30 s without a link, nor when
    /// another instance took the user id meanwhile.
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

    /// Presence as followers see it.
    pub(super) fn online_state(&self) -> OnlineState {
        match &self.outage {
            _ if !self.present => OnlineState::Offline,
            Some(outage) if outage.stage >= Stage::Unreachable => OnlineState::Unreachable,
            _ => OnlineState::Online,
        }
    }

    /// Whether what the service sends arrives at once.
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
    /// The place among the channel's members; none once the service has removed a silent user.
    pub(super) place: Option<usize>,
    /// The first message that the instance missed by its outage.
    pub(super) missed: Option<u64>,
}

/// A lost link (rtm-api 4).
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) since: Time,
    pub(super) stage: Stage,
    /// The next stage; none after the last.
    pub(super) timer: Option<TimerId>,
    /// The token expired meanwhile: only `renewToken` lets the instance recover.
    pub(super) token_dead: bool,
    /// Peer messages and invitation signals, oldest first.
    pub(super) held: VecDeque<Held>,
    /// Calls of the instance, oldest first.
    pub(super) waiting: VecDeque<Waiting>,
    /// Presence of followed users that changed meanwhile.
    pub(super) presence: BTreeMap<UserId, OnlineState>,
}

/// How long a link has been lost, by what has been said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Up to 4 s: nobody knows.
    Unnoticed,
    /// The instance is RECONNECTING.
    Interrupted,
    /// Over 6 s: followers see UNREACHABLE.
    Unreachable,
    /// Over 30 s: the service gave the user up.
    GivenUp,
}

/// Something for an instance whose link is lost.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) event: RtmEvent,
    /// The timer of the sender's call, if the message's delivery answers one.
    pub(super) sender: Option<TimerId>,
}

/// A call of an instance whose link is lost.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ask: Ask,
    pub(super) call: RtmCall,
    pub(super) timer: TimerId,
}
