//! The task of a session: inbox in, effects out.

mod member_queries;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::debug;

use crate::log::clients::SessionLog;
use crate::webhook::User;
use engine::{Effect, EndReason, Input, Session, SessionContext, TimerKey};
use identity::Account;
use protocol::event::{CallRef, Event, Form, LOGIN, SocketId};
use rtm::AppId;
use rtm::time::Time;
use rtm::upstream::{ClientKey, UpstreamEvent};
use rtm::value::Text;
use rtm::{ChannelId, GetMembersErr};
use tables::Tables;
use tables::row::{Limit, RowId};
use tables::wire::Wire;
use trace::SessionRecorder;

use crate::server::Server;
use crate::server::message::{Login, Message, RecordedItem, SocketHandle};
use crate::server::pending_logins::PendingLogin;
use crate::server::send_queue::{Closing, Outbound};
use crate::server::session_inbox::{Inbox, Recipient, Rest, WeakInbox};
use crate::server::webhook_events::WebhookEvents;
use protocol::encoder::{Encoder, LineContext, NamedCall, Resumed};
use protocol::memory_budget::{MemoryUse, MemoryUser};

use member_queries::FOR_OTHERS;

/// A session and the ends of what it works on.
pub struct LiveSession {
    server: Arc<Server>,
    tables: Arc<Tables>,
    wire: Arc<Wire>,
    key: (AppId, Account),
    id: u64,
    session: Session,
    client: ClientKey,
    sockets: HashMap<SocketId, SocketHandle>,
    /// Logins that are not answered yet.
    pending: HashMap<SocketId, PendingLogin>,
    timers: HashMap<TimerKey, Time>,
    timers_changed: bool,
    /// The timer that is set for its inbox.
    armed: Option<Time>,
    /// The channel that others know this session to be in.
    member_of: Option<ChannelId>,
    /// Calls for others: who waits, and by which number.
    for_others: HashMap<u64, (Inbox, u64)>,
    next_for_others: u64,
    /// What the session has told itself.
    later: VecDeque<UpstreamEvent>,
    own_inbox: WeakInbox,
    /// A connection that must take something before more is done for it.
    full: Option<Arc<Outbound>>,
    held: MemoryUse,
    /// It was told that the memory is full.
    pressed: bool,
    channel: Option<Text>,
    teller: WebhookEvents,
    log: SessionLog,
    /// The moment of the step that is being done.
    now: Time,
    /// The one moment of a text that is recorded.
    moment: Option<Time>,
    /// Where it is recorded.
    tape: Option<SessionRecorder>,
    /// Whether lines of the mailbox file are among the unacknowledged ones.
    spooled: bool,
    over: bool,
    /// It has waited for its client for long enough: there are too many that wait.
    gave_up: bool,
    /// The end of the server waits for it.
    _tracked: TaskTrackerToken,
}

impl LiveSession {
    /// A session that has not begun.
    pub fn new(
        server: Arc<Server>,
        key: (AppId, Account),
        context: SessionContext,
        id: u64,
        client: ClientKey,
        own_inbox: WeakInbox,
    ) -> Self {
        let wire = context.wire.clone();
        let tracked = server.tasks.token();
        let user = User {
            app: key.0.clone(),
            account: key.1.clone(),
            session: id,
        };
        Self {
            teller: WebhookEvents::new(server.clone(), user),
            log: SessionLog::new(id, &server.log.accounts, key.0.as_str(), key.1.as_str()),
            held: server.memory.holds(MemoryUser::Sessions),
            full: None,
            pressed: false,
            tables: server.tables.clone(),
            wire,
            session: Session::new(context, key.1.text().clone()),
            server,
            key,
            id,
            client,
            sockets: HashMap::new(),
            pending: HashMap::new(),
            timers: HashMap::new(),
            timers_changed: false,
            armed: None,
            member_of: None,
            for_others: HashMap::new(),
            next_for_others: FOR_OTHERS,
            later: VecDeque::new(),
            own_inbox,
            channel: None,
            now: Time::default(),
            moment: None,
            tape: None,
            spooled: false,
            over: false,
            gave_up: false,
            _tracked: tracked,
        }
    }

    /// The same, recorded.
    pub fn on(mut self, tape: Option<SessionRecorder>) -> Self {
        self.tape = tape;
        self
    }

    /// Counts it as a session that lives.
    pub fn begin(self) -> Self {
        self.server.metrics.sessions.inc();
        self.server.usage.session();
        self
    }

    fn is_done(&self) -> bool {
        // At the shutdown, sessions without a client end at once.
        self.over || self.gave_up || self.sockets.is_empty() && self.server.shutdown.is_cancelled()
    }

