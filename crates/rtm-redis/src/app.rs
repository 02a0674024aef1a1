//! Task of an app: calls to the node, requests to Redis, events to instances.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, Value};
use rtm::RtmCall;
use rtm::time::Time;
use rtm::upstream::EventSink;
use rtm_embedded::limits::INTERRUPTED_AFTER;
use runtime::clock::Clock;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::health::Health;
use crate::link::{Link, RedisFailure, SharedLink};
use crate::node::records::{Changes, Owner, RecordEvent};
use crate::node::{Node, NodeConfig, NodeStatus, Outputs, Request};
use crate::wire::{Answer, Entry, EntryId, answer, entries};

/// Maximum of commands in one turn.
const COMMANDS_PER_TURN: usize = 256;
/// Maximum of entries in one read.
const ENTRIES_PER_READ: usize = 512;
/// Maximum wait of a read.
const READ_BLOCK: Duration = Duration::from_secs(2);
/// Time between attempts while Redis is out of reach.
const BACK_OFF: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
];
/// Time limit for the end of a node.
const DEREGISTER_LIMIT: Duration = Duration::from_secs(2);

/// Command for the task of an app.
pub enum Command {
    /// A new instance.
    Open(u64, EventSink),
    /// A call.
    Call {
        client: u64,
        request: u64,
        call: RtmCall,
        as_member: bool,
    },
    /// The end of an instance.
    Close(u64),
    /// An instance whose messages its session acknowledges.
    RequireAcknowledgement(u64),
    /// A number of messages that an instance's session has processed.
    Processed(u64, usize),
    /// A session becomes the owner of a record.
    Take(u64, Owner, RecordSink),
    /// Changes of a session's record, with the messages of an instance that they come from.
    Save(u64, Changes, Option<(u64, usize)>),
    /// A session leaves its record.
    Leave(u64),
}

/// The receiver of the events of a session's record. It must not block.
pub type RecordSink = Arc<dyn Fn(RecordEvent) + Send + Sync>;

/// An app at this sidecar.
pub struct App {
    pub node: NodeConfig,
    pub prefix: String,
    pub shared: Arc<SharedLink>,
    pub health: Arc<Health>,
    pub clock: Clock,
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// Calls in `commands`.
    pub waiting: Arc<AtomicUsize>,
    /// Ends the app once no instance is left.
    pub shutdown: CancellationToken,
}

type PendingRequest = Pin<Box<dyn Future<Output = Result<Answer, RedisFailure>> + Send>>;

struct State {
    node: Node,
    sinks: HashMap<u64, EventSink>,
    records: HashMap<u64, RecordSink>,
    reported: NodeStatus,
    out: Outputs,
    pending: Option<PendingRequest>,
    /// Time of the first failure, and the number of failures.
    failing: Option<(Instant, usize)>,
    reader: Option<(AbortHandle, mpsc::Receiver<Vec<Entry>>)>,
}

impl App {
    /// Serves the app until its end without instances.
    pub async fn run(mut self) {
        let node = Node::new(self.node.clone(), self.clock.now());
        let mut state = State {
            node,
            sinks: HashMap::new(),
            records: HashMap::new(),
            reported: NodeStatus::default(),
            out: Vec::new(),
            pending: None,
            failing: None,
            reader: None,
        };
        let mut commands = Vec::with_capacity(COMMANDS_PER_TURN);
        while !(self.shutdown.is_cancelled() && state.node.is_empty() && self.commands.is_empty()) {
            let deadline = state.node.deadline();
            tokio::select! {
                biased;
                result = request_completed(&mut state.pending) => self.request_completed(&mut state, result),
                read = received(&mut state.reader) => match read {
                    Some(read) => self.read(&mut state, read),
                    None => state.reader = None,
                },
                () = until(self.clock, deadline) => state.node.tick(self.clock.now(), &mut state.out),
                count = self.commands.recv_many(&mut commands, COMMANDS_PER_TURN) => {
                    if count == 0 {
                        break;
                    }
                    for command in commands.drain(..) {
                        self.command(&mut state, command);
                    }
                }
                () = self.shutdown.cancelled(), if !self.shutdown.is_cancelled() => {}
            }
            self.flush(&mut state);
        }
        self.deregister(state).await;
    }

