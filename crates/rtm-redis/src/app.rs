//! Task of an app: calls to the node, requests to Redis, events to instances.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::streams::StreamReadOptions;
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
use crate::link::{Link, Shared, Trouble};
use crate::node::records::{Changes, Owner, RecordNews};
use crate::node::{Node, NodeConfig, NodeStatus, Out, Request};
use crate::wire::{Answer, Entry, EntryId, answer, entries};

/// Maximum of commands in one turn.
const AT_ONCE: usize = 256;
/// Maximum of entries in one read.
const ENTRIES: usize = 512;
/// Maximum wait of a read.
const BLOCK: Duration = Duration::from_secs(2);
/// Time between attempts while Redis is out of reach.
const BACK_OFF: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
];
/// Time limit for the end of a node.
const GOODBYE: Duration = Duration::from_secs(2);

/// Command for the task of an app.
pub enum Command {
    /// A new instance.
    Open(u64, EventSink),
    /// A call.
    Call(u64, u64, RtmCall),
    /// The end of an instance.
    Close(u64),
    /// An instance's messages are acknowledged by its session.
    Keep(u64),
    /// An instance's session has processed so many messages.
    Processed(u64, usize),
    /// A session becomes the owner of a record.
    Take(u64, Owner, RecordSink),
    /// Changes of a session's record, with the messages of an instance that they come from.
    Save(u64, Changes, Option<(u64, usize)>),
    /// A session leaves its record.
    Leave(u64),
}

/// The receiver of a session's news of its record. It must not block.
pub type RecordSink = Arc<dyn Fn(RecordNews) + Send + Sync>;

/// An app at this sidecar.
pub struct App {
    pub node: NodeConfig,
    pub prefix: String,
    pub shared: Arc<Shared>,
    pub health: Arc<Health>,
    pub clock: Clock,
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// Calls in `commands`.
    pub waiting: Arc<AtomicUsize>,
    /// Ends the app once no instance is left.
    pub shutdown: CancellationToken,
}

type Flight = Pin<Box<dyn Future<Output = Result<Answer, Trouble>> + Send>>;

