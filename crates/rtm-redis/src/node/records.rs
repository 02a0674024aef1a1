//! Records of sessions, and acknowledgement of stream entries with them.
//!
//! An entry is acknowledged by the batch that saves the session's changes. So each message is in the stream or in a record.

use std::collections::HashMap;
use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;

use crate::node::Node;
use crate::node::client::UnprocessedMessage;
use crate::node::op::{Op, ReplyHandler, fields};
use crate::wire::{EntryId, Fields, unpacked};

/// Interval of checks for records and keys whose expiry is renewed.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Time after which a record's expiry is renewed, as a part of its lifetime.
const RENEW_PART: u32 = 3;
/// Time after which the expiry of the other keys is renewed.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Keys in one operation.
const KEYS: usize = 200;

/// The owner of a record.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The account.
    pub account: Text,
    /// Unique token of the session.
    pub token: Text,
    /// The lifetime of the record after its last change.
    pub ttl: Duration,
}

/// Changes of a record.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Treatment of the other fields.
    pub scope: Scope,
    /// Fields to remove.
    pub removed: Vec<Vec<u8>>,
    /// Fields with their new values.
    pub set: Vec<(Vec<u8>, Vec<u8>)>,
    /// The lifetime of the record, if it is longer than its owner's.
    pub ttl: Option<Duration>,
}

impl Changes {
    /// Sets a field, or removes it.
    pub fn put(&mut self, field: &[u8], value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.set.push((field.to_vec(), value)),
            None => self.removed.push(field.to_vec()),
        }
    }
}

/// Treatment of fields that changes do not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// They remain.
    #[default]
    Some,
    /// They are removed.
    All,
    /// They remain. A record without messages is removed, because its session has ended.
    End,
}

/// Event of a record for its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordEvent {
    /// The session owns the record, which has these fields.
    Taken(Vec<(Vec<u8>, Vec<u8>)>),
    /// The changes are in Redis.
    Saved,
    /// The record or the changes are not in Redis within `call_wait`. Attempts continue.
    Late,
    /// The changes are in Redis, which had no record before. The session saves all again.
    Missing,
    /// Redis may have lost changes. The session saves all again.
    Lost,
    /// Another session owns the record.
    Replaced,
}

impl RecordEvent {
    /// Returns the size of its fields.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Taken(pairs) => pairs.iter().map(|(name, value)| name.len() + value.len()).sum(),
            _ => 0,
        }
    }
}

/// The records of a node's sessions.
#[derive(Debug)]
pub struct Records {
    owners: HashMap<u64, (Owner, Time)>,
    next_check: Time,
    keys_renewed: Time,
    events: Vec<(u64, RecordEvent)>,
}

impl Records {
    pub(super) fn new(now: Time) -> Self {
        Self {
            owners: HashMap::new(),
            next_check: now,
            keys_renewed: now,
            events: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }
}

impl Node {
    /// Makes a session the owner of its account's record.
    pub fn take_record(&mut self, now: Time, session: u64, owner: Owner) {
        let fields = fields![
            "take",
            owner.account.as_bytes(),
            owner.token.as_bytes(),
            millis(owner.ttl)
        ];
        self.records.owners.insert(session, (owner, now));
        self.push(Op {
            fields,
            call: None,
            handler: ReplyHandler::Take(session, Some(now + self.config.call_wait)),
        });
    }

    /// Saves changes; `processed` messages of an instance are acknowledged with them.
    pub fn save_record(&mut self, now: Time, session: u64, changes: Changes, processed: Option<(u64, usize)>) {
        let until = now + self.config.call_wait;
        let Some((owner, touched)) = self.records.owners.get_mut(&session) else {
            return;
        };
        *touched = now;
        let ttl = changes.ttl.map_or(owner.ttl, |ttl| ttl.max(owner.ttl));
        let scope = match changes.scope {
            Scope::Some => "",
            Scope::All => "all",
            Scope::End => "end",
        };
        let mut fields = fields![
            "save",
            owner.account.as_bytes(),
            owner.token.as_bytes(),
            millis(ttl),
            scope
        ];
        let (entries, offline) = processed.map_or_else(Default::default, |(client, count)| self.pop(client, count));
        fields.push(entries.len().to_string().into());
        fields.extend(entries.iter().map(|id| id.to_string().into_bytes()));
        fields.push(changes.removed.len().to_string().into());
        fields.extend(changes.removed);
        fields.extend(changes.set.into_iter().flat_map(|(field, value)| [field, value]));
        self.push(Op {
            fields,
            call: None,
            handler: ReplyHandler::Save(session, Some(until)),
        });
        self.acknowledge(now, entries, &offline);
    }

    /// Acknowledges messages of an instance, in their order, that its session has processed.
    pub fn processed(&mut self, now: Time, client: u64, count: usize) {
        let (entries, offline) = self.pop(client, count);
        self.acknowledge(now, entries, &offline);
    }

    fn pop(&mut self, client: u64, count: usize) -> (Vec<EntryId>, Option<[Vec<u8>; 3]>) {
        let (mut entries, mut offline) = (Vec::new(), None);
        let Some(client) = self.clients.get_mut(&client) else {
            return (entries, offline);
        };
        let count = count.min(client.unprocessed.len());
        for message in client.unprocessed.drain(..count) {
            match message {
                UnprocessedMessage::Entry(id, _) => entries.push(id),
                UnprocessedMessage::Offline(Some(last)) => offline = Some(last),
                UnprocessedMessage::Offline(None) => {}
            }
        }
        (entries, offline)
    }

