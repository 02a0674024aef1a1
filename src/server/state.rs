//! Shared state of all sessions and sockets.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::admin::{Metrics, Started, UsageKeeper, Viewers};
use crate::config::{Config, MissingAttribute, OverRate, RepeatedInvite, UpstreamKind};
use crate::log::accounts::Accounts;
use crate::log::clients::Logins;
use crate::log::refusals::Refusals;
use crate::otel::Tracer;
use crate::webhook::Webhooks;
use agent_link::driver::Driver;
use engine::{AppNames, SessionContext, SessionLimits};
use identity::SessionLineKey;
use protocol::event::{Event, SocketId};
use rtm::AppId;
use rtm::CallKind;
use rtm::time::Time;
use rtm::upstream::Upstream;
use rtm_redis::RedisUpstream;
use runtime::log_limit::{Bound, Cause, admits};
use runtime::net::{Shortage, Shortages};
use tables::Tables;
use tables::wire::Wire;
use trace::{Bounds, Recorder, Redaction};

use crate::server::channel_index::Members;
use crate::server::connection_limits::{ConnectionLimits, ConnectionPermit};
use crate::server::drain::Drain;
use crate::server::grace_sessions::GraceSessions;
use crate::server::limit::Limit;
use crate::server::line_keys::LineKeys;
use crate::server::mailbox_file::{Key, MailboxFile};
use crate::server::message::Message;
use crate::server::offline_mailboxes::{Dropped, OfflineMailboxes};
use crate::server::pending_logins::PendingLogins;
use crate::server::rates::SidecarRates;
use crate::server::registry::SessionRegistry;
use crate::server::reloads::Reloads;
use crate::server::run_queue::{RunQueue, enter};
use crate::server::session_directory::SessionDirectory;
use crate::server::session_inbox::{Inbox, InboxPressure, WeakInbox};
use crate::server::session_start::RecordFilter;
use crate::server::session_timers::SessionTimers;
use crate::server::table_set::{TableSet, TableSets, TooManyTables};
use protocol::memory_budget::{Memory, MemoryUser};
use runtime::clock::Clock;

/// Interval of [`Server::sweep`].
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sweeps between two writes of the usage file.
const SAVE_USAGE_EVERY: u64 = 60;
/// Maximum of sessions that one sweep ends while the memory is full. Their memory is freed with a delay.
const GIVE_UP_AT_ONCE: usize = 64;
/// Time limit for closing the last connections of a drain.
const LAST_CLOSES: Duration = Duration::from_secs(5);
/// Minimum time for the last webhooks and traces at the shutdown.
const LAST_NOTICES: Duration = Duration::from_secs(1);

/// Shared state of all sessions and sockets.
pub struct Server {
    config: ArcSwap<Config>,
    /// Mapping tables.
    pub sets: TableSets,
    pub upstream: Arc<dyn Upstream>,
    /// Driver of agent links, if an app uses them.
    pub driver: Option<Arc<Driver>>,
    /// RTM service on Redis, if an app uses it.
    pub redis: Option<Arc<RedisUpstream>>,
    pub registry: SessionRegistry,
    /// Sessions by channel.
    pub members: Members,
    /// Lines of offline accounts.
    pub kept: OfflineMailboxes,
    /// File of these lines, if configured.
    mailbox_file: OnceLock<Arc<MailboxFile>>,
    /// Sessions without a client.
    pub grace_sessions: GraceSessions,
    /// Unanswered logins.
    pub logins: Arc<PendingLogins>,
    /// Log of logins.
    pub log: Arc<Logins>,
    /// Rates of logins and messages.
    pub rates: SidecarRates,
    /// Limits on connections of all transports.
    pub connection_limits: Arc<ConnectionLimits>,
    /// Memory of queued client data.
    pub memory: Arc<Memory>,
    /// Inboxes above their limit.
    pub pressure: Arc<InboxPressure>,
    /// Queue of runnable sessions.
    pub runs: Arc<RunQueue>,
    /// Timers of sessions.
    pub timers: Arc<SessionTimers>,
    /// Live sessions.
    pub sessions: SessionDirectory,
    /// Cancelled after the end of all sessions.
    pub ended: CancellationToken,
    /// Recent resource shortages of this process.
    pub shortages: Arc<Shortages>,
    /// Recorder of traces.
    pub recorder: Recorder,
    /// Selection of recorded sessions.
    pub record_filter: Mutex<RecordFilter>,
    /// Tables of the recorded sessions: the redaction is made for them.
    pub(super) recorded: Mutex<Option<Arc<TableSet>>>,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// Webhooks and their receivers.
    pub webhooks: Arc<Webhooks>,
    /// Usage across restarts.
    pub usage_keeper: UsageKeeper,
    /// Keys of session lines.
    pub line_keys: LineKeys,
    /// Tasks that the shutdown waits for.
    pub tasks: TaskTracker,
    /// Requests of reloads.
    pub reloads: Reloads,
    /// Drain before the shutdown.
    pub drain: Drain,
    /// Cancelled at the start of the shutdown.
    pub shutdown: CancellationToken,
    /// Set when all addresses are served.
    pub started: Started,
    /// Tasks of the admin address, which are closed last.
    pub admin: AdminTasks,
    /// Set when the lines of offline accounts have been saved.
    saved: AtomicBool,
    next_socket: AtomicU64,
}

