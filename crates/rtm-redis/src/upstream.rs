//! The service as an upstream: a task for each app, and one that watches Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rtm::rejection::{Refusal, refusal};
use rtm::upstream::{ClientKey, EventSink, Upstream, UpstreamEvent};
use rtm::{AppId, CallKind, RtmCall};
use rtm_embedded::RtmServiceConfig;
use runtime::clock::Clock;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::app::{App, Command, RecordSink};
use crate::health::Health;
use crate::link::{Address, ServerInfo, Shared, Trouble};
use crate::node::NodeConfig;
use crate::node::records::{Changes, Owner};
use crate::script::prefix;

/// Calls of an app that wait for its task. More are refused.
const WAITING: usize = 100_000;
/// Interval of checks of Redis.
const WATCH: Duration = Duration::from_secs(1);
/// Lifetime of an app without instances.
const IDLE: Duration = Duration::from_secs(30);

/// Config of the service.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Address and credentials of Redis.
    pub address: Address,
    /// Rates and offline messages.
    pub service: RtmServiceConfig,
    /// Maximum wait of calls for Redis.
    pub call_wait: Duration,
    /// The time between heartbeats.
    pub heartbeat: Duration,
    /// Most entries in a sidecar's stream of an app.
    pub stream: usize,
}

/// RTM on Redis.
pub struct RedisUpstream {
    name: String,
    config: RedisConfig,
    shared: Arc<Shared>,
    health: Arc<Health>,
    clock: Clock,
    apps: Mutex<HashMap<AppId, Handle>>,
    next: AtomicU64,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    waiting: Arc<AtomicUsize>,
    clients: HashMap<u64, EventSink>,
    /// Sessions that have records.
    records: usize,
    end: CancellationToken,
    /// Number of checks without instances.
    idle: u32,
}

/// A sidecar that has a lease in an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Milliseconds until its lease is over; negative after that.
    pub lease: i64,
}

impl RedisUpstream {
    /// Creates a service. Its tasks belong to `tasks` and end with `shutdown`.
    ///
    /// # Errors
    /// The system has no randomness for the name of this sidecar.
    pub fn new(
        config: RedisConfig,
        health: Arc<Health>,
        clock: Clock,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Result<Arc<Self>, getrandom::Error> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        Ok(Arc::new(Self {
            name: format!("{:016x}", u64::from_le_bytes(random)),
            shared: Shared::new(config.address.clone()),
            config,
            health,
            clock,
            apps: Mutex::default(),
            next: AtomicU64::new(1),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        }))
    }

    /// A second sidecar of this process with the same Redis, for a message between both; it ends with the token.
    ///
    /// # Errors
    /// The system has no randomness for its name.
    pub fn sibling(&self) -> Result<(Arc<Self>, CancellationToken), getrandom::Error> {
        let end = CancellationToken::new();
        let made = Self::new(self.config.clone(), Arc::default(), self.clock, &self.tasks, &end)?;
        self.tasks.spawn(made.clone().run());
        Ok((made, end))
    }