    fn command(&self, state: &mut State, command: Command) {
        match command {
            Command::Open(client, sink) => {
                state.node.open(client);
                state.sinks.insert(client, sink);
            }
            Command::Call {
                client,
                request,
                call,
                as_member,
            } => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                let (now, out) = (self.clock.now(), &mut state.out);
                if as_member {
                    state.node.call_as_member(now, client, request, call, out);
                } else {
                    state.node.call(now, client, request, call, out);
                }
            }
            Command::Close(client) => {
                self.emit_events(state);
                state.node.close(client);
                state.sinks.remove(&client);
            }
            Command::RequireAcknowledgement(client) => state.node.require_acknowledgement(client),
            Command::Processed(client, count) => state.node.processed(self.clock.now(), client, count),
            Command::Take(session, owner, sink) => {
                state.node.take_record(self.clock.now(), session, owner);
                state.records.insert(session, sink);
            }
            Command::Save(session, changes, processed) => {
                state.node.save_record(self.clock.now(), session, changes, processed);
            }
            Command::Leave(session) => {
                state.node.leave_record(session);
                state.records.remove(&session);
            }
        }
    }

    /// Emits the events of instances, and sends the next request.
    fn flush(&self, state: &mut State) {
        self.emit_events(state);
        let now = self.clock.now();
        if state.pending.is_none() {
            let again = state.node.same_request().map(|request| (request, self.back_off(state)));
            let next = again.or_else(|| Some((state.node.next_request(now)?, Duration::ZERO)));
            if let Some((request, wait)) = next {
                state.pending = Some(self.send(request, wait));
            }
        }
        if state.reader.is_none() {
            state.reader = Some(self.start_reader(state.node.seen()));
        }
        let status = state.node.status();
        if status != state.reported {
            self.health.changed(state.reported, status);
            if status.lost_batches > state.reported.lost_batches {
                let batches = status.lost_batches - state.reported.lost_batches;
                error!(
                    batches,
                    logins = status.users,
                    "Redis has lost batches, as after a failover: logins are restored"
                );
            }
            state.reported = status;
        }
    }

    fn back_off(&self, state: &State) -> Duration {
        state
            .failing
            .map_or(Duration::ZERO, |(_, times)| BACK_OFF[times.min(BACK_OFF.len() - 1)])
    }

    fn emit_events(&self, state: &mut State) {
        for (client, event) in state.out.drain(..) {
            if let Some(sink) = state.sinks.get(&client) {
                sink(event);
            }
        }
        for (session, event) in state.node.take_record_events() {
            if let Some(sink) = state.records.get(&session) {
                sink(event);
            }
        }
    }

    fn send(&self, request: Request, wait: Duration) -> PendingRequest {
        let (shared, prefix, health) = (self.shared.clone(), self.prefix.clone(), self.health.clone());
        Box::pin(async move {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            let (number, mut link) = shared.link().await?;
            let begun = Instant::now();
            match link.request(&prefix, &request).await {
                Ok(value) => {
                    health.answered(begun.elapsed(), request.operations);
                    answer(&value).ok_or_else(|| RedisFailure::Other("an unknown answer of the script".into()))
                }
                Err(failure) => {
                    if !matches!(failure, RedisFailure::OutOfMemory) {
                        shared.discard(number);
                    }
                    Err(failure)
                }
            }
        })
    }

    fn request_completed(&self, state: &mut State, result: Result<Answer, RedisFailure>) {
        state.pending = None;
        let now = self.clock.now();
        let failure = match result {
            Ok(Answer::Newer(schema)) => RedisFailure::NewerSchema(schema),
            Ok(Answer::Older(schema)) => RedisFailure::OlderSchema(schema),
            Ok(answer) => {
                if state.failing.take().is_some() {
                    self.health.set_app_failure(&self.prefix, None);
                }
                let epoch = state.node.epoch();
                state.node.answered(now, answer, &mut state.out);
                if state.node.epoch() != epoch {
                    // Entries are read from the beginning again.
                    state.stop_reading();
                }
                return;
            }
            Err(RedisFailure::OutOfMemory) => {
                self.health.failed(&RedisFailure::OutOfMemory);
                state.node.out_of_memory(now, &mut state.out);
                return;
            }
            Err(failure) => failure,
        };
        self.health.failed(&failure);
        if matches!(failure, RedisFailure::NewerSchema(_) | RedisFailure::OlderSchema(_)) {
            self.health.set_app_failure(&self.prefix, Some(failure.clone()));
        }
        let (since, times) = state.failing.unwrap_or((Instant::now(), 0));
        if times == 0 {
            warn!(%failure, hint = failure.hint(), "a request to Redis failed: it is repeated");
        }
        state.failing = Some((since, times + 1));
        if since.elapsed() >= INTERRUPTED_AFTER {
            state.node.reachable(false, &mut state.out);
        }
    }

    fn read(&self, state: &mut State, read: Vec<Entry>) {
        let now = self.clock.now();
        if let Some(last) = read.last() {
            self.health.lag(now.as_millis().saturating_sub(last.id.0));
        }
        state.node.entries(now, read, &mut state.out);
    }

    fn start_reader(&self, after: EntryId) -> (AbortHandle, mpsc::Receiver<Vec<Entry>>) {
        let (sender, receiver) = mpsc::channel(8);
        let shared = self.shared.clone();
        let key = format!("{}:s:{}", self.prefix, self.node.name);
        let task = tokio::spawn(async move { read_stream(&shared, key, after, sender).await });
        (task.abort_handle(), receiver)
    }

    /// Removes the node from Redis. Otherwise other nodes do it after the lease.
    async fn deregister(self, mut state: State) {
        state.node.end();
        let ended = timeout(DEREGISTER_LIMIT, async {
            while !state.node.is_quiet() {
                self.flush(&mut state);
                tokio::select! {
                    result = request_completed(&mut state.pending) => {
                        let has_failed = result.is_err();
                        self.request_completed(&mut state, result);
                        if has_failed {
                            return false;
                        }
                    }
                    read = received(&mut state.reader) => match read {
                        Some(read) => self.read(&mut state, read),
                        None => state.reader = None,
                    },
                }
            }
            true
        });
        let is_clean = ended.await.unwrap_or(false);
        self.health.changed(
            state.reported,
            NodeStatus {
                users: 0,
                queue: 0,
                ..state.reported
            },
        );
        self.health.set_app_failure(&self.prefix, None);
        state.stop_reading();
        if !is_clean {
            info!("sidecar not removed from Redis: the others remove it when its lease has ended");
        }
    }
}