    /// Sets the timer of the inbox. One that comes too early finds nothing due, and is set anew then.
    fn arm(&mut self) {
        if !std::mem::take(&mut self.timers_changed) {
            return;
        }
        let Some(next) = self.timers.values().min().copied() else {
            return;
        };
        if self.armed.is_none_or(|armed| next < armed) {
            let before = self.armed.replace(next);
            self.server.timers.set(self.id, before, Some(next), &self.own_inbox);
        }
    }

    fn serve(&mut self, message: Message) {
        match message {
            Message::Login(login) => self.login(*login),
            Message::Input(input) => {
                self.pace(&input);
                self.step(*input);
            }
            Message::Speaks(socket, encoder) => {
                if let Some(handle) = self.sockets.get_mut(&socket) {
                    handle.encoder = encoder;
                }
            }
            Message::Closed(socket, grace) => {
                self.sockets.remove(&socket);
                self.pending.remove(&socket);
                self.step(match grace {
                    Some(grace) => Input::FrontClosedByClient { socket, grace },
                    None => Input::FrontClosed(socket),
                });
                self.wait_for_client();
            }
            Message::Ask { call, request, asker } => self.ask_for(call, request, asker),
            Message::UpstreamEvent(told) => self.told(*told),
            Message::GiveUp if self.sockets.is_empty() => self.give_up(),
            Message::GiveUp => {}
            Message::RecordedItem {
                socket,
                frame,
                meanings,
            } => self.said(socket, frame.as_str(), meanings),
        }
    }

    /// A text is played again as a whole and at one moment, so it is taken so.
    fn said(&mut self, socket: SocketId, text: &str, meanings: Vec<RecordedItem>) {
        let Some(tape) = &self.tape else { return };
        let now = self.server.clock.now();
        self.moment = Some(now);
        tape.at(now);
        // What the calls in it must wait for is known before it is.
        for meaning in &meanings {
            if let RecordedItem::Message(Message::Input(input)) = meaning {
                self.pace(input);
            }
        }
        let Some(tape) = &self.tape else { return };
        tape.heard(socket, text);
        let mut behind_login = false;
        for meaning in meanings {
            let Some(tape) = &self.tape else { return };
            if std::mem::take(&mut behind_login) {
                tape.rest(socket);
            }
            match meaning {
                RecordedItem::Answered(frames) => frames.iter().for_each(|frame| tape.said(socket, frame, None)),
                RecordedItem::Message(Message::Input(input)) => self.step(*input),
                RecordedItem::Message(message) => {
                    behind_login = matches!(message, Message::Login(_));
                    self.serve(message);
                }
            }
        }
        self.moment = None;
        self.take_later();
    }

    fn told(&mut self, told: UpstreamEvent) {
        match told {
            UpstreamEvent::Reply { request, result } if request >= FOR_OTHERS => {
                if let Some((asker, request)) = self.for_others.remove(&request) {
                    asker.tell(UpstreamEvent::Reply { request, result });
                }
            }
            UpstreamEvent::Reply { request, result } => self.step(Input::RtmReply { request, result }),
            UpstreamEvent::Event(event) => self.step(Input::RtmEvent(event)),
            UpstreamEvent::Up(up) => self.step(Input::Upstream(up)),
            UpstreamEvent::Unsupported(lacks) => self.step(Input::Unsupported(lacks)),
        }
    }

    fn login(&mut self, login: Login) {
        let Login {
            call,
            line,
            socket,
            args,
            attached,
            pending,
        } = login;
        self.server.graces.end(self.id);
        self.sockets.insert(call.socket, socket);
        self.log.comes(pending.attempt.client());
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
        let kept = self.server.kept.take(&self.key);
        if !kept.is_empty() {
            self.step(Input::OfflineLines(kept));
        }
    }

