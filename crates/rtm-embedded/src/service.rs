//! The RTM service of one app id: its state, and the entries by which others drive it.

use std::collections::HashMap;

use rtm::time::Time;
use rtm::{ChannelId, ConnectionReason, OnlineState, RtmCall, UserId};

use crate::channels::Channel;
use crate::client::{Client, Clients, Session};
use crate::config::RtmServiceConfig;
use crate::context::{Ask, ClientId, Output, Step};
use crate::invitations::Invitations;
use crate::offline::OfflineStore;
use crate::presence::Followers;
use crate::random::Random;
use crate::rates::Window;
use crate::timers::{Timer, Timers};

/// One app id's RTM.
///
/// Every entry first fires what is due by its time, so a late [`tick`](Self::tick) changes when something is seen but
/// not what. Time never runs backwards: an earlier time counts as the latest one given.
#[derive(Debug)]
pub struct RtmService {
    pub(super) config: RtmServiceConfig,
    pub(super) clients: Clients,
    /// Who is logged in, by which instance.
    pub(super) users: HashMap<UserId, ClientId>,
    pub(super) channels: HashMap<ChannelId, Channel>,
    pub(super) followers: Followers,
    pub(super) invitations: Invitations,
    pub(super) offline: OfflineStore,
    pub(super) timers: Timers<Timer>,
    pub(super) random: Random,
    /// What was sent by the RESTful API lately.
    pub(super) rest: Window,
    now: Time,
    next_client: u64,
}

impl RtmService {
    /// A service that nobody uses yet.
    pub fn new(config: RtmServiceConfig) -> Self {
        Self {
            config,
            clients: Clients::default(),
            users: HashMap::new(),
            channels: HashMap::new(),
            followers: Followers::default(),
            invitations: Invitations::default(),
            offline: OfflineStore::default(),
            timers: Timers::default(),
            random: Random::new(config.seed),
            rest: Window::default(),
            now: Time::default(),
            next_client: 1,
        }
    }

    /// A new RTM instance, not logged in.
    pub fn open(&mut self) -> ClientId {
        let client = ClientId(self.next_client);
        self.next_client += 1;
        self.clients.insert(client, Client::new());
        client
    }

    /// The instance's process is gone: as a logout that nobody asked for, so without a reply or an event to it.
    ///
    /// Unlike a logout it cannot withdraw the instance's invitations: callees learn when they accept (`PEER_OFFLINE`),
    /// or by expiry.
    pub fn close(&mut self, now: Time, client: ClientId, out: &mut Vec<Output>) {
        let mut step = self.step(now, out);
        self.remove(&mut step, client);
    }

    /// One call of an instance; a call of an instance that is closed has no answer.
    ///
    /// `request` is the caller's own number and comes back in [`Output::Reply`], in `out` or, where the call has to
    /// wait for a lost link, in that of a later entry.
    pub fn call(&mut self, now: Time, client: ClientId, request: u64, call: RtmCall, out: &mut Vec<Output>) {
        let mut step = self.step(now, out);
        self.dispatch(&mut step, Ask { client, request }, call);
    }

    /// Fires everything due at or before `now`, in the order of time.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Output>) {
        self.step(now, out);
    }

    /// When [`tick`](Self::tick) is next needed; none while nothing is pending.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.deadline()
    }

    /// A control for tests: the link between the instance's SDK and the service goes down, or comes back.
    ///
    /// An instance in this process has no link that could be lost, so without it the 4, 6 and 30 s of rtm-api 4 would
    /// never pass.
    pub fn link(&mut self, now: Time, client: ClientId, up: bool, out: &mut Vec<Output>) {
        let mut step = self.step(now, out);
        self.set_link(&mut step, client, up);
    }

    /// A control for tests: RTM puts the instance's user out. The vendor's console can do that.
    pub fn ban(&mut self, now: Time, client: ClientId, out: &mut Vec<Output>) {
        let mut step = self.step(now, out);
        if self.clients.session(client).is_some() {
            self.abort(&mut step, client, ConnectionReason::BannedByServer);
        }
    }

    /// True when nothing is left in it that anybody could come back for: no instance, no channel that still has
    /// attributes, no offline message.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.channels.is_empty() && self.offline.is_empty()
    }

    /// Fires what is due, and begins an entry.
    fn step<'a>(&mut self, now: Time, out: &'a mut Vec<Output>) -> Step<'a> {
        self.now = self.now.max(now);
        let mut step = Step { now: self.now, out };
        while let Some((at, timer)) = self.timers.pop(self.now) {
            step.now = at;
            self.fire(&mut step, timer);
        }
        step.now = self.now;
        step
    }

    fn fire(&mut self, step: &mut Step<'_>, timer: Timer) {
        match timer {
            Timer::AcceptUnanswered(key) => self.accept_unanswered(step, key),
            Timer::CallTimeout(ask, kind) => self.call_timed_out(step, ask, kind),
            Timer::Count(channel) => self.count_due(step, &channel),
            Timer::Invitation(key) => self.invitation_due(step, key),
            Timer::Linger(channel) => self.linger_due(&channel),
            Timer::Link(client) => self.outage_due(step, client),
            Timer::LoginTimeout(client) => self.login_timed_out(step, client),
            Timer::OfflineStore(user) => self.offline_due(step.now, &user),
            Timer::PeerTimeout(ask) => self.peer_timed_out(step, ask),
            Timer::Token(client) => self.token_due(step, client),
        }
    }

    /// A user's presence as followers see it.
    pub(super) fn online_state(&self, user: &UserId) -> OnlineState {
        let session = self.users.get(user).and_then(|&client| self.clients.session(client));
        session.map_or(OnlineState::Offline, Session::online_state)
    }
}
