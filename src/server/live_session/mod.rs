//! A running session: it takes messages from its inbox and executes effects.

mod by_socket;
mod effects_buffer;
mod exchange;
mod frames;
mod limits;
mod measures;
mod member_queries;
pub mod record;
mod shown;
mod spans;
mod taps;

use std::collections::VecDeque;
use std::sync::Arc;

use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::debug;

use crate::admin::Group;
use crate::log::clients::{CutOff, SessionLog};
use crate::otel::SessionSpans;
use crate::webhook::User;
use engine::{Effect, EndReason, ForOthers, Input, Route, Session, SessionContext};
use identity::Account;
use protocol::event::LOGIN;
use rtm::AppId;
use rtm::time::Time;
use rtm::upstream::{ClientKey, UpstreamEvent};
use rtm::value::Text;
use rtm::{ChannelId, GetMembersErr, JoinChannelErr};
use runtime::clock::Latest;
use tables::Tables;
use tables::wire::Wire;

use crate::server::Server;
use crate::server::message::{Login, Message, SocketHandle, TableOffer};
use crate::server::offline_mailboxes::lines_between;
use crate::server::pending_logins::PendingLogin;
use crate::server::rates::MessageLimits;
use crate::server::send_queue::{Closing, Outbound};
use crate::server::session_directory::SessionView;
use crate::server::session_inbox::{Inbox, Recipient, Rest, WeakInbox};
use crate::server::session_timers::Armed;
use crate::server::table_set::TableSet;
use crate::server::webhook_events::WebhookEvents;
use protocol::memory_budget::{MemoryUse, MemoryUser};

use by_socket::BySocket;
use measures::Measures;
use record::RecordSync;
use taps::Taps;

/// A session of the engine with its sockets, timers and RTM client.
pub struct LiveSession {
    server: Arc<Server>,
    tables: Arc<Tables>,
    set: Arc<TableSet>,
    wire: Arc<Wire>,
    key: (AppId, Account),
    id: u64,
    session: Session,
    client: ClientKey,
    sockets: BySocket<SocketHandle>,
    /// Unanswered logins.
    pending: BySocket<PendingLogin>,
    /// Time of the timer that is set for the inbox.
    armed: Option<Armed>,
    view: Arc<SessionView>,
    /// Channel of this session in the index of members.
    member_of: Option<ChannelId>,
    /// Calls for other sessions, by their inboxes.
    for_others: ForOthers<Inbox>,
    /// Replies from the session to itself.
    later: VecDeque<UpstreamEvent>,
    own_inbox: WeakInbox,
    /// A full send queue. The session continues after it has room.
    full: Option<Arc<Outbound>>,
    held: MemoryUse,
    /// True if the engine has the input that the memory is full.
    pressed: bool,
    channel: Option<Text>,
    webhook_events: WebhookEvents,
    log: SessionLog,
    /// Time of the latest step.
    time: Latest,
    /// Time of all steps of the current recorded frame.
    moment: Option<Time>,
    measures: Measures,
    /// Counters of its kind of client.
    group: Option<Arc<Group>>,
    /// Its record in Redis, if it has one.
    record: Option<Box<RecordSync>>,
    /// Progress that must be in Redis before the client gets the effects of this step.
    after: Option<u64>,
    /// Rates of messages at the start of the session.
    message_limits: MessageLimits,
    /// Recorders of the recording and of viewers.
    taps: Taps,
    /// Traces of its calls.
    spans: SessionSpans,
    /// True if unacknowledged lines are in the mailbox file.
    in_mailbox_file: bool,
    over: bool,
    /// True if the session began with other tables.
    has_later_tables: bool,
    /// Reason of an end that the engine does not know of.
    cut_off: Option<CutOff>,
    /// The shutdown waits for the drop of this token.
    _tracked: TaskTrackerToken,
}

