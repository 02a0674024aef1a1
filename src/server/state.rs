//! What all sessions and sockets share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::admin::{Metrics, Started, Usage};
use crate::config::{Config, MissingAttribute, OverRate, RepeatedInvite, UpstreamKind};
use crate::log::accounts::Accounts;
use crate::log::clients::Logins;
use crate::webhook::Webhooks;
use agent_link::driver::Driver;
use engine::{SessionContext, SessionLimits};
use identity::{Account, SessionLineKey};
use protocol::event::{Event, SocketId};
use rtm::AppId;
use rtm::CallKind;
use rtm::time::Time;
use rtm::upstream::Upstream;
use rtm_redis::RedisUpstream;
use runtime::log_limit::{Bound, Cause, admits};
use runtime::net::{Shortage, Shortages};
use tables::Tables;
use tables::profile::Profile;
use tables::wire::Wire;
use trace::{Begin, Bounds, RecordedNames, Recorder, Redaction};

use crate::server::channel_index::Members;
use crate::server::channel_rates::ChannelRates;
use crate::server::connection_limits::{ConnectionLimits, ConnectionPermit};
use crate::server::grace_sessions::GraceSessions;
use crate::server::live_session::LiveSession;
use crate::server::mailbox_file::{Key, Spool};
use crate::server::message::Message;
use crate::server::name_mapper::AppNames;
use crate::server::offline_mailboxes::{Dropped, OfflineMailboxes};
use crate::server::pending_logins::PendingLogins;
use crate::server::registry::{SessionHandle, SessionRegistry};
use crate::server::run_queue::{RunQueue, enter};
use crate::server::session_inbox::{Inbox, InboxPressure, WeakInbox, inbox};
use crate::server::session_timers::SessionTimers;
use protocol::encoder::Encoder;
use protocol::memory_budget::{Memory, MemoryUser};
use runtime::clock::Clock;

/// How often what waits is looked after.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sessions that give up at once when the memory is full: what that frees is seen a moment later.
const GIVE_UP_AT_ONCE: usize = 64;
/// What receivers of webhooks have at the end, at least.
const LAST_NOTICES: Duration = Duration::from_secs(1);

/// What all sessions and sockets share.
pub struct Server {
    /// The config.
    pub config: Config,
    /// The tables.
    pub tables: Arc<Tables>,
    /// The languages of the tables' profiles, in their order.
    pub encoders: Vec<Arc<dyn Encoder>>,
    /// RTM.
    pub upstream: Arc<dyn Upstream>,
    /// The link to agents, when an app has its RTM there.
    pub driver: Option<Arc<Driver>>,
    /// The service on Redis, where any app has its RTM there.
    pub redis: Option<Arc<RedisUpstream>>,
    /// Sessions.
    pub registry: SessionRegistry,
    /// Sessions by channel.
    pub members: Members,
    /// Lines of accounts that are away.
    pub kept: OfflineMailboxes,
    /// The file of such lines, when the config has one.
    spool: OnceLock<Arc<Spool>>,
    /// Sessions without a client.
    pub graces: GraceSessions,
    /// Logins on their way.
    pub logins: Arc<PendingLogins>,
    /// What the log says of logins.
    pub log: Arc<Logins>,
    /// Messages that were sent to channels lately.
    pub channel_rates: ChannelRates,
    /// Room for connections of every front.
    pub entrance: Arc<ConnectionLimits>,
    /// Bytes that wait for clients.
    pub memory: Arc<Memory>,
    /// Inboxes that hold too much.
    pub crowd: Arc<InboxPressure>,
    /// Sessions that are to be run.
    pub runs: Arc<RunQueue>,
    /// The timers of sessions.
    pub timers: Arc<SessionTimers>,
    /// All sessions by their numbers.
    pub live: Mutex<HashMap<u64, WeakInbox>>,
    /// Cancelled when no session is left.
    pub ended: CancellationToken,
    /// What this process has run out of lately.
    pub strain: Arc<Shortages>,
    /// What is recorded.
    pub recorder: Recorder,
    /// The clock.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Who is told what happens.
    pub webhooks: Arc<Webhooks>,
    /// Which calls and events are used.
    pub usage: Usage,
    /// The key of session lines.
    pub line_key: SessionLineKey,
    /// All tasks, to wait for at the end.
    pub tasks: TaskTracker,
    /// Cancelled when the process is to end.
    pub shutdown: CancellationToken,
    /// Whether all addresses are served.
    pub started: Started,
    /// The admin address, which outlives the shutdown.
    pub admin: AdminTasks,
    next_socket: AtomicU64,
}