    /// Removes entries with all queued operations, and offline messages after them.
    fn acknowledge(&mut self, now: Time, entries: Vec<EntryId>, offline: &Option<[Vec<u8>; 3]>) {
        let queued = self.queued;
        self.processed.extend(entries.into_iter().map(|id| (queued, id)));
        if let Some([user_id, login, count]) = offline {
            self.push_taken([user_id, login, count]);
        }
        self.acknowledge_soon(now);
    }

    /// Leaves the acknowledgement of an instance's messages to its session.
    pub fn require_acknowledgement(&mut self, client: u64) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.needs_acknowledgement = true;
        }
    }

    /// Forgets a session, whose record remains.
    pub fn leave_record(&mut self, session: u64) {
        self.records.owners.remove(&session);
    }

    /// Takes the events for sessions.
    pub fn take_record_events(&mut self) -> Vec<(u64, RecordEvent)> {
        std::mem::take(&mut self.records.events)
    }

    /// Returns the last entry before which all are processed.
    pub(super) fn processed_to(&mut self) -> EntryId {
        while let Some((_, id)) = self.processed.pop_front_if(|(after, _)| *after <= self.sent) {
            self.unprocessed.remove(&id);
        }
        let all = if self.seen == EntryId::default() {
            self.seen
        } else {
            self.seen.next()
        };
        self.unprocessed.first().copied().unwrap_or(all)
    }

    /// Handles a changed queue. Acknowledgements with an operation wait for all queued ones.
    pub(super) fn requeued(&mut self) {
        self.sent = self.queued.saturating_sub(self.queue.len() as u64);
        for (after, _) in &mut self.processed {
            *after = self.queued;
        }
    }

    /// Forwards the messages that the session of a closed instance has not processed.
    pub(super) fn return_unprocessed(&mut self, client: u64) {
        let Some(client) = self.clients.get_mut(&client) else {
            return;
        };
        for message in std::mem::take(&mut client.unprocessed) {
            if let UnprocessedMessage::Entry(id, fields) = message {
                if let Some(to) = crate::wire::user(&fields[0]) {
                    self.forward(Some(id), &to, &fields[2..]);
                }
                self.processed.push_back((self.queued, id));
            }
        }
    }

    pub(super) fn taken_over(&mut self, session: u64, fields: &[Vec<u8>]) {
        let texts = fields.get(1).and_then(|packed| unpacked(packed)).unwrap_or_default();
        let mut texts = texts.into_iter();
        let mut pairs = Vec::new();
        while let (Some(field), Some(value)) = (texts.next(), texts.next()) {
            pairs.push((field, value));
        }
        self.records.events.push((session, RecordEvent::Taken(pairs)));
    }

    pub(super) fn saved(&mut self, session: u64, fields: &[Vec<u8>]) {
        let events = match fields.first().map(Vec::as_slice) {
            Some(b"ok") => RecordEvent::Saved,
            Some(b"replaced") => RecordEvent::Replaced,
            _ => RecordEvent::Missing,
        };
        self.records.events.push((session, events));
    }

    /// Handles possibly lost changes.
    pub(super) fn records_lost(&mut self) {
        let sessions = self.records.owners.keys().copied();
        let mut sessions: Vec<u64> = sessions.collect();
        sessions.sort_unstable();
        let events = sessions.into_iter().map(|session| (session, RecordEvent::Lost));
        self.records.events.extend(events);
    }

    /// Reports changes that have waited too long.
    pub(super) fn report_late_records(&mut self, now: Time) {
        let outstanding = self
            .outstanding
            .iter_mut()
            .filter_map(|outstanding| outstanding.ops.as_mut());
        for op in outstanding.flatten().chain(&mut self.queue) {
            if let ReplyHandler::Save(session, until) | ReplyHandler::Take(session, until) = &mut op.handler
                && until.take_if(|until| *until <= now).is_some()
            {
                self.records.events.push((*session, RecordEvent::Late));
            }
        }
    }

    /// Renews the expiry of records, and once a day of all keys of this node's users.
    pub(super) fn renew(&mut self, now: Time) {
        if now < self.records.next_check || self.is_full() {
            return;
        }
        self.records.next_check = now + CHECK_INTERVAL;
        let mut old: Vec<(u64, Owner)> = Vec::new();
        for (&session, (owner, touched)) in &mut self.records.owners {
            if now.since(*touched) >= owner.ttl / RENEW_PART {
                *touched = now;
                old.push((session, owner.clone()));
            }
        }
        old.sort_unstable_by_key(|(session, _)| *session);
        for (session, _) in old {
            self.save_record(now, session, Changes::default(), None);
        }
        if now.since(self.records.keys_renewed) < DAY {
            return;
        }
        self.records.keys_renewed = now;
        let mut names = Fields::new();
        for client in self.clients.values() {
            let Some(session) = client.session() else { continue };
            let user = session.user.as_str();
            names.push(format!(":j:{user}").into());
            names.push(format!(":t:{user}").into());
        }
        for channel in self.channels.keys() {
            let channel = channel.as_str();
            names.extend(["c", "d", "a"].map(|kind| format!(":{kind}:{channel}").into_bytes()));
        }
        names.extend(
            self.followers
                .keys()
                .map(|user| format!(":f:{}", user.as_str()).into_bytes()),
        );
        names.sort_unstable();
        for names in names.chunks(KEYS) {
            let mut fields = fields!["renew"];
            fields.extend_from_slice(names);
            self.push(Op {
                fields,
                call: None,
                handler: ReplyHandler::Ignore,
            });
        }
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}
