//! A session with a record in Redis, which has its changes before its client gets frames about them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tracing::error;

use engine::{Attach, EndReason, Input, LOGIN};
use identity::Account;
use protocol::encoder::Resumed;
use protocol::event::CallRef;
use rtm::upstream::{ClientKey, UpstreamEvent};
use rtm::{AppId, ConnectionReason, ConnectionState, RtmEvent};
use rtm_redis::records::{Owner, RecordEvent};
use rtm_redis::{RecordKey, RedisUpstream};
use runtime::log_limit::{Bound, Cause, admits};
use tables::reason::Reason;
use tables::row::RowId;

use crate::config::UpstreamKind;
use crate::server::Server;
use crate::server::live_session::LiveSession;
use crate::server::message::{Login, Message};
use crate::server::send_queue::{Closing, Outbound};
use crate::server::session_inbox::WeakInbox;
use crate::server::session_record::{self, Loaded};

/// Shortest lifetime of a record after its last change.
const MIN_TTL: Duration = Duration::from_secs(600);
/// Maximum of messages that wait for the record.
const MAX_WAITING: usize = 256;

/// A session's record, with the messages and frames that wait for it.
pub struct RecordSync {
    redis: Arc<RedisUpstream>,
    key: RecordKey,
    stage: Stage,
    /// Messages that wait until the record is loaded.
    waiting: VecDeque<Message>,
    /// Changes are on their way.
    saving: bool,
    /// Progress of `Session::to_store` that is sent, and that is in Redis.
    sent: u64,
    saved: u64,
    /// Processed peer messages that are not acknowledged to the backend.
    processed: usize,
    /// Those that are acknowledged once the changes on their way are in Redis.
    saved_soon: usize,
    /// The session's RTM is in the same Redis: an acknowledgement and the changes are one step.
    has_rtm: bool,
    held: VecDeque<Held>,
    /// Fields of the record that are removed with the next changes, because they cannot be read.
    unread: Vec<Vec<u8>>,
}

enum Stage {
    Loading,
    /// The record is loaded, and no login has used it.
    Loaded(Option<Box<Loaded>>),
    /// Redis does not answer, or the form of the record is unknown.
    Failed,
    /// Another session has the record.
    Replaced,
}

struct Held {
    /// Progress that must be in Redis before.
    after: u64,
    /// True if it waits only for those before it, as the frames of a kick.
    is_behind: bool,
    out: Arc<Outbound>,
    write: HeldWrite,
}

enum HeldWrite {
    Frame(String),
    /// A frame of the answer to a call.
    Answer(String, CallRef, RowId),
    Close(Closing),
}

impl RecordSync {
    /// Makes a new session the owner of its account's record.
    pub fn new(
        server: &Server,
        redis: &Arc<RedisUpstream>,
        (app, account): (&AppId, &Account),
        session: u64,
        inbox: WeakInbox,
        client: &ClientKey,
    ) -> Self {
        let config = server.config();
        let owner = Owner {
            account: account.text().clone(),
            token: format!("{session:016x}").into(),
            ttl: (config.mailbox.ttl + config.session.grace).max(MIN_TTL),
        };
        let event = move |event| {
            if let Some(inbox) = inbox.upgrade() {
                // An ended session needs no events.
                let _ = inbox.send(Message::Record(Box::new(event)));
            }
        };
        server.upstream.require_acknowledgement(client);
        Self {
            redis: redis.clone(),
            key: redis.take_record(app, owner, Arc::new(event)),
            stage: Stage::Loading,
            waiting: VecDeque::new(),
            saving: false,
            sent: 0,
            saved: 0,
            processed: 0,
            saved_soon: 0,
            has_rtm: config.upstream_of(app) == UpstreamKind::Redis,
            held: VecDeque::new(),
            unread: Vec::new(),
        }
    }