/// What serves the admin address.
#[derive(Debug, Default)]
pub struct AdminTasks {
    /// Its listener and connections.
    pub tasks: TaskTracker,
    /// Cancelled when everything else is over.
    pub closed: CancellationToken,
}

/// What sessions use, and of it the parts that the operator is shown.
type RtmOf = (Arc<dyn Upstream>, Option<Arc<Driver>>, Option<Arc<RedisUpstream>>);

impl Server {
    /// A server that is not listening yet.
    ///
    /// # Errors
    /// The system has no randomness for the key of session lines.
    pub fn new(
        config: Config,
        tables: Arc<Tables>,
        encoders: Vec<Arc<dyn Encoder>>,
        (upstream, driver, redis): RtmOf,
        clock: Clock,
        (metrics, webhooks, strain): (Arc<Metrics>, Arc<Webhooks>, Arc<Shortages>),
        (tasks, shutdown): (TaskTracker, CancellationToken),
    ) -> Result<Arc<Self>, getrandom::Error> {
        let line_key = match &config.session.line_key {
            Some(key) => key.clone(),
            None => SessionLineKey::random()?,
        };
        let memory = Memory::new(config.limits.memory);
        Ok(Arc::new(Self {
            usage: Usage::new(&tables),
            kept: OfflineMailboxes::new(&memory, (config.mailbox.limit, config.mailbox.bytes)),
            spool: OnceLock::new(),
            graces: GraceSessions::new(config.limits.sockets, &memory),
            channel_rates: ChannelRates::new(config.limits.channel_messages_per_second),
            entrance: ConnectionLimits::new(config.limits.sockets),
            memory,
            crowd: Arc::default(),
            runs: Arc::default(),
            timers: Arc::default(),
            live: Mutex::default(),
            ended: CancellationToken::new(),
            strain,
            tables,
            encoders,
            upstream,
            driver,
            redis,
            registry: SessionRegistry::default(),
            members: Members::default(),
            logins: Arc::default(),
            log: Arc::new(Logins {
                accounts: Accounts::new(config.log.accounts, &line_key),
                metrics: metrics.clone(),
                clock,
            }),
            recorder: Recorder::new(metrics.health()),
            clock,
            metrics,
            webhooks,
            line_key,
            config,
            tasks,
            shutdown,
            started: Started::default(),
            admin: AdminTasks::default(),
            next_socket: AtomicU64::new(1),
        }))
    }

    /// A connection comes from `peer`; none when there is no room for it.
    pub fn enter(&self, peer: IpAddr) -> Option<Arc<ConnectionPermit>> {
        let ticket = self.entrance.enter(peer, Instant::now());
        if ticket.is_none() {
            self.strain.note(Shortage::Sockets);
        }
        ticket
    }

    /// Stops accepting, closes the clients in the way that each of them understands, and waits at most `drain`; then, for
    /// receivers of webhooks, as long as is left of it, but at least [`LAST_NOTICES`]. The admin address is closed last:
    /// until then `/readyz` reports the drain.
    pub async fn stop(&self, drain: Duration) {
        self.shutdown.cancel();
        self.tasks.close();
        self.wake_sessions();
        let begun = Instant::now();
        // What is still open after that is cut off by the end of the process.
        let _ = tokio::time::timeout(drain, self.tasks.wait()).await;
        self.ended.cancel();
        self.save_lines();
        let left = drain.saturating_sub(begun.elapsed());
        let notices = self.webhooks.finish(left.max(LAST_NOTICES));
        tokio::join!(self.recorder.finish(drain), notices);
        self.admin.closed.cancel();
        self.admin.tasks.close();
        self.admin.tasks.wait().await;
    }

    /// Sessions look whether they are to end.
    fn wake_sessions(&self) {
        let all: Vec<_> = self.live.lock().values().filter_map(WeakInbox::upgrade).collect();
        let _run = enter();
        all.iter().for_each(Inbox::fire_timers);
    }

