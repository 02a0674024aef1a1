//! State of one RTM instance: its SDK's state, and the service's state of its login.

use std::collections::BTreeSet;

use foldhash::HashMap;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, OnlineState, RtmEvent, RtmReply, UserId};

use crate::context::Ctx;
use crate::handles::Handles;
use crate::ids::{ClientId, InvitationKey, ReplyTo};
use crate::limits::TOKEN_WARNING;
use crate::outage::{Held, Outage, Stage};
use crate::rates::Rates;
use crate::timers::{Timer, TimerId};
use crate::token::Expiry;
use crate::user_attributes::UserAttributes;

/// The instances, and the users that are logged in at one.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// In boxes, because a table that grows has many free places.
    all: HashMap<ClientId, Box<Client>>,
    users: HashMap<UserId, ClientId>,
}

impl Clients {
    pub(super) fn insert(&mut self, id: ClientId, client: Client) {
        self.all.insert(id, Box::new(client));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn get(&self, client: ClientId) -> Option<&Client> {
        self.all.get(&client).map(|client| &**client)
    }

    pub(super) fn get_mut(&mut self, client: ClientId) -> Option<&mut Client> {
        self.all.get_mut(&client).map(|client| &mut **client)
    }

    pub(super) fn remove(&mut self, client: ClientId) -> Option<Client> {
        self.all.remove(&client).map(|client| *client)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ClientId, &Client)> {
        self.all.iter().map(|(id, client)| (id, &**client))
    }

    /// Returns the instance at which the user is logged in.
    pub(super) fn of_user(&self, user: &UserId) -> Option<ClientId> {
        self.users.get(user).copied()
    }

    /// Registers a user's login at an instance; returns the earlier instance.
    pub(super) fn set_user(&mut self, user: UserId, client: ClientId) -> Option<ClientId> {
        self.users.insert(user, client)
    }

    /// Removes a user's login at an instance.
    pub(super) fn remove_user(&mut self, user: &UserId, client: ClientId) {
        if self.of_user(user) == Some(client) {
            self.users.remove(user);
        }
    }

    #[cfg(test)]
    pub(super) fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Returns the login of a user.
    pub(super) fn session_of(&self, user: &UserId) -> Option<&Session> {
        self.session(self.of_user(user)?)
    }

    /// Returns a user's presence for subscribers.
    pub(super) fn online_state(&self, user: &UserId) -> OnlineState {
        let session = self.session_of(user);
        session.map_or(OnlineState::Offline, Session::online_state)
    }

    /// Sends the instance an event that is transported as a peer message: at once, or after the
    /// recovery of its link.
    pub(super) fn signal(&mut self, ctx: &mut Ctx<'_>, client: ClientId, event: RtmEvent) {
        let Some(session) = self.session_mut(client) else {
            return;
        };
        match &mut session.outage {
            None => ctx.event(client, event),
            Some(outage) => {
                outage.hold(Held { event, sender: None });
            }
        }
    }

    /// Answers the sender of a held message, unless its call has timed out.
    pub(super) fn acknowledge(&self, ctx: &mut Ctx<'_>, sender: Option<TimerId>, received: bool) {
        if let Some(Timer::PeerTimeout(reply_to)) = sender.and_then(|timer| ctx.cancel(timer))
            && self.get(reply_to.client).is_some()
        {
            ctx.reply(reply_to, RtmReply::HasPeerReceived(received));
        }
    }

    /// Sets the timer of the token's warning, or of its expiry after the warning.
    pub(super) fn watch_token(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.session_mut(client) else {
            return;
        };
        if let Some(timer) = session.token_timer.take() {
            ctx.cancel(timer);
        }
        session.token_timer = session.expiry.map(|end| {
            let warning = Time::from_millis(end.as_millis().saturating_sub(TOKEN_WARNING.as_millis() as u64));
            ctx.set_timer(warning.max(ctx.now), Timer::Token(client))
        });
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
    Connecting(Box<PendingLogin>),
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
    pub(super) attributes: UserAttributes,
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
            attributes: UserAttributes::default(),
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
