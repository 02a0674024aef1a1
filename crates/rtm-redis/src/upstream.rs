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
use crate::link::{Address, RedisFailure, ServerInfo, SharedLink};
use crate::node::NodeConfig;
use crate::node::records::{Changes, Owner};
use crate::script::prefix;

/// Calls of an app that wait for its task. More are refused.
const MAX_WAITING_CALLS: usize = 100_000;
/// Interval of checks of Redis.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Lifetime of an app without instances.
const IDLE_LIFETIME: Duration = Duration::from_secs(30);

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
    shared: Arc<SharedLink>,
    health: Arc<Health>,
    clock: Clock,
    apps: Mutex<HashMap<AppId, AppHandle>>,
    next: AtomicU64,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

struct AppHandle {
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
pub struct NodeLease {
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
            shared: SharedLink::new(config.address.clone()),
            config,
            health,
            clock,
            apps: Mutex::default(),
            next: AtomicU64::new(1),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        }))
    }

    /// Creates a second sidecar in this process, for a message between both. It ends with the token.
    ///
    /// # Errors
    /// The system has no randomness for its name.
    pub fn second_sidecar(&self) -> Result<(Arc<Self>, CancellationToken), getrandom::Error> {
        let end = CancellationToken::new();
        let made = Self::new(self.config.clone(), Arc::default(), self.clock, &self.tasks, &end)?;
        self.tasks.spawn(made.clone().run());
        Ok((made, end))
    }

    /// Returns the state of a Redis Cluster; `None` for one server.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn cluster(&self) -> Result<Option<String>, RedisFailure> {
        if !self.config.address.cluster {
            return Ok(None);
        }
        let value = self.shared.run(redis::cmd("CLUSTER").arg("INFO")).await?;
        let text: String = redis::from_redis_value(value).map_err(|e| RedisFailure::Other(e.to_string()))?;
        let line = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let (state, slots) = (line("cluster_state:"), line("cluster_slots_ok:"));
        if state != "ok" {
            return Err(RedisFailure::Unreachable(format!(
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
            let failure = self.shared.run(&redis::cmd("PING")).await.err();
            let changed = self.health.set_failure(failure.clone());
            match &failure {
                Some(failure) if changed || !begun => {
                    warn!(%failure, hint = failure.hint(), "Redis does not serve: sessions wait for it");
                }
                None if changed => info!("Redis serves"),
                _ => {}
            }
            begun = true;
            self.end_idle();
            tokio::select! {
                () = sleep(CHECK_INTERVAL) => {}
                () = self.shutdown.cancelled() => return self.end_all(),
            }
        }
    }

    /// Returns the description of the server.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn server(&self) -> Result<ServerInfo, RedisFailure> {
        self.shared.info().await
    }

    /// Returns the sidecars of an app.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn nodes(&self, app: &AppId) -> Result<Vec<NodeLease>, RedisFailure> {
        let key = format!("{}:l", prefix(app.as_str()));
        let now = self.shared.run(&redis::cmd("TIME")).await?;
        let now: (i64, i64) = redis::from_redis_value(now).map_err(|e| RedisFailure::Other(e.to_string()))?;
        let now = now.0 * 1000 + now.1 / 1000;
        let leases = self.shared.run(redis::cmd("HGETALL").arg(key)).await?;
        let leases: HashMap<String, String> =
            redis::from_redis_value(leases).map_err(|e| RedisFailure::Other(e.to_string()))?;
        let mut nodes: Vec<NodeLease> = leases
            .into_iter()
            .map(|(name, lease)| {
                let until = lease.split(' ').next().and_then(|until| until.parse().ok());
                NodeLease {
                    name,
                    lease: until.map_or(0, |until: i64| until - now),
                }
            })
            .collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(nodes)
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
            let is_idle = CHECK_INTERVAL * handle.idle >= IDLE_LIFETIME;
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

    fn start(&self, app: &AppId) -> AppHandle {
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
                has_own_time: false,
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
        AppHandle {
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
    /// The app and the account.
    Session(String, String),
    /// The account has logged in again since.
    Replaced,
    /// Redis has no such line.
    Unknown,
}

/// The record of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKey {
    app: AppId,
    number: u64,
}

impl RedisUpstream {
    /// Makes a session the owner of its account's record; an earlier owner can no longer change it. `sink` gets its events.
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
    /// [`RedisFailure`].
    pub async fn set_line(&self, line: u64, app: &AppId, account: &str, ttl: Duration) -> Result<(), RedisFailure> {
        let mut command = redis::cmd("SET");
        command.arg(line_key(line)).arg(format!("{app} {account}"));
        self.shared.run(command.arg("PX").arg(ttl.as_millis() as u64)).await?;
        Ok(())
    }

    /// Returns the session of a line.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn find_line(&self, line: u64) -> Result<FoundLine, RedisFailure> {
        let read = |value: redis::Value| -> Result<Option<String>, RedisFailure> {
            redis::from_redis_value(value).map_err(|error| RedisFailure::Other(error.to_string()))
        };
        let owner = read(self.shared.run(redis::cmd("GET").arg(line_key(line))).await?)?;
        let Some((app, account)) = owner.as_deref().and_then(|owner| owner.split_once(' ')) else {
            return Ok(FoundLine::Unknown);
        };
        let key = format!("{}:z:{account}", prefix(app));
        let current = read(self.shared.run(redis::cmd("HGET").arg(key).arg("l")).await?)?;
        Ok(match current {
            None => FoundLine::Unknown,
            Some(current) if current == format!("{line:016x}") => FoundLine::Session(app.into(), account.into()),
            Some(_) => FoundLine::Replaced,
        })
    }

    /// Returns the common secret, which the first sidecar creates.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn secret(&self) -> Result<SecretString, RedisFailure> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| RedisFailure::Other(error.to_string()))?;
        let mut made = String::new();
        for byte in random {
            made.push_str(&format!("{byte:02x}"));
        }
        self.shared
            .run(redis::cmd("SET").arg(SECRET).arg(made).arg("NX"))
            .await?;
        let secret = self.shared.run(redis::cmd("GET").arg(SECRET)).await?;
        let secret: String = redis::from_redis_value(secret)
            .map_err(|_| RedisFailure::Other("the secret of session lines is missing".into()))?;
        Ok(secret.into())
    }

    /// Leaves a record to the account's next session.
    pub fn leave_record(&self, record: &RecordKey) {
        if let Some(handle) = self.apps.lock().get_mut(&record.app) {
            handle.records = handle.records.saturating_sub(1);
            drop(handle.commands.send(Command::Leave(record.number)));
        }
    }

    fn queue_call(&self, client: &ClientKey, request: u64, call: RtmCall, as_member: bool) {
        let apps = self.apps.lock();
        let Some(handle) = apps.get(&client.app) else { return };
        if handle.waiting.load(Ordering::Relaxed) < MAX_WAITING_CALLS {
            handle.waiting.fetch_add(1, Ordering::Relaxed);
            let call = Command::Call {
                client: client.number,
                request,
                call,
                as_member,
            };
            drop(handle.commands.send(call));
        } else if let Some(sink) = handle.clients.get(&client.number) {
            let result = Err(refusal(call.kind(), Refusal::TooOften));
            sink(UpstreamEvent::Reply { request, result });
        }
    }

    fn command(&self, app: &AppId, command: Command) {
        if let Some(handle) = self.apps.lock().get(app) {
            drop(handle.commands.send(command));
        }
    }
}

impl Upstream for RedisUpstream {
    fn open(&self, app: &AppId, sink: EventSink) -> ClientKey {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut apps = self.apps.lock();
        let handle = apps.entry(app.clone()).or_insert_with(|| self.start(app));
        handle.clients.insert(number, sink.clone());
        drop(handle.commands.send(Command::Open(number, sink)));
        let app = app.clone();
        ClientKey { app, number }
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        self.queue_call(client, request, call, false);
    }

    fn call_as_member(&self, client: &ClientKey, request: u64, call: &RtmCall) -> bool {
        self.queue_call(client, request, call.clone(), true);
        true
    }

    fn close(&self, client: &ClientKey) {
        let mut apps = self.apps.lock();
        if let Some(handle) = apps.get_mut(&client.app) {
            handle.clients.remove(&client.number);
            drop(handle.commands.send(Command::Close(client.number)));
        }
    }

    fn require_acknowledgement(&self, client: &ClientKey) {
        self.command(&client.app, Command::RequireAcknowledgement(client.number));
    }

    fn processed(&self, client: &ClientKey, count: usize) {
        self.command(&client.app, Command::Processed(client.number, count));
    }

    fn can(&self, _: &AppId, _: CallKind) -> bool {
        true
    }
}
