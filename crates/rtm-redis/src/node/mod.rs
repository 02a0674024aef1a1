//! One app at one sidecar: its instances, and the entries of other nodes. No I/O, no clock.
//!
//! Calls become operations, which go to Redis in batches, one batch at a time. Replies and entries are processed in the order of
//! Redis: an answer names the last entry of the node's stream before its batch. So an instance gets the events of a single RTM.

mod calls;
mod channels;
pub mod client;
mod entries;
mod invitations;
pub mod op;
mod outage;
mod presence;
pub mod records;
mod repair;
mod replies;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::value::Text;
use rtm::{ChannelId, RtmCall, RtmError, RtmEvent, RtmReply, UserId};
use rtm_embedded::{RtmServiceConfig, TimerId, Timers, limits};

use crate::node::channels::LocalChannel;
use crate::node::client::{Client, WaitingCall};
use crate::node::invitations::Invitation;
use crate::node::op::{Call, Op, ReplyHandler, fields};
use crate::node::records::Records;
use crate::wire::{Answer, Entry, EntryId};

/// Events of instances, by their numbers.
pub type Outputs = Vec<(u64, UpstreamEvent)>;

/// Maximum of operations in one batch, because Redis does nothing else meanwhile.
const BATCH: usize = 128;
/// Approximate maximum of bytes in one batch.
const BATCH_BYTES: usize = 512 * 1024;
/// Operations that wait for Redis. More are refused.
const QUEUE: usize = 20_000;
/// Bytes of operations that wait for Redis. More are refused.
const QUEUE_BYTES: usize = 64 << 20;
/// Maximum delay of acknowledgements. Unacknowledged entries are forwarded after the end of this node.
const ACK_AFTER: Duration = Duration::from_millis(5);
/// Interval of checks for calls that have waited too long.
const CHECK: Duration = Duration::from_millis(100);

/// Config of a node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's name, unique.
    pub name: Text,
    /// Rates and offline messages.
    pub service: RtmServiceConfig,
    /// Maximum wait of calls for Redis.
    pub call_wait: Duration,
    /// Lease after a heartbeat.
    pub lease: Duration,
    /// The time between heartbeats.
    pub heartbeat: Duration,
    /// Time without a lease before the users of a node are removed.
    pub grace: Duration,
    /// Entries in a node's stream, above which messages to it are refused.
    pub stream: usize,
    /// True if Redis gets the node's time, as in tests.
    pub has_own_time: bool,
}

/// Timer of a node.
#[derive(Debug)]
enum Timer {
    /// Acknowledgement of entries.
    Acknowledgement,
    /// The heartbeat.
    Heartbeat,
    /// Event of a member count.
    Count(ChannelId),
    /// An invitation.
    Invitation(u64),
    /// The channels of an earlier login of an instance.
    Moved(u64),
    /// A token's warning or end.
    Token(u64),
}

/// Request to Redis: the arguments of the script after the prefix.
#[derive(Clone, Debug)]
pub struct Request {
    /// The arguments.
    pub args: Vec<Vec<u8>>,
    /// True if it may run without memory.
    pub frees: bool,
    /// Number of its operations.
    pub operations: usize,
}

/// Numbers of a node, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Instances that are logged in.
    pub users: usize,
    /// Operations that wait.
    pub queue: usize,
    /// Nodes that have a lease.
    pub nodes: u64,
    /// Users that this node has removed because Redis has them at another node.
    pub repairs: u64,
    /// Batches that Redis has lost.
    pub lost_batches: u64,
    /// Entries that did not fit into the stream.
    pub dropped: u64,
}

/// State of the node in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeState {
    /// Redis has no state of it.
    Unregistered,
    /// Redis has its state.
    Registered,
}

struct Outstanding {
    /// `None` for a registration.
    ops: Option<Vec<Op>>,
    since: Time,
    request: Request,
}

