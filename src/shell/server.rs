//! What all sessions and sockets share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::bridge::{SessionContext, SessionLimits, SocketId};
use crate::config::{Config, MissingAttribute, OverRate, RepeatedInvite, UpstreamKind};
use crate::ident::{Account, AppId, LineKey};
use crate::log::accounts::Accounts;
use crate::log::clients::Logins;
use crate::log::limit::{Bound, Cause, admits};
use crate::mapping::Tables;
use crate::mapping::profile::Profile;
use crate::mapping::wire::Wire;
use crate::ops::{Metrics, Started, Usage};
use crate::rtm::CallKind;
use crate::trace::{Begin, Bounds, Recorder, Redaction, TapedNames};
use crate::upstream::Upstream;
use crate::upstream::agent::Driver;
use crate::webhook::Webhooks;

use super::kept::Kept;
use super::logins::PendingLogins;
use super::members::Members;
use super::message::Message;
use super::names::AppNames;
use super::registry::{Registry, SessionHandle};
use super::session_task::{INBOX, SessionTask};
use super::speech::Speech;
use super::spool::{Key, Spool};
use crate::clock::Clock;
use crate::time::Time;

/// How often lines of accounts that are away are looked through for old ones, at the least.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What all sessions and sockets share.
pub struct Server {
    /// The config.
    pub config: Config,
    /// The tables.
    pub tables: Arc<Tables>,
    /// The languages of the tables' profiles, in their order.
    pub speeches: Vec<Arc<dyn Speech>>,
    /// RTM.
    pub upstream: Arc<dyn Upstream>,
    /// The link to agents, when an app has its RTM there.
    pub driver: Option<Arc<Driver>>,
    /// Sessions.
    pub registry: Registry,
    /// Sessions by channel.
    pub members: Members,
    /// Lines of accounts that are away.
    pub kept: Kept,
    /// The file of such lines, when the config has one.
    spool: OnceLock<Arc<Spool>>,
    /// Logins on their way.
    pub logins: Arc<PendingLogins>,
    /// What the log says of logins.
    pub log: Arc<Logins>,
    /// Room for sockets of every front.
    pub permits: Arc<Semaphore>,
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
    pub line_key: LineKey,
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

impl Server {
    /// A server that is not listening yet.
    ///
    /// # Errors
    /// The system has no randomness for the key of session lines.
    pub fn new(
        config: Config,
        tables: Arc<Tables>,
        speeches: Vec<Arc<dyn Speech>>,
        (upstream, driver): (Arc<dyn Upstream>, Option<Arc<Driver>>),
        clock: Clock,
        (metrics, webhooks): (Arc<Metrics>, Arc<Webhooks>),
        (tasks, shutdown): (TaskTracker, CancellationToken),
    ) -> Result<Arc<Self>, getrandom::Error> {
        let line_key = match &config.session.line_key {
            Some(key) => key.clone(),
            None => LineKey::random()?,
        };
        let permits = Arc::new(Semaphore::new(config.limits.sockets));
        Ok(Arc::new(Self {
            usage: Usage::new(&tables),
            tables,
            speeches,
            upstream,
            driver,
            registry: Registry::default(),
            members: Members::default(),
            kept: Kept::default(),
            spool: OnceLock::new(),
            logins: Arc::default(),
            log: Arc::new(Logins {
                accounts: Accounts::new(config.log.accounts, &line_key),
                metrics: metrics.clone(),
                clock,
            }),
            permits,
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

    /// Stops accepting, closes the clients in the way that each of them understands, and waits at most `drain`. The admin
    /// address is closed last: until then `/readyz` reports the drain.
    pub async fn stop(&self, drain: Duration) {
        self.shutdown.cancel();
        self.tasks.close();
        // What is still open after that is cut off by the end of the process.
        let _ = tokio::time::timeout(drain, self.tasks.wait()).await;
        self.save_lines();
        tokio::join!(self.recorder.finish(drain), self.webhooks.finish(drain));
        self.admin.closed.cancel();
        self.admin.tasks.close();
        self.admin.tasks.wait().await;
    }

    /// What waits for accounts that are away waits in a file, if there is one.
    fn save_lines(&self) {
        self.sweep_lines();
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
            self.kept.keep(key, lines, self.config.mailbox.limit);
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

    /// Removes kept lines that are past their time.
    fn sweep_lines(&self) {
        let (gone, empty) = self.kept.sweep(self.is_fresh());
        for _ in 0..gone {
            self.metrics.dropped("kept lines over their time");
        }
        self.settle_spooled(empty);
    }

    /// Removes old lines of accounts that are away, at intervals, until the shutdown.
    pub async fn watch_lines(self: Arc<Self>) {
        let ttl = self.config.mailbox.ttl;
        let mut look = tokio::time::interval(ttl.clamp(Duration::from_secs(1), SWEEP_EVERY));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = look.tick() => self.sweep_lines(),
            }
        }
    }

    /// Whether the mailbox file has lines of an account.
    pub fn has_spooled(&self, key: &Key) -> bool {
        self.spool.get().is_some_and(|spool| spool.holds(key))
    }

    /// Marks accounts in the mailbox file whose lines are acknowledged or too old.
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
            offline_messages: config.embedded.offline_messages && config.upstream_of(vid) == UpstreamKind::Embedded,
            can: Arc::new(move |kind| !lacks.contains(&kind)),
            limits: SessionLimits {
                login: config.session.rtm_login_timeout,
                grace: config.session.grace,
                invite: config.invite.timeout,
                mailbox: config.mailbox.limit,
                mailbox_ttl: config.mailbox.ttl,
                messages_per_second: config.limits.messages_per_second,
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
            context.names = Arc::new(TapedNames::new(context.names, tape.clone()));
        }
        let recorded = tape.is_some();
        let (sender, inbox) = mpsc::channel(INBOX);
        let overflow = CancellationToken::new();
        let (to_session, full) = (sender.downgrade(), overflow.clone());
        let client = self.upstream.open(
            &vid,
            Arc::new(move |told| {
                if let Some(sender) = to_session.upgrade()
                    && let Err(mpsc::error::TrySendError::Full(_)) = sender.try_send(Message::Told(Box::new(told)))
                {
                    full.cancel();
                }
            }),
        );
        // Random over all bits: a line of one sidecar is known on every other that shares the key.
        let id = getrandom::u64().unwrap_or_else(|_| self.new_socket().0);
        let task = SessionTask::new(
            self.clone(),
            (vid, account),
            context,
            id,
            client,
            (sender.downgrade(), inbox),
            overflow,
        );
        self.tasks.spawn(task.on(tape).run());
        SessionHandle {
            id,
            inbox: sender,
            recorded,
        }
    }
}