/// Tasks of the admin address.
#[derive(Debug, Default)]
pub struct AdminTasks {
    /// Listener and connections.
    pub tasks: TaskTracker,
    /// Cancelled after the end of all other tasks.
    pub closed: CancellationToken,
    /// Viewers of sessions.
    pub viewers: Viewers,
}

/// What reports to operators: metrics, webhooks, shortages, traces.
type Reporting = (Arc<Metrics>, Arc<Webhooks>, Arc<Shortages>, Arc<Tracer>);

/// Upstream of the sessions, with its driver and its Redis service.
type RtmOf = (Arc<dyn Upstream>, Option<Arc<Driver>>, Option<Arc<RedisUpstream>>);

impl Server {
    /// Creates a server without listeners.
    ///
    /// # Errors
    /// The system has no randomness for the key of session lines.
    pub fn new(
        config: Config,
        set: Arc<TableSet>,
        (upstream, driver, redis): RtmOf,
        clock: Clock,
        (metrics, webhooks, shortages, tracer): Reporting,
        (tasks, shutdown): (TaskTracker, CancellationToken),
    ) -> Result<Arc<Self>, getrandom::Error> {
        let line_key = match &config.session.line_key {
            Some(key) => key.clone(),
            None => SessionLineKey::random()?,
        };
        let memory = Memory::new(config.limits.memory);
        Ok(Arc::new(Self {
            usage_keeper: UsageKeeper::new(config.admin.usage_file.clone(), &line_key),
            kept: OfflineMailboxes::new(&memory, (config.mailbox.limit, config.mailbox.bytes), set.clone()),
            mailbox_file: OnceLock::new(),
            grace_sessions: GraceSessions::new(config.limits.sockets, &memory),
            rates: SidecarRates::default(),
            connection_limits: {
                let limits = ConnectionLimits::new(config.limits.sockets);
                limits.limit(config.limits.sockets, config.limits.address_connections);
                limits
            },
            memory,
            pressure: Arc::default(),
            runs: Arc::default(),
            timers: Arc::default(),
            sessions: SessionDirectory::default(),
            ended: CancellationToken::new(),
            shortages,
            sets: TableSets::new(set),
            recorded: Mutex::new(None),
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
                refusals: Refusals::default(),
                tracer,
            }),
            recorder: Recorder::new(metrics.health()),
            record_filter: Mutex::default(),
            clock,
            metrics,
            webhooks,
            line_keys: LineKeys::new(line_key),
            config: ArcSwap::from_pointee(config),
            tasks,
            reloads: Reloads::default(),
            drain: Drain::new(&shutdown),
            shutdown,
            saved: AtomicBool::new(false),
            started: Started::default(),
            admin: AdminTasks::default(),
            next_socket: AtomicU64::new(1),
        }))
    }

    /// Returns the config in use. A reload replaces it.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Uses another config for new connections and sessions.
    pub fn replace_config(&self, config: Config) {
        self.kept.limit((config.mailbox.limit, config.mailbox.bytes));
        self.grace_sessions.limit(config.limits.sockets);
        self.connection_limits
            .limit(config.limits.sockets, config.limits.address_connections);
        self.memory.limit(config.limits.memory);
        self.config.store(Arc::new(config));
    }

    /// Uses other tables for new sessions. A recording begins anew, because its redaction follows the tables.
    ///
    /// # Errors
    /// [`TooManyTables`]; then nothing changes.
    pub async fn replace_tables(&self, set: Arc<TableSet>) -> Result<(), TooManyTables> {
        self.sets.replace(set, |_, new| {
            let lost = self.kept.convert(new);
            self.note_unkept("kept lines without a row in the new tables", lost);
        })?;
        if self.recorder.stop()
            && let Err(error) = self.record().await
        {
            error!(%error, "recording stopped: it cannot begin anew with the new tables");
        }
        // Sessions without a client take them now, others with the next frames of their clients.
        let away = self.sessions.away();
        let _run = enter();
        away.iter().for_each(Inbox::fire_timers);
        Ok(())
    }

    /// Returns the tables for new sessions. A reload replaces them.
    pub fn tables(&self) -> Arc<Tables> {
        self.sets.current().tables.clone()
    }

    /// Returns a permit for a connection from `peer`, or `None` at the limit.
    pub fn enter(&self, peer: IpAddr) -> Option<Arc<ConnectionPermit>> {
        match self.connection_limits.enter(peer, Instant::now()) {
            Ok(permit) => Some(permit),
            Err(limit) => {
                self.metrics.limit_reached(limit);
                if limit == Limit::Sockets {
                    self.shortages.note(Shortage::Sockets);
                } else if admits("connections over a limit", Bound::EVENT, Cause::from(peer)) {
                    warn!(%peer, limit = limit.key(), "connection refused: a limit is reached");
                }
                None
            }
        }
    }

    /// Closes clients one after another, at the pace of `[drain]`. [`stop`](Self::stop) follows.
    pub async fn drain(&self) {
        let config = self.config();
        self.drain
            .run(config.drain.delay, config.drain.spread, LAST_CLOSES)
            .await;
    }

    /// Stops the listeners, closes the clients' connections in the form of each profile, and waits at most `drain`.
    /// A second call continues a cancelled first one.
    ///
    /// Webhooks and traces have the rest of `drain`, but at least [`LAST_NOTICES`]. The admin address is closed last: until then
    /// `/readyz` reports the drain.
    pub async fn stop(&self, drain: Duration) {
        self.shutdown.cancel();
        self.tasks.close();
        self.wake_sessions();
        let begun = Instant::now();
        // The end of the process closes the remaining connections.
        let _ = tokio::time::timeout(drain, self.tasks.wait()).await;
        self.ended.cancel();
        self.save_lines();
        self.save_usage();
        let left = drain.saturating_sub(begun.elapsed());
        let left = left.max(LAST_NOTICES);
        let (notices, spans) = (self.webhooks.finish(left), self.log.tracer.finish(left));
        tokio::join!(self.recorder.finish(drain), notices, spans);
        self.admin.closed.cancel();
        self.admin.tasks.close();
        self.admin.tasks.wait().await;
    }

    /// Writes the usage file, if configured.
    fn save_usage(&self) {
        self.usage_keeper.save(&self.sets.all(), self.clock.now());
    }

    /// Runs all sessions, so that sessions without a client end.
    fn wake_sessions(&self) {
        let all = self.sessions.inboxes();
        let _run = enter();
        all.iter().for_each(Inbox::fire_timers);
    }

    /// Writes the lines of offline accounts to the mailbox file, if configured.
    fn save_lines(&self) {
        if self.saved.swap(true, Ordering::AcqRel) {
            return;
        }
        self.expire_lines();
        let (waiting, set) = self.kept.take_all();
        let lines: usize = waiting.iter().map(|(_, lines)| lines.len()).sum();
        match self
            .mailbox_file
            .get()
            .map(|mailbox_file| mailbox_file.save(&waiting, &set.tables))
        {
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

    /// Starts recording of new sessions. Returns false if no folder is configured.
    ///
    /// # Errors
    /// Errors of the file system.
    pub async fn record(&self) -> std::io::Result<bool> {
        let config = self.config();
        let config = &config.record;
        let Some(folder) = config.folder.clone() else {
            return Ok(false);
        };
        let bounds = Bounds {
            file_bytes: config.file_size.saturating_mul(1_000_000),
            file_time: config.file_time,
            files: config.files,
        };
        let set = self.sets.current();
        let redaction = Redaction::new(&set.tables, config.names, config.bodies)?;
        *self.recorded.lock() = Some(set);
        self.recorder.start(folder, bounds, redaction, self.clock.now()).await?;
        Ok(true)
    }

    /// Loads the mailbox file of an earlier process.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn load_lines(&self) -> std::io::Result<()> {
        let config = self.config();
        let Some(path) = &config.mailbox.file else {
            return Ok(());
        };
        let set = self.sets.current();
        let loaded = MailboxFile::load(path, &set.tables, self.is_fresh())?;
        for (key, lines) in loaded.waiting {
            self.keep(key, lines, &set);
        }
        if loaded.unread > 0 {
            warn!(
                unread = loaded.unread,
                hint = "a copy of the file with them is beside it, ending in .unread",
                "messages in the mailbox file could not be read"
            );
            self.metrics.dropped("messages in the mailbox file");
        }
        let _ = self.mailbox_file.set(Arc::new(loaded.mailbox_file));
        Ok(())
    }

    /// Returns a predicate for lines younger than `[mailbox] ttl`.
    fn is_fresh(&self) -> impl Fn(Time) -> bool + use<> {
        let (now, ttl) = (self.clock.now(), self.config().mailbox.ttl);
        move |at| now.since(at) < ttl
    }

    /// Stores the lines of an offline account, from a session with the tables `set`. Returns the number of rejected
    /// lines.
    pub fn keep(&self, key: Key, lines: Vec<(Event, Time)>, set: &Arc<TableSet>) -> usize {
        let (refused, oldest) = self.kept.keep(key, lines, set);
        self.note_unkept("kept lines", refused);
        self.drop_kept("oldest kept lines", oldest);
        refused
    }

    fn expire_lines(&self) {
        let expired = self.kept.expire(self.clock.now(), self.config().mailbox.ttl);
        self.drop_kept("kept lines over their time", expired);
    }

    fn drop_kept(&self, what: &'static str, dropped: Dropped) {
        self.note_unkept(what, dropped.lines);
        self.settle_mailbox_file(dropped.accounts);
    }

    fn note_unkept(&self, what: &'static str, lines: usize) {
        if lines > 0 {
            self.metrics.dropped_many(what, lines);
            if admits(what, Bound::EVENT, Cause::default()) {
                warn!(lines, what, "messages of accounts that are away are dropped");
            }
        }
    }

    /// Starts the tasks that run sessions and fire their timers. They end after the last session.
    pub fn run_sessions(self: &Arc<Self>) {
        tokio::spawn(self.runs.clone().work(self.ended.clone()));
        tokio::spawn(self.timers.clone().work(self.clock, self.ended.clone()));
        self.tasks.spawn(self.clone().sweep());
    }

    /// Drops expired lines periodically until the shutdown. While the memory is full, drops the oldest lines and ends
    /// the oldest sessions without a client.
    async fn sweep(self: Arc<Self>) {
        let mut every = interval(SWEEP_EVERY);
        let mut seconds = 0_u64;
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = every.tick() => {}
            }
            seconds += 1;
            if seconds.is_multiple_of(SAVE_USAGE_EVERY) && self.usage_keeper.has_file() {
                let server = self.clone();
                tokio::task::spawn_blocking(move || server.save_usage());
            }
            self.expire_lines();
            self.drop_kept("oldest kept lines", self.kept.evict());
            for _ in 0..GIVE_UP_AT_ONCE {
                if !self.memory.is_full() {
                    break;
                }
                let Some(oldest) = self.grace_sessions.oldest() else {
                    break;
                };
                self.give_up(&oldest);
            }
            for (holder, name) in MemoryUser::ALL {
                self.metrics.holds(name, self.memory.of(*holder));
            }
        }
    }

    /// Ends a session without a client before its grace time is over, to free resources.
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
            // The session may be over.
            let _ = inbox.send(Message::GiveUp);
        }
    }

    /// Returns true if the mailbox file has lines of an account.
    pub fn has_in_mailbox_file(&self, key: &Key) -> bool {
        self.mailbox_file
            .get()
            .is_some_and(|mailbox_file| mailbox_file.holds(key))
    }

    /// Marks the lines of accounts in the mailbox file as acknowledged or dropped.
    pub fn settle_mailbox_file(&self, mut keys: Vec<Key>) {
        let Some(mailbox_file) = self.mailbox_file.get().cloned() else {
            return;
        };
        keys.retain(|key| mailbox_file.holds(key));
        if keys.is_empty() {
            return;
        }
        self.tasks.spawn_blocking(move || {
            for key in keys {
                if let Err(error) = mailbox_file.settle(&key)
                    && admits("the mailbox file cannot be written", Bound::EVENT, Cause::default())
                {
                    let hint = "the next process may deliver these messages again";
                    error!(%error, hint, "cannot write the mailbox file");
                }
            }
        });
    }

    /// Returns a new socket number.
    pub fn new_socket(&self) -> SocketId {
        SocketId(self.next_socket.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the context of a session with the tables `set`; `wire` is the wire of the client's family.
    pub fn context(&self, vid: &AppId, set: &TableSet, wire: Arc<Wire>) -> SessionContext {
        let config = self.config();
        let all = CallKind::ALL.iter().copied();
        let lacks: Vec<CallKind> = all.filter(|kind| !self.upstream.can(vid, *kind)).collect();
        SessionContext {
            tables: set.tables.clone(),
            wire,
            names: Arc::new(AppNames {
                app: vid.clone(),
                numbers: config.uid.clone(),
            }),
            offline_messages: match config.upstream_of(vid) {
                UpstreamKind::Embedded => config.embedded.offline_messages,
                UpstreamKind::Redis => config.redis.offline_messages,
                UpstreamKind::Agent => false,
            },
            durable: config.is_durable(vid),
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
}