    fn fire_due(&mut self) {
        let now = self.server.clock.now();
        let mut due: Vec<(Time, TimerKey)> = self
            .timers
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, at)| (*at, *key))
            .collect();
        // Of one moment, too: what is tried again keeps its order.
        due.sort();
        for (_, key) in due {
            // The timer before may have set this one anew.
            if self.timers.get(&key).is_some_and(|at| *at <= now) {
                self.timers.remove(&key);
                self.timers_changed = true;
                self.step(Input::Timer(key));
            }
        }
    }

    fn step(&mut self, input: Input) {
        if self.over {
            return;
        }
        let mut effects = Vec::new();
        self.now = self.moment.unwrap_or_else(|| self.server.clock.now());
        if let Some(tape) = &self.tape {
            tape.at(self.now);
            tape.input(&input);
        }
        if matches!(input, Input::OfflineLines(_)) {
            self.spooled = self.server.has_spooled(&self.key);
        }
        self.session.step(self.now, input, &mut effects);
        if self.spooled && !self.session.has_lines() {
            self.spooled = false;
            self.server.settle_spooled(vec![self.key.clone()]);
        }
        self.held.set(self.session.bytes());
        self.channel = self.session.channel_name();
        self.note_membership();
        self.server.usage.count(&self.wire, &effects);
        for effect in effects {
            self.apply(effect);
        }
        // What a text leads to comes behind all of it, as it does when it is played again.
        if self.moment.is_none() {
            self.take_later();
        }
    }

    fn take_later(&mut self) {
        while let Some(told) = self.later.pop_front() {
            self.told(told);
        }
    }

    /// A call that is one too many for its channel is told so before it is made.
    fn pace(&mut self, input: &Input) {
        let Input::Call { call, row, args, .. } = input else {
            return;
        };
        let row = &self.tables.rows[*row];
        if row.limit == Some(Limit::ChannelMessages)
            && let Some(channel) = row.channel.and_then(|at| args.get(at)?.as_text())
            && !self
                .server
                .channel_rates
                .take(&self.key.0, channel, self.server.clock.now())
        {
            self.server.metrics.dropped("messages over a channel's rate");
            let (socket, id) = (call.socket, call.id);
            self.step(Input::OverRate { socket, id });
        }
    }

    /// The session keeps less while the memory is full, and is told so before anything else.
    fn press(&mut self) {
        let pressed = self.server.memory.is_full();
        if pressed != self.pressed {
            self.pressed = pressed;
            self.step(Input::Pressed(pressed));
        }
    }

    /// Without a client the session is one of those that wait: there is room for so many.
    fn wait_for_client(&self) {
        if self.sockets.is_empty()
            && !self.over
            && let Some(oldest) = self.server.graces.begin(self.id, self.own_inbox.clone())
        {
            self.server.give_up(&oldest);
        }
    }

    /// There is no room for all sessions that wait for their clients: this one's grace time is over.
    fn give_up(&mut self) {
        let lines = self.session.leave_lines();
        if !lines.is_empty() {
            self.apply(Effect::StoreLines(lines));
        }
        self.gave_up = true;
    }

    fn apply(&mut self, effect: Effect) {
        if let Some(tape) = &self.tape {
            tape.effect(&effect);
        }
        match effect {
            Effect::Rtm { request, call } => self.server.upstream.call(&self.client, request, call),
            Effect::RtmVia { request, channel, call } => self.ask_member(request, &channel, call),
            Effect::Answer { call, row, answer } => {
                self.log_answer(call, answer.failure.as_ref().map(|failure| &*failure.reason));
                self.say(call.socket, Some(row), |encoder| encoder.answer(call, &answer));
                if call.function == LOGIN {
                    self.pending.remove(&call.socket);
                    if answer.failure.is_none() {
                        self.teller.logged_in();
                    }
                }
            }
            Effect::Mailbox { call, ver_clear, lines } => self.send_lines(call, ver_clear, &lines),
            Effect::Notify { socket, form, event } => self.notify(socket, form, &event),
            Effect::Hint { socket, version } => self.say(socket, None, |encoder| encoder.hint(version)),
            Effect::Resumed(call) => {
                self.log_answer(call, None);
                self.say(call.socket, None, |encoder| encoder.resumed(Resumed::Welcome));
                self.pending.remove(&call.socket);
            }
            Effect::SetTimer { key, at } => {
                self.timers_changed = true;
                self.timers.insert(key, at);
            }
            Effect::Note { row, code, about } => {
                if self.tables.codes[code].undelivered {
                    self.teller.undelivered(about, self.tables.code_name(code).clone());
                }
                let (row, code) = (&self.tables.rows[row].id, self.tables.code_name(code));
                debug!(
                    session = self.id,
                    row = &**row,
                    code = &**code,
                    "not an exact translation"
                );
                self.server.metrics.note(row, code);
            }
            Effect::Dropped(reason) => {
                let what = reason.name();
                self.log.dropped(what, 1);
                self.server.metrics.dropped(what);
                self.teller.undelivered(None, what);
            }
            Effect::StoreLines(lines) => {
                if let Some(next) = self
                    .server
                    .registry
                    .session(&self.key)
                    .filter(|next| next.id != self.id)
                    && next
                        .inbox
                        .send(Message::Input(Box::new(Input::OfflineLines(lines.clone()))))
                        .is_ok()
                {
                    return;
                }
                let lost = self.server.keep(self.key.clone(), lines);
                if lost > 0 {
                    self.log.dropped("kept lines", lost);
                    self.teller.undelivered(None, "kept lines");
                }
            }
            Effect::Close(socket) => {
                let closing = match self.session.end_reason() {
                    Some(EndReason::Refused) => Closing::Refused,
                    _ => Closing::Finished,
                };
                if let Some(socket) = self.sockets.remove(&socket) {
                    socket.out.close(closing);
                }
            }
            Effect::End => self.over = true,
        }
    }

    fn send_lines(&mut self, call: CallRef, ver_clear: u64, lines: &[(u64, Event)]) {
        let wire = self.wire.clone();
        let account = self.key.1.text().clone();
        let context = LineContext {
            account: &account,
            channel: None,
            now: self.now,
        };
        let named = NamedCall {
            function: &wire.function(call.function).name,
            id: call.id,
        };
        self.say(call.socket, None, |encoder| {
            encoder.mailbox(named, ver_clear, lines, context)
        });
    }

    fn notify(&mut self, socket: SocketId, form: Form, event: &Event) {
        let account = self.key.1.text().clone();
        let channel = self.channel.clone();
        let context = LineContext {
            account: &account,
            channel: channel.as_ref(),
            now: self.now,
        };
        self.say(socket, Some(event.row), |encoder| encoder.notify(form, event, context));
    }

    /// What does not fit waits for its connection before the session goes on: whether its client is slow is judged there.
    fn say(&mut self, id: SocketId, row: Option<RowId>, what: impl FnOnce(&dyn Encoder) -> Vec<String>) {
        let Some(socket) = self.sockets.get(&id) else { return };
        for text in what(&*socket.encoder) {
            if let Some(tape) = &self.tape {
                tape.said(id, &text, row);
            }
            if !socket.out.push(text.into()) {
                self.full = Some(socket.out.clone());
            }
        }
    }

    /// Logins and limits are told in the log.
    fn log_answer(&mut self, call: CallRef, refusal: Option<&str>) {
        if call.function != LOGIN {
            return self.log.call_answered(refusal);
        }
        let attempt = self.pending.get_mut(&call.socket).map(|pending| &mut pending.attempt);
        self.log.login_answered(self.server.clock.now(), attempt, refusal);
    }

    fn end(&mut self, left: VecDeque<Message>) {
        // A session that is over has said itself what it left; one that is cut off by the shutdown has not.
        if !self.over && self.server.config.mailbox.file.is_some() {
            let lines = self.session.leave_lines();
            if !lines.is_empty() {
                self.apply(Effect::StoreLines(lines));
            }
        }
        if let Some(tape) = self.tape.as_ref().filter(|_| !self.over) {
            tape.cut(self.server.clock.now());
        }
        let unfinished = self.session.unfinished();
        if !self.over && unfinished > 0 {
            let what = "messages of a session that was cut off";
            self.log.dropped(what, unfinished);
            self.server.metrics.dropped(what);
            self.teller.undelivered(None, what);
        }
        if !self.over {
            // Nobody would end the ringing where RTM does not do so at a logout.
            for call in self.session.leave_calls() {
                self.server.upstream.call(&self.client, 0, call);
            }
        }
        let (now, ending) = (self.server.clock.now(), self.session.end_reason());
        self.log.ends(now, ending, self.gave_up);
        self.teller.ended(ending);
        let kicked = ending == Some(EndReason::Kicked);
        self.server.graces.end(self.id);
        self.server.live.lock().remove(&self.id);
        self.server
            .timers
            .set(self.id, self.armed.take(), None, &self.own_inbox);
        self.server.registry.remove(&self.key, self.id, kicked, now);
        if let Some(channel) = &self.member_of {
            self.server.members.left(&self.key.0, channel, self.id);
        }
        self.server.upstream.close(&self.client);
        for socket in self.sockets.values() {
            socket.out.close(Closing::Over);
        }
        // A login that came too late finds a closed socket, and its client tries again.
        for message in left {
            match message {
                Message::Login(login) => login.socket.out.close(Closing::Finished),
                Message::Ask { request, asker, .. } => {
                    let result = Err(GetMembersErr::NotInChannel.into());
                    asker.tell(UpstreamEvent::Reply { request, result });
                }
                _ => {}
            }
        }
        self.server.metrics.sessions.dec();
    }
}

impl Recipient for LiveSession {
    fn take(&mut self, message: Message) {
        self.press();
        self.serve(message);
    }

    fn fire_timers(&mut self) {
        self.armed = None;
        self.timers_changed = true;
        self.fire_due();
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