impl State {
    fn stop_reading(&mut self) {
        if let Some((task, _)) = self.reader.take() {
            task.abort();
        }
    }
}

async fn request_completed(pending: &mut Option<PendingRequest>) -> Result<Answer, RedisFailure> {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}

async fn received(reader: &mut Option<(AbortHandle, mpsc::Receiver<Vec<Entry>>)>) -> Option<Vec<Entry>> {
    match reader {
        Some((_, receiver)) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

async fn until(clock: Clock, deadline: Option<Time>) {
    match deadline {
        Some(at) => sleep_until(clock.instant(at)).await,
        None => std::future::pending().await,
    }
}

/// Reads a stream on its own connection, and reconnects after a failure.
async fn read_stream(shared: &SharedLink, key: String, mut after: EntryId, sender: mpsc::Sender<Vec<Entry>>) {
    let mut times = 0;
    while !sender.is_closed() {
        match Link::connect(shared.address(), READ_BLOCK + shared.address().answer).await {
            Ok(mut link) => {
                while let Ok(value) = link.run(&read_command(&key, after)).await {
                    times = 0;
                    let Some(read) = stream_entries(&value).filter(|read| !read.is_empty()) else {
                        continue;
                    };
                    after = read.last().map_or(after, |entry| entry.id);
                    if sender.send(read).await.is_err() {
                        return;
                    }
                }
            }
            Err(failure) => tracing::debug!(%failure, "cannot read the stream"),
        }
        sleep(BACK_OFF[times.min(BACK_OFF.len() - 1)]).await;
        times += 1;
    }
}

fn read_command(key: &str, after: EntryId) -> Cmd {
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(ENTRIES_PER_READ);
    command.arg("BLOCK").arg(READ_BLOCK.as_millis() as u64);
    command.arg("STREAMS").arg(key).arg(after.to_string());
    command
}

/// The entries of the one stream that was read.
fn stream_entries(value: &Value) -> Option<Vec<Entry>> {
    match value {
        Value::Array(streams) => match streams.first()? {
            Value::Array(stream) => entries(stream.get(1)?),
            _ => None,
        },
        Value::Map(streams) => entries(&streams.first()?.1),
        _ => None,
    }
}