    /// What waits for accounts that are away waits in a file, if there is one.
    fn save_lines(&self) {
        self.expire_lines();
        let waiting = self.kept.take_all();
        let lines: usize = waiting.iter().map(|(_, lines)| lines.len()).sum();
        match self.spool.get().map(|spool| spool.save(&waiting, &self.tables)) {
            None | Some(Ok(())) if lines == 0 => {}
            Some(Ok(())) => info!(lines, "messages wait in the mailbox file"),
            Some(Err(error)) => {
                error!(lines, %error, hint = "[mailbox] file must be writable", "messages are lost: cannot write");
            }
            None => warn!(
                lines,
                hint = "set [mailbox] file",
                "messages are lost at the end of the process"
            ),
        }
    }

    /// Records sessions that begin from now on; false when the config names no folder.
    ///
    /// # Errors
    /// The file system's.
    pub async fn record(&self) -> std::io::Result<bool> {
        let config = &self.config.record;
        let Some(folder) = config.folder.clone() else {
            return Ok(false);
        };
        let bounds = Bounds {
            file_bytes: config.file_size.saturating_mul(1_000_000),
            file_time: config.file_time,
            files: config.files,
        };
        let redaction = Redaction::new(&self.tables, config.names, config.bodies)?;
        self.recorder.start(folder, bounds, redaction, self.clock.now()).await?;
        Ok(true)
    }

    /// Takes up what an earlier process has left.
    ///
    /// # Errors
    /// The file system's.
    pub fn load_lines(&self) -> std::io::Result<()> {
        let Some(path) = &self.config.mailbox.file else {
            return Ok(());
        };
        let loaded = Spool::load(path, &self.tables, self.is_fresh())?;
        for (key, lines) in loaded.waiting {
            self.keep(key, lines);
        }
        if loaded.unread > 0 {
            warn!(
                unread = loaded.unread,
                hint = "a copy of the file with them is beside it, ending in .unread",
                "messages in the mailbox file could not be read"
            );
            self.metrics.dropped("messages in the mailbox file");
        }
        let _ = self.spool.set(Arc::new(loaded.spool));
        Ok(())
    }

    /// Returns a predicate: whether a line is younger than `[mailbox] ttl`.
    fn is_fresh(&self) -> impl Fn(Time) -> bool + use<> {
        let (now, ttl) = (self.clock.now(), self.config.mailbox.ttl);
        move |at| now.since(at) < ttl
    }

    /// Keeps the lines of an account that is away. Returns how many there was no room for.
    pub fn keep(&self, key: Key, lines: Vec<(Event, Time)>) -> usize {
        let (refused, oldest) = self.kept.keep(key, lines);
        self.note_unkept("kept lines", refused);
        self.drop_kept("oldest kept lines", oldest);
        refused
    }

    fn expire_lines(&self) {
        let expired = self.kept.expire(self.clock.now(), self.config.mailbox.ttl);
        self.drop_kept("kept lines over their time", expired);
    }

    fn drop_kept(&self, what: &'static str, dropped: Dropped) {
        self.note_unkept(what, dropped.lines);
        self.settle_spooled(dropped.accounts);
    }

    fn note_unkept(&self, what: &'static str, lines: usize) {
        if lines > 0 {
            self.metrics.dropped_many(what, lines);
            if admits(what, Bound::EVENT, Cause::default()) {
                warn!(lines, what, "messages of accounts that are away are dropped");
            }
        }
    }