/// One app at one sidecar.
pub struct Node {
    config: NodeConfig,
    clients: HashMap<u64, Client>,
    /// Local logins: user and instance.
    users: HashMap<UserId, u64>,
    channels: HashMap<ChannelId, LocalChannel>,
    followers: HashMap<UserId, BTreeSet<u64>>,
    invitations: HashMap<u64, Invitation>,
    timers: Timers<Timer>,
    queue: VecDeque<Op>,
    queue_bytes: usize,
    state: NodeState,
    seq: u64,
    outstanding: Option<Outstanding>,
    /// The answer to the pending request, which waits for the entries before it.
    answer: Option<(EntryId, Vec<crate::wire::Fields>)>,
    inbound: VecDeque<Entry>,
    /// The last processed entry, and the last acknowledged one.
    seen: EntryId,
    acked: EntryId,
    /// Entries of the stream that sessions have not processed.
    unprocessed: BTreeSet<EntryId>,
    /// Entries that are processed after so many operations.
    processed: VecDeque<(u64, EntryId)>,
    /// Operations that were queued, and that were sent.
    queued: u64,
    sent: u64,
    records: Records,
    ack_timer: Option<TimerId>,
    heartbeat_queued: bool,
    /// The last entry of each node, by the numbers of its writer.
    written: HashMap<Text, (u64, u64)>,
    check: Time,
    up: bool,
    epoch: u64,
    status: NodeStatus,
    ended: bool,
}

impl Node {
    /// Creates a node before its registration.
    pub fn new(config: NodeConfig, now: Time) -> Self {
        let mut timers = Timers::default();
        timers.set(now + config.heartbeat, Timer::Heartbeat);
        Self {
            config,
            clients: HashMap::new(),
            users: HashMap::new(),
            channels: HashMap::new(),
            followers: HashMap::new(),
            invitations: HashMap::new(),
            timers,
            queue: VecDeque::new(),
            queue_bytes: 0,
            state: NodeState::Unregistered,
            seq: 0,
            outstanding: None,
            answer: None,
            inbound: VecDeque::new(),
            seen: EntryId::default(),
            acked: EntryId::default(),
            unprocessed: BTreeSet::new(),
            processed: VecDeque::new(),
            queued: 0,
            sent: 0,
            records: Records::new(now),
            ack_timer: None,
            heartbeat_queued: false,
            written: HashMap::new(),
            check: now,
            up: true,
            epoch: 0,
            status: NodeStatus::default(),
            ended: false,
        }
    }

    /// Adds an instance.
    pub fn open(&mut self, client: u64) {
        self.clients.insert(client, Client::default());
    }

    /// Removes an instance, after its logout.
    pub fn close(&mut self, client: u64) {
        self.return_unprocessed(client);
        if let Some((user, login, sent)) = self.end_session(client) {
            self.push_logout(user, &login, sent, None);
        }
        self.clients.remove(&client);
    }