    /// The state of a Redis Cluster; none where it is one server.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn cluster(&self) -> Result<Option<String>, Trouble> {
        if !self.config.address.cluster {
            return Ok(None);
        }
        let value = self.shared.run(redis::cmd("CLUSTER").arg("INFO")).await?;
        let text: String = redis::from_redis_value(value).map_err(|e| Trouble::Other(e.to_string()))?;
        let line = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let (state, slots) = (line("cluster_state:"), line("cluster_slots_ok:"));
        if state != "ok" {
            return Err(Trouble::Unreachable(format!(
                "the state of the cluster is `{state}`, with {slots} slots"
            )));
        }
        Ok(Some(format!("its state is ok, with {slots} slots")))
    }

    /// Returns counters and the failure.
    pub const fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Checks Redis and ends unused apps, until the shutdown.
    pub async fn run(self: Arc<Self>) {
        let mut begun = false;
        loop {
            let trouble = self.shared.run(&redis::cmd("PING")).await.err();
            let changed = self.health.note(trouble.clone());
            match &trouble {
                Some(trouble) if changed || !begun => {
                    warn!(%trouble, hint = trouble.hint(), "Redis does not serve: sessions wait for it");
                }
                None if changed => info!("Redis serves"),
                _ => {}
            }
            begun = true;
            self.end_idle();
            tokio::select! {
                () = sleep(WATCH) => {}
                () = self.shutdown.cancelled() => return self.end_all(),
            }
        }
    }

    /// Returns the description of the server.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn server(&self) -> Result<ServerInfo, Trouble> {
        self.shared.info().await
    }

    /// The sidecars of an app.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn nodes(&self, app: &AppId) -> Result<Vec<Peer>, Trouble> {
        let key = format!("{}:l", prefix(app.as_str()));
        let now = self.shared.run(&redis::cmd("TIME")).await?;
        let now: (i64, i64) = redis::from_redis_value(now).map_err(|e| Trouble::Other(e.to_string()))?;
        let now = now.0 * 1000 + now.1 / 1000;
        let leases = self.shared.run(redis::cmd("HGETALL").arg(key)).await?;
        let leases: HashMap<String, String> =
            redis::from_redis_value(leases).map_err(|e| Trouble::Other(e.to_string()))?;
        let mut peers: Vec<Peer> = leases
            .into_iter()
            .map(|(name, lease)| {
                let until = lease.split(' ').next().and_then(|until| until.parse().ok());
                Peer {
                    name,
                    lease: until.map_or(0, |until: i64| until - now),
                }
            })
            .collect();
        peers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(peers)
    }

    /// Returns the apps of this sidecar.
    pub fn apps(&self) -> Vec<AppId> {
        self.apps.lock().keys().cloned().collect()
    }

    fn end_idle(&self) {
        self.apps.lock().retain(|_, handle| {
            handle.idle = if handle.clients.is_empty() && handle.records == 0 {
                handle.idle + 1
            } else {
                0
            };
            let is_idle = WATCH * handle.idle >= IDLE;
            if is_idle {
                handle.end.cancel();
            }
            !is_idle
        });
    }

    fn end_all(&self) {
        for handle in self.apps.lock().values() {
            handle.end.cancel();
        }
    }

    fn start(&self, app: &AppId) -> Handle {
        #[expect(
            clippy::disallowed_methods,
            reason = "calls in it are counted and bounded; the rest is twice as many as there are sessions"
        )]
        let (commands, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let end = CancellationToken::new();
        if self.shutdown.is_cancelled() {
            end.cancel();
        }
        let task = App {
            node: NodeConfig {
                // An app that was idle and is used again is another node.
                name: format!("{}-{}", self.name, self.next.fetch_add(1, Ordering::Relaxed)).into(),
                service: self.config.service,
                call_wait: self.config.call_wait,
                lease: self.config.heartbeat * 5,
                heartbeat: self.config.heartbeat,
                grace: self.config.heartbeat * 2,
                stream: self.config.stream,
                own_time: false,
            },
            prefix: prefix(app.as_str()),
            shared: self.shared.clone(),
            health: self.health.clone(),
            clock: self.clock,
            commands: receiver,
            waiting: waiting.clone(),
            shutdown: end.clone(),
        };
        self.tasks.spawn(task.run());
        Handle {
            commands,
            waiting,
            clients: HashMap::new(),
            records: 0,
            end,
            idle: 0,
        }
    }
}

/// The key of the secret of session lines.
const SECRET: &str = "{sb:}:secret";

fn line_key(line: u64) -> String {
    format!("{{sb:{line:016x}}}:line")
}

/// Session of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundLine {
    /// Of the account of an app.
    Of(String, String),
    /// The account has logged in again since.
    Replaced,
    /// Of none that Redis knows.
    Unknown,
}

/// The record of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKey {
    app: AppId,
    number: u64,
}

impl RedisUpstream {
    /// Makes a session the owner of its account's record; an earlier owner can no longer change it. `sink` gets its news.
    pub fn take_record(&self, app: &AppId, owner: Owner, sink: RecordSink) -> RecordKey {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut apps = self.apps.lock();
        let handle = apps.entry(app.clone()).or_insert_with(|| self.start(app));
        handle.records += 1;
        drop(handle.commands.send(Command::Take(number, owner, sink)));
        let app = app.clone();
        RecordKey { app, number }
    }

    /// Saves changes of a record. At most one call may be unanswered. `processed` messages of an RTM client are acknowledged with it.
    pub fn save_record(&self, record: &RecordKey, changes: Changes, processed: Option<(&ClientKey, usize)>) {
        let processed = processed.map(|(client, count)| (client.number, count));
        self.command(&record.app, Command::Save(record.number, changes, processed));
    }