    /// Queues a message while the record is loaded; returns it if it does not have to wait.
    pub fn wait(&mut self, message: Message) -> Option<Message> {
        if !matches!(self.stage, Stage::Loading) || matches!(message, Message::Record(_)) {
            return Some(message);
        }
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(message);
        }
        None
    }

    /// Returns true if nothing waits for the record.
    pub fn rests(&self) -> bool {
        matches!(self.stage, Stage::Loaded(_)) && self.waiting.is_empty() && self.held.is_empty()
    }

    /// Counts an event that the backend keeps until it is processed.
    pub fn count(&mut self, event: &UpstreamEvent) {
        let is_message = matches!(event, UpstreamEvent::Event(RtmEvent::MessageFromPeer { .. }));
        if is_message {
            self.processed += 1;
        }
    }

    /// Holds a frame until Redis has its content. Returns the frame if it does not have to wait; only answers may
    /// overtake held events.
    pub fn hold(
        &mut self,
        after: Option<u64>,
        out: &Arc<Outbound>,
        text: String,
        answers: Option<(CallRef, RowId)>,
    ) -> Option<String> {
        let last = self.held.back().map(|held| held.after).filter(|_| answers.is_none());
        let is_behind = after.is_none_or(|after| after <= self.saved);
        let Some(after) = after.max(last).filter(|after| *after > self.saved) else {
            return Some(text);
        };
        let write = match answers {
            Some((call, row)) => HeldWrite::Answer(text, call, row),
            None => HeldWrite::Frame(text),
        };
        let out = out.clone();
        self.held.push_back(Held {
            after,
            is_behind,
            out,
            write,
        });
        None
    }

    /// Holds the close of a connection behind its frames. Returns false if there are none.
    pub fn hold_close(&mut self, out: &Arc<Outbound>, closing: Closing) -> bool {
        let Some(after) = self.held.back().map(|held| held.after) else {
            return false;
        };
        let (out, write) = (out.clone(), HeldWrite::Close(closing));
        self.held.push_back(Held {
            after,
            is_behind: true,
            out,
            write,
        });
        true
    }

    /// Drops the frames whose content is not in Redis: lines are given to the next session. The others are written.
    fn drop_unsaved(&mut self) {
        for held in self.held.drain(..).filter(|held| held.is_behind) {
            match held.write {
                HeldWrite::Frame(text) | HeldWrite::Answer(text, ..) => drop(held.out.push(text)),
                HeldWrite::Close(closing) => held.out.close(closing),
            }
        }
    }
}

impl LiveSession {
    /// Handles an event of the session's record.
    pub(super) fn record_event(&mut self, event: RecordEvent) {
        let Some(sync) = &mut self.record else { return };
        match event {
            RecordEvent::Taken(pairs) => {
                sync.stage = match session_record::read(pairs, &self.tables) {
                    Ok(loaded) => Stage::Loaded(loaded.map(Box::new)),
                    Err(error) => {
                        if admits("records of another version", Bound::EVENT, Cause::default()) {
                            let hint = "run the version of sigbridge that the other sidecars run";
                            error!(%error, hint, "login refused");
                        }
                        Stage::Failed
                    }
                };
                self.serve_waiting();
            }
            RecordEvent::Late if matches!(sync.stage, Stage::Loading) => {
                sync.stage = Stage::Failed;
                self.serve_waiting();
            }
            RecordEvent::Late => self.refuse_held(),
            RecordEvent::Saved => {
                sync.saving = false;
                sync.saved = sync.saved.max(sync.sent);
                let processed = std::mem::take(&mut sync.saved_soon);
                if processed > 0 {
                    self.server.upstream.processed(&self.client, processed);
                }
                self.release_held();
            }
            RecordEvent::Missing => {
                sync.saving = false;
                self.session.store_again();
            }
            RecordEvent::Lost => self.session.store_again(),
            RecordEvent::Replaced => {
                sync.stage = Stage::Replaced;
                sync.drop_unsaved();
                let (state, reason) = (ConnectionState::Aborted, ConnectionReason::RemoteLogin);
                self.step(Input::RtmEvent(RtmEvent::ConnectionStateChanged { state, reason }));
            }
        }
    }

    fn serve_waiting(&mut self) {
        let waiting = self.record.as_mut().map(|sync| std::mem::take(&mut sync.waiting));
        for message in waiting.into_iter().flatten() {
            self.serve(message);
        }
    }

    /// Saves the changes, unless others are on their way.
    pub(super) fn save(&mut self) {
        let Some(sync) = &mut self.record else { return };
        if sync.saving || !matches!(sync.stage, Stage::Loaded(_)) || !self.session.is_logged_in() {
            return;
        }
        let processed = if self.session.has_waiting_events() {
            0
        } else {
            sync.processed
        };
        let Some(changes) = self.session.changes() else {
            if processed > 0 {
                sync.processed -= processed;
                self.server.upstream.processed(&self.client, processed);
            }
            return;
        };
        let processed = if changes.more { 0 } else { processed };
        if !changes.more {
            sync.sent = self.session.to_store();
        }
        sync.saving = true;
        sync.processed -= processed;
        let ttl = changes.until.map(|until| until.since(self.server.clock.now()));
        let mut fields = session_record::fields(changes, &self.tables);
        fields.ttl = ttl;
        fields.removed.append(&mut sync.unread);
        if !sync.has_rtm {
            sync.saved_soon += processed;
        }
        let processed = (processed > 0 && sync.has_rtm).then_some((&self.client, processed));
        sync.redis.save_record(&sync.key, fields, processed);
    }