    /// Number of losses of Redis. Entries are then read from the beginning.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns true without instances.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.records.is_empty()
    }

    /// Numbers for metrics.
    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            users: self.users.len(),
            queue: self.queue.len(),
            ..self.status
        }
    }

    /// Returns the last processed entry. Reads continue after it.
    pub fn seen(&self) -> EntryId {
        self.inbound.back().map_or(self.seen, |entry| entry.id)
    }

    /// Processes a call of an instance.
    pub fn call(&mut self, now: Time, client: u64, request: u64, call: RtmCall, out: &mut Outputs) {
        self.admit_or_queue(now, client, (request, call), false, out);
    }

    /// Processes a call of an instance as that of a channel member. Redis has the members of all channels.
    pub fn call_as_member(&mut self, now: Time, client: u64, request: u64, call: RtmCall, out: &mut Outputs) {
        self.admit_or_queue(now, client, (request, call), true, out);
    }

    fn admit_or_queue(
        &mut self,
        now: Time,
        client: u64,
        (request, call): (u64, RtmCall),
        as_member: bool,
        out: &mut Outputs,
    ) {
        let Some(found) = self.clients.get_mut(&client) else {
            return;
        };
        let waiting = WaitingCall {
            request,
            call,
            until: now + self.config.call_wait,
            as_member,
        };
        if !found.busy {
            return self.admit(now, client, waiting, out);
        }
        if found.waiting.len() >= limits::WAITING {
            return out.push(failed(request, refusal(waiting.call.kind(), Refusal::TooOften)).for_client(client));
        }
        found.waiting.push_back(waiting);
    }

    /// Fires the timers that are due.
    pub fn tick(&mut self, now: Time, out: &mut Outputs) {
        while let Some((at, timer)) = self.timers.pop(now) {
            match timer {
                Timer::Acknowledgement => {
                    self.ack_timer = None;
                    if self.processed_to() > self.acked && self.queue.is_empty() {
                        self.push(Op {
                            fields: fields!["nothing"],
                            call: None,
                            handler: ReplyHandler::Ignore,
                        });
                    }
                }
                Timer::Heartbeat => {
                    self.timers.set(now + self.config.heartbeat, Timer::Heartbeat);
                    self.heartbeat();
                    self.renew(now);
                }
                Timer::Count(channel) => self.count_due(&channel, out),
                Timer::Invitation(id) => self.invitation_due(id),
                Timer::Moved(client) => self.leave_moved(client),
                Timer::Token(client) => self.token_due(at, client, out),
            }
        }
        self.expire_calls(now, out);
    }

    /// Returns the time of the next [`tick`](Self::tick).
    pub fn deadline(&self) -> Option<Time> {
        let check = self.outstanding.as_ref();
        let check = check.map(|outstanding| self.check.max(outstanding.since + self.config.call_wait));
        self.timers.deadline().into_iter().chain(check).min()
    }

    /// Returns the next request; `None` while an answer is pending.
    pub fn next_request(&mut self, now: Time) -> Option<Request> {
        if self.outstanding.is_some() {
            return None;
        }
        let (ops, request) = match self.state {
            NodeState::Unregistered => {
                let mut args = self.head(now, "register".into());
                args.push(self.seq.to_string().into());
                let request = Request {
                    args,
                    frees: false,
                    operations: 0,
                };
                (None, request)
            }
            NodeState::Registered if self.queue.is_empty() => return None,
            NodeState::Registered => {
                let ops = self.take_batch();
                let request = self.batch(now, &ops, false);
                (Some(ops), request)
            }
        };
        self.outstanding = Some(Outstanding {
            ops,
            since: now,
            request: request.clone(),
        });
        Some(request)
    }

    /// Returns the unanswered request, for another attempt.
    pub fn same_request(&self) -> Option<Request> {
        let outstanding = self.outstanding.as_ref().filter(|_| self.answer.is_none());
        outstanding.map(|outstanding| outstanding.request.clone())
    }

    /// Processes an answer.
    pub fn answered(&mut self, now: Time, answer: Answer, out: &mut Outputs) {
        self.reachable(true, out);
        match answer {
            // A second answer, to a request that was repeated.
            Answer::Done { .. } if self.outstanding.is_none() || self.answer.is_some() => {}
            Answer::Done { before, items, .. } => {
                self.answer = Some((before, items));
                self.settle(now, out);
            }
            Answer::Registered { users, .. } => {
                self.outstanding = None;
                self.registered(now, users, out);
            }
            Answer::Lost { last } => {
                self.status.lost_batches += last.map_or(0, |last| self.seq.saturating_sub(last + 1));
                self.lost();
            }
            Answer::Stale => self.lost(),
            // This version cannot serve the data: calls time out.
            Answer::Newer(_) | Answer::Older(_) => {}
        }
    }

    /// Processes entries of the node's stream.
    pub fn entries(&mut self, now: Time, entries: Vec<Entry>, out: &mut Outputs) {
        self.inbound.extend(entries);
        self.settle(now, out);
    }

    /// Handles a long outage of Redis, and its end.
    pub fn reachable(&mut self, up: bool, out: &mut Outputs) {
        if self.up != up {
            self.up = up;
            out.extend(self.clients.keys().map(|&client| (client, UpstreamEvent::Up(up))));
        }
    }

    /// Ends the node and removes its state.
    pub fn end(&mut self) {
        let clients: Vec<_> = self.clients.keys().copied().collect();
        for client in clients {
            self.close(client);
        }
        self.ended = true;
        self.push_deregister();
    }

    /// Returns true without operations for Redis.
    pub fn is_quiet(&self) -> bool {
        self.queue.is_empty() && self.outstanding.is_none()
    }

    /// Puts answers and entries into the order of Redis.
    fn settle(&mut self, now: Time, out: &mut Outputs) {
        match self.answer.take() {
            Some((before, items)) => {
                while self.inbound.front().is_some_and(|entry| entry.id <= before) {
                    self.next_entry(now, out);
                }
                // A login elsewhere may have removed the last entry. Then there is a later one.
                if self.seen < before && self.inbound.is_empty() {
                    self.answer = Some((before, items));
                    return;
                }
                let outstanding = self.outstanding.take();
                self.items(now, outstanding.and_then(|o| o.ops).unwrap_or_default(), items, out);
                // Entries after the batch are processed at once.
                self.settle(now, out);
            }
            None if self.outstanding.is_none() => {
                while !self.inbound.is_empty() {
                    self.next_entry(now, out);
                }
            }
            None => {}
        }
    }

    fn next_entry(&mut self, now: Time, out: &mut Outputs) {
        let Some(entry) = self.inbound.pop_front() else { return };
        self.seen = self.seen.max(entry.id);
        self.acknowledge_soon(now);
        let last = self.written.entry(entry.from).or_default();
        // Read again after a loss of Redis.
        if entry.number <= *last {
            return;
        }
        *last = entry.number;
        self.entry(now, Some(entry.id), &entry.fields, out);
    }

    fn acknowledge_soon(&mut self, now: Time) {
        if self.ack_timer.is_none() {
            self.ack_timer = Some(self.timers.set(now + ACK_AFTER, Timer::Acknowledgement));
        }
    }

    fn items(&mut self, now: Time, ops: Vec<Op>, items: Vec<crate::wire::Fields>, out: &mut Outputs) {
        let mut ops = ops.into_iter();
        for item in items {
            if item.first().is_some_and(|tag| tag == b"=") {
                if let Some(op) = ops.next() {
                    self.reply(now, op, &item[1..], out);
                }
            } else {
                self.entry(now, None, &item, out);
            }
        }
    }

    fn push(&mut self, op: Op) {
        self.queue_bytes += op.bytes();
        self.queued += 1;
        self.queue.push_back(op);
    }

    fn push_logout(&mut self, user: UserId, login: &str, sent: Vec<u64>, call: Option<Call>) {
        let mut fields = fields!["logout", user.as_str(), login];
        fields.extend(sent.iter().map(|id| id.to_string().into_bytes()));
        self.push(Op {
            fields,
            call,
            handler: ReplyHandler::Logout,
        });
    }

    fn push_deregister(&mut self) {
        self.push(Op {
            fields: fields!["deregister"],
            call: None,
            handler: ReplyHandler::Deregister,
        });
    }

    fn heartbeat(&mut self) {
        if !self.heartbeat_queued && self.state == NodeState::Registered && !self.ended {
            self.heartbeat_queued = true;
            let grace = self.config.grace.as_millis().to_string();
            self.push(Op {
                fields: fields!["heartbeat", grace],
                call: None,
                handler: ReplyHandler::Heartbeat,
            });
        }
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= QUEUE || self.queue_bytes >= QUEUE_BYTES
    }

    fn take_batch(&mut self) -> Vec<Op> {
        let (mut ops, mut bytes) = (Vec::new(), 0);
        while ops.len() < BATCH && bytes < BATCH_BYTES {
            let Some(op) = self.queue.pop_front() else { break };
            bytes += op.bytes();
            ops.push(op);
        }
        self.queue_bytes = self.queue_bytes.saturating_sub(bytes);
        self.sent = self.queued - self.queue.len() as u64;
        self.seq += 1;
        ops
    }

    fn batch(&mut self, now: Time, ops: &[Op], frees: bool) -> Request {
        let mut args = self.head(now, self.seq.to_string());
        for op in ops {
            args.push(op.fields[0].clone());
            args.push((op.fields.len() - 1).to_string().into());
            args.extend_from_slice(&op.fields[1..]);
        }
        Request {
            args,
            frees,
            operations: ops.len(),
        }
    }

    fn head(&mut self, now: Time, seq: String) -> Vec<Vec<u8>> {
        let time = if self.config.has_own_time {
            now.as_millis().to_string()
        } else {
            String::new()
        };
        let mut done = String::new();
        let processed = self.processed_to();
        if processed > self.acked && self.state == NodeState::Registered {
            self.acked = processed;
            done = processed.to_string();
        }
        let offline = if self.config.service.offline_messages { "1" } else { "0" };
        let lease = self.config.lease.as_millis().to_string();
        fields![
            self.config.name.as_bytes(),
            seq,
            time,
            lease,
            self.config.stream.to_string(),
            offline,
            done
        ]
    }
}

/// Adds an event for an instance.
trait ForClient {
    fn for_client(self, client: u64) -> (u64, UpstreamEvent);
}

impl ForClient for UpstreamEvent {
    fn for_client(self, client: u64) -> (u64, UpstreamEvent) {
        (client, self)
    }
}

impl ForClient for RtmEvent {
    fn for_client(self, client: u64) -> (u64, UpstreamEvent) {
        (client, UpstreamEvent::Event(self))
    }
}

fn replied(request: u64, reply: RtmReply) -> UpstreamEvent {
    UpstreamEvent::Reply {
        request,
        result: Ok(reply),
    }
}

fn failed(request: u64, error: impl Into<RtmError>) -> UpstreamEvent {
    UpstreamEvent::Reply {
        request,
        result: Err(error.into()),
    }
}