struct State {
    node: Node,
    tells: HashMap<u64, EventSink>,
    records: HashMap<u64, RecordSink>,
    told: NodeStatus,
    out: Out,
    flight: Option<Flight>,
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
            tells: HashMap::new(),
            records: HashMap::new(),
            told: NodeStatus::default(),
            out: Vec::new(),
            flight: None,
            failing: None,
            reader: None,
        };
        let mut commands = Vec::with_capacity(AT_ONCE);
        while !(self.shutdown.is_cancelled() && state.node.is_empty() && self.commands.is_empty()) {
            let deadline = state.node.deadline();
            tokio::select! {
                biased;
                result = landed(&mut state.flight) => self.landed(&mut state, result),
                read = received(&mut state.reader) => match read {
                    Some(read) => self.read(&mut state, read),
                    None => state.reader = None,
                },
                () = until(self.clock, deadline) => state.node.tick(self.clock.now(), &mut state.out),
                count = self.commands.recv_many(&mut commands, AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    for command in commands.drain(..) {
                        self.command(&mut state, command);
                    }
                }
                () = self.shutdown.cancelled(), if !self.shutdown.is_cancelled() => {}
            }
            self.go_on(&mut state);
        }
        self.goodbye(state).await;
    }

    fn command(&self, state: &mut State, command: Command) {
        match command {
            Command::Open(client, tell) => {
                state.node.open(client);
                state.tells.insert(client, tell);
            }
            Command::Call(client, request, call) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                state.node.call(self.clock.now(), client, request, call, &mut state.out);
            }
            Command::Close(client) => {
                self.tell(state);
                state.node.close(client);
                state.tells.remove(&client);
            }
            Command::Keep(client) => state.node.keep(client),
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
    fn go_on(&self, state: &mut State) {
        self.tell(state);
        let now = self.clock.now();
        if state.flight.is_none() {
            let again = state.node.same_request().map(|request| (request, self.wait(state)));
            let next = again.or_else(|| Some((state.node.next_request(now)?, Duration::ZERO)));
            if let Some((request, wait)) = next {
                state.flight = Some(self.send(request, wait));
            }
        }
        if state.reader.is_none() {
            state.reader = Some(self.start_reader(state.node.seen()));
        }
        let status = state.node.status();
        if status != state.told {
            self.health.changed(state.told, status);
            if status.lost_batches > state.told.lost_batches {
                let batches = status.lost_batches - state.told.lost_batches;
                error!(
                    batches,
                    logins = status.users,
                    "Redis has lost what it had done, as by a failover: logins are put back"
                );
            }
            state.told = status;
        }
    }

    fn wait(&self, state: &State) -> Duration {
        state
            .failing
            .map_or(Duration::ZERO, |(_, times)| BACK_OFF[times.min(BACK_OFF.len() - 1)])
    }

    fn tell(&self, state: &mut State) {
        for (client, event) in state.out.drain(..) {
            if let Some(tell) = state.tells.get(&client) {
                tell(event);
            }
        }
        for (session, news) in state.node.record_news() {
            if let Some(sink) = state.records.get(&session) {
                sink(news);
            }
        }
    }

    fn send(&self, request: Request, wait: Duration) -> Flight {
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
                    answer(&value).ok_or_else(|| Trouble::Other("an answer that the script does not give".into()))
                }
                Err(trouble) => {
                    if !matches!(trouble, Trouble::Memory) {
                        shared.broken(number);
                    }
                    Err(trouble)
                }
            }
        })
    }

    fn landed(&self, state: &mut State, result: Result<Answer, Trouble>) {
        state.flight = None;
        let now = self.clock.now();
        let trouble = match result {
            Ok(Answer::Newer(schema)) => Trouble::Newer(schema),
            Ok(answer) => {
                state.failing = None;
                let epoch = state.node.epoch();
                state.node.answered(now, answer, &mut state.out);
                if state.node.epoch() != epoch {
                    // Entries are read from the beginning again.
                    state.stop_reading();
                }
                return;
            }
            Err(Trouble::Memory) => {
                self.health.failed(&Trouble::Memory);
                state.node.out_of_memory(now, &mut state.out);
                return;
            }
            Err(trouble) => trouble,
        };
        self.health.failed(&trouble);
        let (since, times) = state.failing.unwrap_or((Instant::now(), 0));
        if times == 0 {
            warn!(%trouble, hint = trouble.hint(), "a request to Redis failed: it is made again");
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
    async fn goodbye(self, mut state: State) {
        state.node.end();
        let ended = timeout(GOODBYE, async {
            while !state.node.is_quiet() {
                self.go_on(&mut state);
                tokio::select! {
                    result = landed(&mut state.flight) => {
                        let is_bad = result.is_err();
                        self.landed(&mut state, result);
                        if is_bad {
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
            state.told,
            NodeStatus {
                users: 0,
                queue: 0,
                ..state.told
            },
        );
        state.stop_reading();
        if !is_clean {
            info!("Redis was not told of this sidecar's end: others notice it when its lease is over");
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

async fn landed(flight: &mut Option<Flight>) -> Result<Answer, Trouble> {
    match flight {
        Some(flight) => flight.await,
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
async fn read_stream(shared: &Shared, key: String, mut after: EntryId, sender: mpsc::Sender<Vec<Entry>>) {
    let mut times = 0;
    while !sender.is_closed() {
        match Link::connect(shared.address(), BLOCK + shared.address().answer).await {
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
            Err(trouble) => tracing::debug!(%trouble, "cannot read the stream"),
        }
        sleep(BACK_OFF[times.min(BACK_OFF.len() - 1)]).await;
        times += 1;
    }
}

fn read_command(key: &str, after: EntryId) -> Cmd {
    let options = StreamReadOptions::default()
        .count(ENTRIES)
        .block(BLOCK.as_millis() as usize);
    Cmd::xread_options(&[key], &[after.to_string()], &options)
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