    fn release_held(&mut self) {
        let Some(sync) = &mut self.record else { return };
        let saved = sync.saved;
        while let Some(held) = sync.held.pop_front_if(|held| held.after <= saved) {
            let text = match held.write {
                HeldWrite::Frame(text) | HeldWrite::Answer(text, ..) => text,
                HeldWrite::Close(closing) => {
                    held.out.close(closing);
                    continue;
                }
            };
            if !held.out.push(text) {
                self.full = Some(held.out);
            }
        }
    }

    /// Refuses the calls whose answers wait for Redis for too long. Events continue to wait.
    fn refuse_held(&mut self) {
        let Some(sync) = &mut self.record else { return };
        let mut calls: Vec<(CallRef, RowId)> = Vec::new();
        sync.held.retain(|held| match held.write {
            HeldWrite::Answer(_, call, row) if call.function != LOGIN => {
                if !calls.contains(&(call, row)) {
                    calls.push((call, row));
                }
                false
            }
            _ => true,
        });
        for (call, row) in calls {
            let (args, reason) = (Vec::new(), Reason::Timeout);
            self.step(Input::Refused {
                call,
                row,
                args,
                reason,
            });
        }
    }

    /// Continues with the record at the first login. Returns the login if it may continue.
    pub(super) fn restore(&mut self, login: Login) -> Option<Login> {
        let sync = self.record.as_mut()?;
        let is_line = login.attached == Some(Attach::BySessionLine);
        let loaded = match &mut sync.stage {
            Stage::Loaded(loaded) => loaded.take(),
            _ => return self.refuse_login(login, "timeout"),
        };
        let Some(loaded) = loaded else {
            if is_line && !self.session.is_logged_in() {
                return self.refuse_login(login, "unknown line");
            }
            return Some(login);
        };
        let Loaded { record, unread, .. } = *loaded;
        if !unread.is_empty() {
            let what = "unreadable messages in Redis";
            let count = unread.len();
            error!(
                unread = count,
                hint = "another version of sigbridge has written them",
                what
            );
            self.log.dropped(what, count);
            sync.unread = unread;
            self.server.metrics.dropped(what);
        }
        let how = match (record.head.ended, is_line, login.loses_calls) {
            (true, ..) => None,
            (false, true, _) => Some(Attach::BySessionLine),
            (false, false, true) => Some(Attach::Reset),
            (false, false, false) => Some(Attach::Resume),
        };
        // The recording has no earlier events, so a replay could not repeat the session.
        let now = self.time.now(&self.server.clock);
        self.taps.end_recording(now);
        let mut effects = Vec::new();
        self.session.restore(now, record, how, &mut effects);
        for effect in effects {
            self.apply(effect);
        }
        Some(login)
    }

    fn refuse_login(&mut self, login: Login, reason: &'static str) -> Option<Login> {
        let Login {
            call,
            line,
            args,
            mut pending,
            socket,
            ..
        } = login;
        if login.attached == Some(Attach::BySessionLine) {
            pending.attempt.refused(reason);
            for text in socket.encoder.resumed(Resumed::Unknown) {
                socket.out.push(text);
            }
            socket.out.close(Closing::Finished);
            self.over = true;
            return None;
        }
        self.sockets.insert(call.socket, socket);
        self.pending.insert(call.socket, pending);
        let verdict = Err(Reason::Timeout);
        self.step(Input::Admitted {
            call,
            verdict,
            line,
            args,
        });
        None
    }

    /// Leaves the record to the account's next session.
    pub(super) fn leave_record(&mut self) {
        let Some(mut sync) = self.record.take() else { return };
        sync.drop_unsaved();
        let is_owner = matches!(sync.stage, Stage::Loaded(_)) && self.session.is_logged_in();
        let is_over = matches!(
            self.session.end_reason(),
            Some(EndReason::Kicked | EndReason::Banned | EndReason::Refused)
        );
        if is_owner && !is_over {
            while let Some(changes) = self.session.changes() {
                let processed = if changes.more {
                    0
                } else {
                    std::mem::take(&mut sync.processed)
                };
                let processed = (processed > 0 && sync.has_rtm).then_some((&self.client, processed));
                let fields = session_record::fields(changes, &self.tables);
                sync.redis.save_record(&sync.key, fields, processed);
            }
            if sync.processed > 0 {
                self.server.upstream.processed(&self.client, sync.processed);
            }
        }
        sync.redis.leave_record(&sync.key);
    }
}
