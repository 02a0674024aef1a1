//! The RTM service of one app id: its state and its inputs.

use std::collections::HashMap;

use rtm::rate::SlidingWindow;
use rtm::time::Time;
use rtm::{ChannelId, ConnectionReason, OnlineState, RtmCall, UserId};

use crate::channels::Channel;
use crate::client::{Client, Clients, Session};
use crate::config::RtmServiceConfig;
use crate::context::{ClientId, Ctx, Output, ReplyTo};
use crate::invitations::Invitations;
use crate::offline::OfflineStore;
use crate::presence::Followers;
use crate::random::Random;
use crate::timers::{Timer, Timers};

/// The RTM service of one app id.
///
/// Every input first runs the timers up to its time. A late [`tick`](Self::tick) thus changes the
/// time of outputs but not their content. Time is monotonic: an earlier time counts as the latest
/// one given.
#[derive(Debug)]
pub struct RtmService {
    pub(super) config: RtmServiceConfig,
    pub(super) clients: Clients,
    /// The logged-in users and their instances.
    pub(super) users: HashMap<UserId, ClientId>,
    pub(super) channels: HashMap<ChannelId, Channel>,
    pub(super) followers: Followers,
    pub(super) invitations: Invitations,
    pub(super) offline: OfflineStore,
    pub(super) timers: Timers<Timer>,
    pub(super) random: Random,
    /// Recent calls by the RESTful API.
    pub(super) rest: SlidingWindow,
    now: Time,
    next_client: u64,
}

impl RtmService {
    /// Creates an unused service.
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
            rest: SlidingWindow::default(),
            now: Time::default(),
            next_client: 1,
        }
    }

    /// Creates an RTM instance, not logged in.
    pub fn open(&mut self) -> ClientId {
        let client = ClientId(self.next_client);
        self.next_client += 1;
        self.clients.insert(client, Client::new());
        client
    }

    /// Closes an instance, as if its process had ended: a logout without a reply or an event.
    ///
    /// Unlike a logout it does not withdraw the instance's invitations: for callees an accept fails
    /// (`PEER_OFFLINE`), or the invitation expires.
    pub fn close(&mut self, now: Time, client: ClientId, out: &mut Vec<Output>) {
        let mut ctx = self.begin(now, out);
        self.remove(&mut ctx, client);
    }

    /// Executes a call of an instance; a call of a closed instance has no reply.
    ///
    /// `request` is the caller's own number, which [`Output::Reply`] returns. The reply is in
    /// `out`, or in that of a later input if the call waits for a lost link.
    pub fn call(&mut self, now: Time, client: ClientId, request: u64, call: RtmCall, out: &mut Vec<Output>) {
        let mut ctx = self.begin(now, out);
        self.dispatch(&mut ctx, ReplyTo { client, request }, call);
    }

    /// Runs all timers up to `now`, in the order of time.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Output>) {
        self.begin(now, out);
    }

    /// Returns the time of the next required [`tick`](Self::tick); `None` while no timer is set.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.deadline()
    }

    /// Sets the link between the instance's SDK and the service, for tests.
    ///
    /// An instance in this process cannot lose its link, so the 4, 6 and 30 s of rtm-api 4 are only
    /// reachable by this function.
    pub fn link(&mut self, now: Time, client: ClientId, up: bool, out: &mut Vec<Output>) {
        let mut ctx = self.begin(now, out);
        self.set_link(&mut ctx, client, up);
    }

    /// Bans the instance's user, for tests. The vendor's console can do that.
    pub fn ban(&mut self, now: Time, client: ClientId, out: &mut Vec<Output>) {
        let mut ctx = self.begin(now, out);
        if self.clients.session(client).is_some() {
            self.abort(&mut ctx, client, ConnectionReason::BannedByServer);
        }
    }

    /// Returns true if no state is left: no instance, no channel with attributes, no offline
    /// message.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.channels.is_empty() && self.offline.is_empty()
    }

    /// Runs the expired timers, and starts an input.
    fn begin<'a>(&mut self, now: Time, out: &'a mut Vec<Output>) -> Ctx<'a> {
        self.now = self.now.max(now);
        let mut ctx = Ctx { now: self.now, out };
        while let Some((at, timer)) = self.timers.pop(self.now) {
            ctx.now = at;
            self.fire(&mut ctx, timer);
        }
        ctx.now = self.now;
        ctx
    }

    fn fire(&mut self, ctx: &mut Ctx<'_>, timer: Timer) {
        match timer {
            Timer::AcceptUnanswered(key) => self.accept_unanswered(ctx, key),
            Timer::CallTimeout(reply_to, kind) => self.call_timed_out(ctx, reply_to, kind),
            Timer::Count(channel) => self.count_timer(ctx, &channel),
            Timer::Invitation(key) => self.invitation_timer(ctx, key),
            Timer::Linger(channel) => self.linger_timer(&channel),
            Timer::Link(client) => self.outage_timer(ctx, client),
            Timer::LoginTimeout(client) => self.login_timed_out(ctx, client),
            Timer::OfflineStore(user) => self.offline_timer(ctx.now, &user),
            Timer::PeerTimeout(reply_to) => self.peer_timed_out(ctx, reply_to),
            Timer::Token(client) => self.token_timer(ctx, client),
        }
    }

    /// Returns a user's presence for subscribers.
    pub(super) fn online_state(&self, user: &UserId) -> OnlineState {
        let session = self.users.get(user).and_then(|&client| self.clients.session(client));
        session.map_or(OnlineState::Offline, Session::online_state)
    }
}