impl LiveSession {
    /// Creates a session that is not started.
    pub fn new(
        server: Arc<Server>,
        key: (AppId, Account),
        (context, set): (SessionContext, Arc<TableSet>),
        view: Arc<SessionView>,
        client: ClientKey,
        own_inbox: WeakInbox,
    ) -> Self {
        let (wire, id) = (context.wire.clone(), view.id);
        let tracked = server.tasks.token();
        let spans = SessionSpans::new(&server.log.tracer, &key.0, id);
        let user = User {
            app: key.0.clone(),
            account: key.1.clone(),
            session: id,
        };
        Self {
            webhook_events: WebhookEvents::new(server.clone(), user),
            log: SessionLog::new(id, &server.log.accounts, key.0.as_str(), key.1.as_str()),
            held: server.memory.holds(MemoryUser::Sessions),
            full: None,
            pressed: false,
            tables: set.tables.clone(),
            set,
            message_limits: MessageLimits::of(&server.config(), &key.0),
            wire,
            view,
            session: Session::new(context, key.1.text().clone()),
            server,
            key,
            id,
            client,
            sockets: BySocket::default(),
            pending: BySocket::default(),
            armed: None,
            member_of: None,
            for_others: ForOthers::default(),
            later: VecDeque::new(),
            own_inbox,
            channel: None,
            time: Latest::default(),
            moment: None,
            measures: Measures::default(),
            group: None,
            taps: Taps::default(),
            spans,
            record: None,
            after: None,
            in_mailbox_file: false,
            over: false,
            has_later_tables: false,
            cut_off: None,
            _tracked: tracked,
        }
    }

    /// Sets the record.
    pub fn with_record(mut self, record: Option<RecordSync>) -> Self {
        self.record = record.map(Box::new);
        self
    }

    /// Counts the session as running.
    pub fn begin(self) -> Self {
        self.server.metrics.sessions.inc();
        self.set.usage.session();
        self
    }

    fn is_done(&self) -> bool {
        // At the shutdown, sessions without a client end at once.
        self.over || self.cut_off.is_some() || self.sockets.is_empty() && self.server.shutdown.is_cancelled()
    }

    /// Sets the timer of the inbox. If it fires too early, no timer is due, and it is set again.
    fn arm(&mut self) {
        let Some(next) = self.session.next_timer() else { return };
        if self.armed.is_none_or(|armed| next < armed.at) {
            self.disarm();
            self.armed = Some(self.server.timers.set(next, &self.own_inbox));
        }
    }

    fn disarm(&mut self) {
        if let Some(armed) = self.armed.take() {
            self.server.timers.remove(armed);
        }
    }

    fn serve(&mut self, message: Message) {
        match message {
            Message::Login(login) => self.login(*login),
            Message::Input(input) if self.is_of_earlier_tables(&input) => {}
            Message::Input(input) => {
                self.pace(&input);
                self.step(*input);
            }
            Message::OfflineLines(lines) => {
                let (lines, set) = *lines;
                self.step(Input::OfflineLines(lines_between(lines, &set, &self.set)));
            }
            Message::EncoderChanged(socket, encoder, profile) => {
                if let Some(handle) = self.sockets.get_mut(socket) {
                    handle.encoder = encoder;
                    self.spans.set_profile(&profile);
                    self.view.change(|client| client.profile = profile);
                    // Its login was counted with another profile.
                    self.group.as_deref().inspect(|group| group.forget_login());
                    self.group();
                }
            }
            Message::Closed(socket, grace) => {
                self.sockets.remove(socket);
                self.view.set_connections(self.sockets.len());
                self.pending.remove(socket);
                self.step(match grace {
                    Some(grace) => Input::FrontClosedByClient { socket, grace },
                    None => Input::FrontClosed(socket),
                });
                self.wait_for_client();
            }
            Message::CallForOther(for_other) => self.request_for(*for_other),
            Message::UpstreamEvent(event) => {
                if let Some(record) = &mut self.record {
                    record.count(&event);
                }
                self.handle_upstream_event(*event);
            }
            Message::Record(event) => self.record_event(*event),
            Message::GiveUp if self.sockets.is_empty() => self.give_up(CutOff::NoRoom),
            Message::GiveUp => {}
            Message::Close => self.give_up(CutOff::ByOperator),
            Message::Watch(viewer) => self.watch(*viewer),
            Message::Unwatch(viewer) => self.unwatch(viewer),
            Message::RecordedFrame(frame) => self.take_recorded(*frame),
        }
    }

    fn handle_upstream_event(&mut self, event: UpstreamEvent) {
        match self.for_others.route(event) {
            Route::Own(event) => self.step(event.into()),
            // An ended session needs no reply.
            Route::Other(requester, event) => drop(requester.deliver(event)),
            Route::Nowhere => {}
        }
    }

    fn login(&mut self, login: Login) {
        let login = match self.record {
            Some(_) => self.restore(login),
            None => Some(login),
        };
        let Some(login) = login else { return };
        let Login {
            call,
            line,
            socket,
            client,
            args,
            attached,
            pending,
            loses_calls: _,
        } = login;
        self.server.grace_sessions.end(self.id);
        self.sockets.insert(call.socket, socket);
        self.show(client);
        self.log.set_client(pending.attempt.client());
        self.pending.insert(call.socket, pending);
        self.step(match attached {
            None => Input::Admitted {
                call,
                verdict: Ok(()),
                line,
                args,
            },
            Some(how) => Input::Attached { call, how, line },
        });
        if self.record.is_some() {
            return;
        }
        let kept = self.server.kept.take(&self.key, &self.set);
        if !kept.is_empty() {
            self.step(Input::OfflineLines(kept));
        }
    }