    /// Stores the session of a line.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn set_line(&self, line: u64, app: &AppId, account: &str, ttl: Duration) -> Result<(), Trouble> {
        let mut command = redis::cmd("SET");
        command.arg(line_key(line)).arg(format!("{app} {account}"));
        self.shared.run(command.arg("PX").arg(ttl.as_millis() as u64)).await?;
        Ok(())
    }

    /// Returns the session of a line.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn find_line(&self, line: u64) -> Result<FoundLine, Trouble> {
        let read = |value: redis::Value| -> Result<Option<String>, Trouble> {
            redis::from_redis_value(value).map_err(|error| Trouble::Other(error.to_string()))
        };
        let owner = read(self.shared.run(redis::cmd("GET").arg(line_key(line))).await?)?;
        let Some((app, account)) = owner.as_deref().and_then(|owner| owner.split_once(' ')) else {
            return Ok(FoundLine::Unknown);
        };
        let key = format!("{}:z:{account}", prefix(app));
        let current = read(self.shared.run(redis::cmd("HGET").arg(key).arg("l")).await?)?;
        Ok(match current {
            None => FoundLine::Unknown,
            Some(current) if current == format!("{line:016x}") => FoundLine::Of(app.into(), account.into()),
            Some(_) => FoundLine::Replaced,
        })
    }

    /// Returns the common secret, which the first sidecar creates.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn secret(&self) -> Result<SecretString, Trouble> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| Trouble::Other(error.to_string()))?;
        let mut made = String::new();
        for byte in random {
            made.push_str(&format!("{byte:02x}"));
        }
        self.shared
            .run(redis::cmd("SET").arg(SECRET).arg(made).arg("NX"))
            .await?;
        let secret = self.shared.run(redis::cmd("GET").arg(SECRET)).await?;
        let secret: String = redis::from_redis_value(secret)
            .map_err(|_| Trouble::Other("the secret of session lines is missing".into()))?;
        Ok(secret.into())
    }

    /// Leaves a record to the account's next session.
    pub fn leave_record(&self, record: &RecordKey) {
        if let Some(handle) = self.apps.lock().get_mut(&record.app) {
            handle.records = handle.records.saturating_sub(1);
            drop(handle.commands.send(Command::Leave(record.number)));
        }
    }

    /// Leaves the acknowledgement of peer messages to the session: by [`processed`](Self::processed) or with changes.
    pub fn keep(&self, client: &ClientKey) {
        self.command(&client.app, Command::Keep(client.number));
    }

    /// Acknowledges peer messages of an RTM client.
    pub fn processed(&self, client: &ClientKey, count: usize) {
        self.command(&client.app, Command::Processed(client.number, count));
    }

    fn command(&self, app: &AppId, command: Command) {
        if let Some(handle) = self.apps.lock().get(app) {
            drop(handle.commands.send(command));
        }
    }
}

impl Upstream for RedisUpstream {
    fn open(&self, app: &AppId, tell: EventSink) -> ClientKey {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut apps = self.apps.lock();
        let handle = apps.entry(app.clone()).or_insert_with(|| self.start(app));
        handle.clients.insert(number, tell.clone());
        drop(handle.commands.send(Command::Open(number, tell)));
        let app = app.clone();
        ClientKey { app, number }
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        let apps = self.apps.lock();
        let Some(handle) = apps.get(&client.app) else { return };
        if handle.waiting.load(Ordering::Relaxed) < WAITING {
            handle.waiting.fetch_add(1, Ordering::Relaxed);
            drop(handle.commands.send(Command::Call(client.number, request, call)));
        } else if let Some(tell) = handle.clients.get(&client.number) {
            let result = Err(refusal(call.kind(), Refusal::TooOften));
            tell(UpstreamEvent::Reply { request, result });
        }
    }

    fn close(&self, client: &ClientKey) {
        let mut apps = self.apps.lock();
        if let Some(handle) = apps.get_mut(&client.app) {
            handle.clients.remove(&client.number);
            drop(handle.commands.send(Command::Close(client.number)));
        }
    }

    fn can(&self, _: &AppId, _: CallKind) -> bool {
        true
    }
}
