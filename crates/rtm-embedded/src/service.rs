//! The RTM service of one app id: its inputs and timers.

mod dispatch;
mod link;
mod login;

use rtm::time::Time;
use rtm::{ConnectionReason, RtmCall};

use crate::channels::Channels;
use crate::client::{Client, Clients};
use crate::config::RtmServiceConfig;
use crate::context::{Ctx, Output};
use crate::ids::{ClientId, ReplyTo};
use crate::invitations::Invitations;
use crate::peers::Peers;
use crate::presence::Presence;
use crate::timers::{Timer, Timers};

/// The RTM service of one app id.
///
/// Every input first runs the timers up to its time. A late [`tick`](Self::tick) thus changes the
/// time of outputs but not their content. Time is monotonic: an earlier time counts as the latest
/// one given.
#[derive(Debug)]
pub struct RtmService {
    config: RtmServiceConfig,
    pub(super) state: Coordinator,
    timers: Timers<Timer>,
    now: Time,
    next_client: u64,
}

/// The state machines of a service. They get each other only as arguments; steps of several of
/// them are coordinated here.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) clients: Clients,
    pub(super) presence: Presence,
    pub(super) peers: Peers,
    pub(super) channels: Channels,
    pub(super) invitations: Invitations,
}

impl RtmService {
    /// Creates an unused service.
    pub fn new(config: RtmServiceConfig) -> Self {
        let state = Coordinator {
            clients: Clients::default(),
            presence: Presence::default(),
            peers: Peers::default(),
            channels: Channels::new(config.seed),
            invitations: Invitations::default(),
        };
        Self {
            config,
            state,
            timers: Timers::default(),
            now: Time::default(),
            next_client: 1,
        }
    }

    /// Creates an RTM instance, not logged in.
    pub fn open(&mut self) -> ClientId {
        let client = ClientId(self.next_client);
        self.next_client += 1;
        self.state.clients.insert(client, Client::new());
        client
    }

    /// Closes an instance, as if its process had ended: a logout without a reply or an event.
    ///
    /// Unlike a logout it does not withdraw the instance's invitations: for callees an accept fails
    /// (`PEER_OFFLINE`), or the invitation expires.
    pub fn close(&mut self, now: Time, client: ClientId, out: &mut Vec<Output>) {
        let (state, mut ctx) = self.begin(now, out);
        state.remove(&mut ctx, client);
    }

    /// Executes a call of an instance; a call of a closed instance has no reply.
    ///
    /// `request` is the caller's own number, which [`Output::Reply`] returns. The reply is in
    /// `out`, or in that of a later input if the call waits for a lost link.
    pub fn call(&mut self, now: Time, client: ClientId, request: u64, call: RtmCall, out: &mut Vec<Output>) {
        let (state, mut ctx) = self.begin(now, out);
        state.dispatch(&mut ctx, ReplyTo { client, request }, call);
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
        let (state, mut ctx) = self.begin(now, out);
        state.set_link(&mut ctx, client, up);
    }

    /// Bans the instance's user, for tests. The vendor's console can do that.
    pub fn ban(&mut self, now: Time, client: ClientId, out: &mut Vec<Output>) {
        let (state, mut ctx) = self.begin(now, out);
        if state.clients.session(client).is_some() {
            state.abort(&mut ctx, client, ConnectionReason::BannedByServer);
        }
    }

    /// Returns true if no state is left: no instance, no channel with attributes, no offline
    /// message.
    pub fn is_empty(&self) -> bool {
        self.state.clients.is_empty() && self.state.channels.is_empty() && self.state.peers.offline.is_empty()
    }

    /// Runs the expired timers, and starts an input.
    fn begin<'a>(&'a mut self, now: Time, out: &'a mut Vec<Output>) -> (&'a mut Coordinator, Ctx<'a>) {
        self.now = self.now.max(now);
        let mut ctx = Ctx {
            now: self.now,
            config: &self.config,
            timers: &mut self.timers,
            out,
        };
        while let Some((at, timer)) = ctx.timers.pop(self.now) {
            ctx.now = at;
            self.state.timer(&mut ctx, timer);
        }
        ctx.now = self.now;
        (&mut self.state, ctx)
    }
}

impl Coordinator {
    fn timer(&mut self, ctx: &mut Ctx<'_>, timer: Timer) {
        let clients = &mut self.clients;
        match timer {
            Timer::AcceptUnanswered(key) => self.invitations.accept_unanswered(clients, ctx, key),
            Timer::CallTimeout(reply_to, kind) => self.call_timed_out(ctx, reply_to, kind),
            Timer::Count(channel) => self.channels.count_timer(ctx, &channel),
            Timer::Invitation(key) => self.invitations.timer(clients, ctx, key),
            Timer::Linger(channel) => self.channels.linger_timer(ctx, &channel),
            Timer::Link(client) => self.outage_timer(ctx, client),
            Timer::LoginTimeout(client) => self.login_timed_out(ctx, client),
            Timer::OfflineStore(user) => self.peers.offline.timer(ctx, &user),
            Timer::PeerTimeout(reply_to) => Peers::timed_out(clients, ctx, reply_to),
            Timer::Token(client) => self.token_timer(ctx, client),
        }
    }
}