    fn fire_due(&mut self) {
        let now = self.time.now(&self.server.clock);
        while let Some(key) = self.session.take_due(now) {
            self.step(Input::Timer(key));
        }
    }

    fn step(&mut self, input: Input) {
        if self.over {
            return;
        }
        let mut effects = effects_buffer::take();
        let now = match self.moment {
            Some(moment) => moment,
            None => self.time.now(&self.server.clock),
        };
        self.taps.input(now, &input);
        self.span_input(&input);
        if matches!(input, Input::OfflineLines(_)) {
            self.in_mailbox_file = self.server.has_in_mailbox_file(&self.key);
        }
        self.replied(&input);
        let before = self.record.is_some().then(|| self.session.to_store());
        let begun = self.measures.begin();
        self.session.step(now, input, &mut effects);
        self.translated(begun);
        if let Some(before) = before {
            let to_store = self.session.to_store();
            self.after = (to_store > before).then_some(to_store);
        }
        if self.in_mailbox_file && !self.session.has_lines() {
            self.in_mailbox_file = false;
            self.server.settle_mailbox_file(vec![self.key.clone()]);
        }
        self.held.set(self.session.bytes());
        self.show_step();
        self.note_membership();
        self.set.usage.count(&self.wire, &effects, self.group.as_deref());
        for effect in effects.drain(..) {
            self.apply(effect);
        }
        effects_buffer::put(effects);
        self.after = None;
        self.settle_spans();
        // Replies to a recorded frame follow the whole frame, as in a replay.
        if self.moment.is_none() {
            self.take_later();
        }
    }

    fn take_later(&mut self) {
        while let Some(event) = self.later.pop_front() {
            self.handle_upstream_event(event);
        }
    }

    /// Passes a change of memory pressure to the engine. The session stores less while the memory is full.
    fn press(&mut self) {
        let pressed = self.server.memory.is_full();
        if pressed != self.pressed {
            self.pressed = pressed;
            self.step(Input::Pressed(pressed));
        }
    }

    /// Adds a session without a client to the grace sessions, whose number is limited.
    fn wait_for_client(&self) {
        if self.sockets.is_empty()
            && !self.over
            && let Some(oldest) = self.server.grace_sessions.begin(self.id, self.own_inbox.clone())
        {
            self.server.give_up(&oldest);
        }
    }

    /// Ends the session for a reason that the engine does not know of.
    fn give_up(&mut self, why: CutOff) {
        if self.record.is_none() {
            let lines = self.session.leave_lines();
            if !lines.is_empty() {
                self.apply(Effect::StoreLines(lines));
            }
        }
        self.cut_off = Some(why);
    }

    // Not inlined: the effects of a step use the same part of the stack one after another.
    #[inline(never)]
    fn apply(&mut self, effect: Effect) {
        self.taps.effect(&effect);
        self.span_effect(&effect);
        match effect {
            Effect::Rtm { request, call } => match self.over_channels(&call) {
                // As RTM refuses a join above its own limits.
                true => self.later.push_back(UpstreamEvent::Reply {
                    request,
                    result: Err(JoinChannelErr::ExceedLimit.into()),
                }),
                false => {
                    self.called(request, &call);
                    self.server.upstream.call(&self.client, request, call);
                }
            },
            Effect::RtmVia { request, channel, call } => self.request_by_member(request, &channel, call),
            Effect::Answer { call, ref answer, .. } => {
                self.log_answer(call, answer.failure.as_ref().map(|failure| &*failure.reason));
                self.view.count_call();
                self.send(&effect);
                if call.function == LOGIN {
                    self.pending.remove(call.socket);
                    if answer.failure.is_none() {
                        self.webhook_events.logged_in();
                    }
                }
            }
            Effect::Mailbox { .. } | Effect::Hint { .. } => self.send(&effect),
            Effect::Notify { .. } => {
                self.view.count_event();
                self.send(&effect);
            }
            Effect::Resumed(call) => {
                self.log_answer(call, None);
                self.send(&effect);
                self.pending.remove(call.socket);
            }
            // The session has it.
            Effect::SetTimer { .. } => {}
            Effect::Note { row, code, about } => {
                if self.tables.codes[code].undelivered {
                    self.webhook_events
                        .undelivered(about, self.tables.code_name(code).clone());
                }
                let (row, code) = (&self.tables.rows[row].id, self.tables.code_name(code));
                debug!(
                    session = self.id,
                    row = &**row,
                    code = &**code,
                    "not an exact translation"
                );
                self.view.count_inexact();
                self.server.metrics.note(row, code);
            }
            Effect::Dropped(reason) => {
                let what = reason.name();
                self.log.dropped(what, 1);
                self.server.metrics.dropped(what);
                self.webhook_events.undelivered(None, what);
            }
            Effect::StoreLines(lines) => {
                if let Some(next) = self
                    .server
                    .registry
                    .session(&self.key)
                    .filter(|next| next.id != self.id)
                    && next
                        .inbox
                        .send(Message::OfflineLines(Box::new((lines.clone(), self.set.clone()))))
                        .is_ok()
                {
                    return;
                }
                let lost = self.server.keep(self.key.clone(), lines, &self.set);
                if lost > 0 {
                    self.log.dropped("kept lines", lost);
                    self.webhook_events.undelivered(None, "kept lines");
                }
            }
            Effect::Close(socket) => {
                let closing = match self.session.end_reason() {
                    Some(EndReason::Refused) => Closing::Refused,
                    _ => Closing::Finished,
                };
                if let Some(socket) = self.sockets.remove(socket) {
                    self.view.set_connections(self.sockets.len());
                    let record = self.record.as_mut();
                    if !record.is_some_and(|record| record.hold_close(&socket.out, closing)) {
                        socket.out.close(closing);
                    }
                }
            }
            Effect::End => self.over = true,
        }
    }