    /// Looks after what waits, until the shutdown: drops what is too old, and while the memory is full, the oldest.
    pub async fn sweep(self: Arc<Self>) {
        let mut every = interval(SWEEP_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = every.tick() => {}
            }
            self.expire_lines();
            self.drop_kept("oldest kept lines", self.kept.relieve());
            for _ in 0..GIVE_UP_AT_ONCE {
                if !self.memory.is_full() {
                    break;
                }
                let Some(oldest) = self.graces.oldest() else { break };
                self.give_up(&oldest);
            }
            for (holder, name) in MemoryUser::ALL {
                self.metrics.holds(name, self.memory.of(*holder));
            }
        }
    }

    /// Ends a session without a client before its grace time is over: there is no room for all that wait.
    pub fn give_up(&self, session: &WeakInbox) {
        self.metrics.dropped("sessions without a client");
        if admits("sessions without a client", Bound::EVENT, Cause::default()) {
            warn!(
                hint =
                    "[limits] sockets bounds how many sessions wait for their clients, [limits] memory what all hold",
                "a session ends before its grace time is over: others have no room"
            );
        }
        if let Some(inbox) = session.upgrade() {
            // One that is over needs no news.
            let _ = inbox.send(Message::GiveUp);
        }
    }

    /// Whether the mailbox file has lines of an account.
    pub fn has_spooled(&self, key: &Key) -> bool {
        self.spool.get().is_some_and(|spool| spool.holds(key))
    }

    /// Marks accounts in the mailbox file whose lines are acknowledged or dropped.
    pub fn settle_spooled(&self, mut keys: Vec<Key>) {
        let Some(spool) = self.spool.get().cloned() else { return };
        keys.retain(|key| spool.holds(key));
        if keys.is_empty() {
            return;
        }
        self.tasks.spawn_blocking(move || {
            for key in keys {
                if let Err(error) = spool.settle(&key)
                    && admits("the mailbox file cannot be written", Bound::EVENT, Cause::default())
                {
                    let hint = "the next process may deliver these messages again";
                    error!(%error, hint, "cannot write the mailbox file");
                }
            }
        });
    }

    /// A number for a socket.
    pub fn new_socket(&self) -> SocketId {
        SocketId(self.next_socket.fetch_add(1, Ordering::Relaxed))
    }

    /// What a session of an app id is given; `wire` is that of its client's family.
    pub fn context(&self, vid: &AppId, wire: Arc<Wire>) -> SessionContext {
        let config = &self.config;
        let all = CallKind::ALL.iter().copied();
        let lacks: Vec<CallKind> = all.filter(|kind| !self.upstream.can(vid, *kind)).collect();
        SessionContext {
            tables: self.tables.clone(),
            wire,
            names: Arc::new(AppNames {
                vid: vid.clone(),
                numbers: config.uid.clone(),
            }),
            offline_messages: match config.upstream_of(vid) {
                UpstreamKind::Embedded => config.embedded.offline_messages,
                UpstreamKind::Redis => config.redis.offline_messages,
                UpstreamKind::Agent => false,
            },
            can: Arc::new(move |kind| !lacks.contains(&kind)),
            limits: SessionLimits {
                login: config.session.rtm_login_timeout,
                grace: config.session.grace,
                invite: config.invite.timeout,
                mailbox: config.mailbox.limit,
                mailbox_bytes: config.mailbox.bytes,
                mailbox_ttl: config.mailbox.ttl,
                messages_per_second: config.limits.messages_per_second,
                invitations_per_second: config.limits.invitations_per_second,
                empty_attributes: config.policy.missing_attribute == MissingAttribute::Empty,
                strict_reinvite: config.policy.repeated_invite == RepeatedInvite::Fail,
                force_join: config.policy.force_join,
                discard_over_rate: config.policy.over_rate == OverRate::Discard,
                ..SessionLimits::default()
            },
        }
    }

    /// Begins a session: its task, its RTM client.
    pub fn new_session(
        self: &Arc<Self>,
        vid: AppId,
        account: Account,
        wire: Arc<Wire>,
        profile: &Profile,
    ) -> SessionHandle {
        let mut context = self.context(&vid, wire);
        let now = self.clock.now();
        let tape = self.recorder.tape(&self.tables, now);
        if let Some(tape) = &tape {
            tape.at(now);
            let platform = self.upstream.platform(&vid);
            tape.begin(&Begin::of(&profile.name, account.text(), platform, &context));
            context.names = Arc::new(RecordedNames::new(context.names, tape.clone()));
        }
        let recorded = tape.is_some();
        let inbox = inbox(&self.crowd, &self.runs);
        let (to_session, metrics) = (inbox.downgrade(), self.metrics.clone());
        let client = self.upstream.open(
            &vid,
            Arc::new(move |event| {
                if let Some(inbox) = to_session.upgrade()
                    && !inbox.tell(event)
                {
                    metrics.dropped("messages for a session that cannot keep up");
                }
            }),
        );
        // Random over all bits: a line of one sidecar is known on every other that shares the key.
        let id = getrandom::u64().unwrap_or_else(|_| self.new_socket().0);
        self.live.lock().insert(id, inbox.downgrade());
        let session = LiveSession::new(self.clone(), (vid, account), context, id, client, inbox.downgrade());
        inbox.start(Box::new(session.on(tape).begin()));
        SessionHandle { id, inbox, recorded }
    }
}