    fn end(&mut self, left: VecDeque<Message>) {
        let is_durable = self.record.is_some();
        // A session that is over has stored its lines itself; a session cut off by the shutdown has not.
        if !self.over && !is_durable && self.server.config().mailbox.file.is_some() {
            let lines = self.session.leave_lines();
            if !lines.is_empty() {
                self.apply(Effect::StoreLines(lines));
            }
        }
        if !self.over {
            let now = self.time.now(&self.server.clock);
            self.taps.cut(now);
        }
        self.spans.end();
        let unfinished = self.session.unfinished();
        if !self.over && !is_durable && unfinished > 0 {
            let what = "messages of a session that was cut off";
            self.log.dropped(what, unfinished);
            self.server.metrics.dropped(what);
            self.webhook_events.undelivered(None, what);
        }
        if !self.over {
            // RTM may not end invitations at a logout.
            for call in self.session.leave_calls() {
                self.server.upstream.call(&self.client, 0, call);
            }
        }
        let (now, ending) = (self.time.now(&self.server.clock), self.session.end_reason());
        self.log.ends(now, ending, self.cut_off);
        self.webhook_events.ended(ending);
        self.leave_record();
        // A client whose session continues elsewhere has the same line; the record knows which line is valid.
        let kicked = ending == Some(EndReason::Kicked) && !is_durable;
        self.server.grace_sessions.end(self.id);
        self.server.sessions.remove(self.id);
        self.disarm();
        self.server.registry.remove(&self.key, self.id, kicked, now);
        if let Some(channel) = &self.member_of {
            self.server.members.left(&self.key.0, channel, self.id);
        }
        self.server.upstream.close(&self.client);
        for socket in self.sockets.values() {
            socket.out.close(Closing::Over);
        }
        // A late login gets a closed socket; its client retries.
        for message in left {
            match message {
                Message::Login(login) => login.socket.out.close(Closing::Finished),
                Message::CallForOther(for_other) => {
                    let (request, result) = (for_other.request, Err(GetMembersErr::NotInChannel.into()));
                    for_other.requester.deliver(UpstreamEvent::Reply { request, result });
                }
                _ => {}
            }
        }
        self.server.metrics.sessions.dec();
    }
}

impl Recipient for LiveSession {
    fn take(&mut self, message: Message) {
        let message = match &mut self.record {
            Some(record) => record.wait(message),
            None => Some(message),
        };
        let Some(message) = message else { return };
        self.press();
        self.serve(message);
        self.take_current_tables();
        self.save();
    }

    fn fire_timers(&mut self) {
        self.armed = None;
        self.fire_due();
        self.take_current_tables();
        self.save();
    }

    fn take_tables(&mut self, offer: TableOffer) -> Option<bool> {
        self.take_offered_tables(offer)
    }

    fn rest(&mut self) -> Rest {
        if self.is_done() {
            return Rest::Over;
        }
        self.arm();
        self.full.take().map_or(Rest::Ready, Rest::Full)
    }

    fn finish(&mut self, left: VecDeque<Message>) {
        self.end(left);
    }
}
