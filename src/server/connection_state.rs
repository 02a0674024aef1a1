//! Frames of a client for every transport: login, calls and pings.

mod lines;
mod room;
mod table_use;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::warn;

use crate::log::clients::LoginKind;
use crate::server::limit::Limit;
use crate::server::line_search::LineSearch;
use crate::server::table_set::TableSet;
use crate::server::{
    AuthenticatedLogin, ClientView, Closing, Login, LoginAttempt, Message, NoSession, PendingLogin, RecordedFrame,
    RecordedItem, Server, SessionHandle, SocketHandle, authenticate,
};
use engine::{Admission, Attach, Effect, Input};
use identity::{Account, SessionLine};
use protocol::encoder::Encoder;
use protocol::event::{CallRef, LOGIN, SocketId};
use rtm::AppId;
use rtm::time::Time;
use rtm::value::{Text, Value};
use runtime::log_limit::{Bound, Cause, admits};
use tables::profile::{Profile, Transport};
use tables::reason::Reason;
use tables::wire::{ResumeMode, RowCall, Target, Wire};

use crate::server::connection_state::table_use::{encoder_of, unrecognised};
use engine::dispatch::{Caller, Dispatch, DispatchResult};
use engine::pre_login::answer_before_login;
use protocol::api::{ApiDecoder, without_tokens};
use protocol::args::read_args;
use protocol::decoder::UNKNOWN_FUNCTION;
use protocol::memory_budget::MemoryUser;
use protocol::{ClientFrame, login_field, login_text, without_token};

/// Address, time and origin of an accepted connection.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Address of the client.
    pub peer: IpAddr,
    /// Time of the accept.
    pub at: Time,
    /// Origin of the page that opened the connection; programs have none.
    pub origin: Option<Text>,
}

/// Client of a socket.
pub struct Client {
    server: Arc<Server>,
    /// Tables for its frames: those of its session.
    set: Arc<TableSet>,
    /// Number of the latest tables that need no further attempt to use them.
    generation: u64,
    transport: Transport,
    socket: SocketId,
    handle: SocketHandle,
    accepted: Accepted,
    /// Index of the client profile: an estimate before the login.
    profile: usize,
    wire: Arc<Wire>,
    session: Option<((AppId, Account), SessionHandle)>,
    /// Session line of the login.
    line: Option<SessionLine>,
    /// Set after a login frame.
    logged_in: bool,
    /// Set when the client is known not to be a racing socket.
    settled: bool,
    /// Time limit for a reconnect after the client has closed its socket.
    grace: Option<Duration>,
    /// Decoder and encoder of this connection, for the transport that has one per connection.
    own: Option<ApiDecoder>,
    /// Current text, if it may be recorded.
    current_text: Option<CurrentText>,
    /// True if the session takes the frames of the current text. A viewer may come and leave between two texts only.
    takes_frames: bool,
    /// Search for the session of the client's line.
    search: Option<LineSearch>,
}

/// Text in process.
struct CurrentText {
    text: Utf8Bytes,
    /// Items that the text has produced for the session.
    items: Vec<RecordedItem>,
}

impl Client {
    /// Creates a client before its first frame. Returns `None` if the tables have no profile for the transport.
    pub fn new(
        server: Arc<Server>,
        transport: Transport,
        handle: impl FnOnce(Arc<dyn Encoder>) -> SocketHandle,
        accepted: Accepted,
    ) -> Option<Self> {
        let generation = server.sets.generation();
        let set = server.sets.current();
        let (profile, wire) = unrecognised(&set.tables, transport)?;
        let own = (transport == Transport::Api).then(|| ApiDecoder::new(&set.tables));
        if let Some(own) = &own {
            own.count_in(server.memory.holds(MemoryUser::Requests));
        }
        let handle = handle(encoder_of(own.as_ref(), &set, profile));
        Some(Self {
            socket: server.new_socket(),
            server,
            set,
            generation,
            transport,
            handle,
            accepted,
            profile,
            wire,
            session: None,
            line: None,
            logged_in: false,
            settled: false,
            grace: None,
            own,
            current_text: None,
            takes_frames: false,
            search: None,
        })
    }

    /// Returns the socket ID.
    pub fn id(&self) -> SocketId {
        self.socket
    }

    /// Returns the address of the client.
    pub fn peer(&self) -> IpAddr {
        self.accepted.peer
    }

    /// Reports a received login frame.
    pub fn has_logged_in(&self) -> bool {
        self.logged_in
    }

    /// Returns the number of the session, if there is one.
    pub fn session(&self) -> Option<u64> {
        self.session.as_ref().map(|(_, session)| session.id)
    }

    /// Returns the client profile.
    pub fn profile(&self) -> &Profile {
        &self.set.tables.profiles[self.profile]
    }

    /// Returns the encoder of the client.
    pub fn encoder(&self) -> &dyn Encoder {
        &*self.handle.encoder
    }

    /// Notifies the session of the closed socket.
    pub fn leave(&mut self) {
        if let Some((key, session)) = self.session.take() {
            self.server.registry.socket_closed(&key, self.socket);
            // An ended session needs no notification.
            let _ = session.inbox.send(Message::Closed(self.socket, self.grace));
        }
    }

    /// Records a close by the client.
    pub fn closed_by_client(&mut self) {
        self.grace = self.profile().grace;
    }

    /// Ends a refused login. Returns true if the socket stays open, as some builds require.
    pub fn refused(&mut self) -> bool {
        self.session = None;
        self.profile().refused_stays
    }

    /// Begins the frames of one text. `answer` is the transport's own answer.
    pub fn begins(&mut self, text: Utf8Bytes, answer: Option<&str>) {
        // The text may contain the login to a recorded session.
        self.takes_frames = self
            .session
            .as_ref()
            .is_some_and(|(_, session)| session.view.wants_frames());
        let may_be_recorded = !self.logged_in || self.takes_frames;
        self.current_text = may_be_recorded.then(|| CurrentText {
            text,
            items: answer
                .map(|answer| RecordedItem::Answered(vec![answer.into()]))
                .into_iter()
                .collect(),
        });
    }

    /// Ends the frames of the text. A recorded session takes them at once, because a replay uses whole texts.
    pub fn ends(&mut self) {
        let (Some(CurrentText { text, items }), true) = (self.current_text.take(), self.is_recorded()) else {
            return;
        };
        let Some((_, session)) = self.session.as_ref().filter(|_| !items.is_empty()) else {
            return;
        };
        let text = match self.transport {
            Transport::Api => without_tokens(&self.set.tables, &self.wire, text.as_str()).into(),
            Transport::Tcp | Transport::WebSocket => text,
        };
        let socket = self.socket;
        let frame = RecordedFrame { socket, text, items };
        if session.inbox.send(Message::RecordedFrame(Box::new(frame))).is_err() {
            self.handle.out.close(Closing::Over);
        }
    }

    /// Processes a frame. Returns the value of the pong for a ping.
    // Not inlined: it uses the same part of the stack as the run that follows.
    #[inline(never)]
    pub fn frame(&mut self, frame: ClientFrame) -> Option<Value> {
        if let Some(search) = self.search.as_mut().filter(|_| !matches!(frame, ClientFrame::Ping(_))) {
            search.later(frame);
            return None;
        }
        match frame {
            ClientFrame::Login(fields) => self.login(&fields),
            ClientFrame::LineLogin(line) => self.line_login(&line),
            ClientFrame::Subscribe { cid, msgid } => self.subscribe(cid, msgid),
            ClientFrame::Call { function, id, args } => self.call(&function, id, &args),
            ClientFrame::Ping(value) => {
                self.current_text = None;
                return Some(value);
            }
            ClientFrame::SetFlag => self.flagged(),
            ClientFrame::Unknown => self.server.metrics.bad_frame("unknown frame"),
        }
        None
    }

    fn login(&mut self, fields: &Value) {
        if self.logged_in {
            // A login while logged in is ignored (signaling-api 4.3).
            self.server.metrics.bad_frame("second login");
            return;
        }
        self.logged_in = true;
        self.recognise(fields);
        let mut pending = self.begin_login();
        let wire = self.wire.clone();
        let Target::Row(row) = &wire.login.target else { return };
        let token = login_field(row, fields, "token").into_text();
        let (app, account) = (login_field(row, fields, "appId"), login_field(row, fields, "account"));
        let (shown_app, shown_account) = (app.clone().into_text(), account.clone().into_text());
        pending.attempt.by(&self.profile().name, &shown_app, &shown_account);
        let call = self.login_call();
        let verdict = match self.admit((&app, &account, &token)) {
            Ok(verdict) => verdict,
            Err(reason) => {
                pending.attempt.refused(reason.name());
                return self.refuse_login(call, reason);
            }
        };
        let args = read_args(row, fields).unwrap_or_default();
        let key = (verdict.vid, verdict.account);
        let newcomer = LoginAttempt {
            socket: self.socket,
            peer: self.accepted.peer,
            accepted: self.accepted.at,
            family: wire.family.clone(),
            token: SecretString::from(&*token),
            loses_calls: self.profile().loses_calls,
        };
        let version = self.version(fields);
        let twin_window = if self.profile().twins {
            self.server.config().session.twin_window
        } else {
            Duration::ZERO
        };
        let create = || {
            let (vid, account) = key.clone();
            let shown = self.shown(version.clone());
            self.server
                .new_session(vid, account, &self.set, wire.clone(), self.profile(), shown)
        };
        let (admission, session, line) = self.server.registry.admit(key.clone(), newcomer, twin_window, create);
        if wire.resume_mode == ResumeMode::BySessionLine {
            self.server.remember_line(line, &key);
        }
        let (attached, how) = match admission {
            Admission::New => (None, LoginKind::New),
            Admission::Replace => (None, LoginKind::Replace),
            Admission::Twin => (Some(Attach::Twin), LoginKind::Twin),
            Admission::Resume => (Some(Attach::Resume), LoginKind::Resume),
            Admission::Reset => (Some(Attach::Reset), LoginKind::Resume),
        };
        pending.attempt.to(session.id, how);
        let loses_calls = self.profile().loses_calls;
        if self.adopt(session.set.clone()) {
            self.recognise(fields);
        }
        self.enters(key, session);
        let line = self.server.line_keys.issue(line);
        let text = line.as_str().into();
        self.line = Some(line);
        self.forget_token(row, fields);
        self.enter(Login {
            call,
            line: text,
            socket: self.handle.clone(),
            client: self.shown(version),
            args,
            attached,
            pending,
            loses_calls,
        });
    }

    fn enters(&mut self, key: (AppId, Account), session: SessionHandle) {
        self.takes_frames = session.view.wants_frames();
        // The session may have earlier tables.
        self.generation = 0;
        self.session = Some((key, session));
    }

    /// Returns the client as operators see it.
    fn shown(&self, version: Option<Text>) -> ClientView {
        ClientView {
            profile: self.profile().name.clone(),
            version,
            peer: self.accepted.peer,
            login: self.server.clock.now(),
            channel: None,
        }
    }

    /// Returns the version of the SDK, if the login has one.
    fn version(&self, login: &Value) -> Option<Text> {
        let version = login.get(self.profile().version.as_deref()?)?.as_int()?;
        Some(version.to_string().into())
    }

    /// Verifies a login, and holds it against the limits of this sidecar.
    ///
    /// # Errors
    /// The reason of the refusal.
    fn admit(&self, (app, account, token): (&Value, &Value, &str)) -> Result<AuthenticatedLogin, Reason> {
        let server = &self.server;
        let (config, now) = (server.config(), server.clock.now());
        let over = |limit: Limit| {
            server.metrics.limit_reached(limit);
            let peer = self.accepted.peer;
            if admits("logins over a limit", Bound::EVENT, Cause::from(peer)) {
                warn!(%peer, limit = limit.key(), "login refused: a limit is reached");
            }
            Reason::TooOften
        };
        server
            .rates
            .login_from(&config, self.accepted.peer, now)
            .map_err(over)?;
        let verdict = authenticate(
            &config,
            (app, account, token),
            self.accepted.origin.as_deref(),
            server.clock.wall(),
        )?;
        if config.is_sunset(&verdict.vid, &self.profile().name, server.clock.wall()) {
            return Err(Reason::Sunset);
        }
        let key = (verdict.vid.clone(), verdict.account.clone());
        server.rates.login_of(&config, &key, now).map_err(over)?;
        if !server.registry.has_room(&key, config.app_limits(&key.0).sessions) {
            return Err(over(Limit::AppSessions));
        }
        Ok(verdict)
    }

    /// A recording never contains tokens.
    fn forget_token(&mut self, row: &RowCall, fields: &Value) {
        if let Some(current) = self.current_text.as_mut()
            && self.transport != Transport::Api
        {
            current.text = login_text(self.transport, &without_token(row, fields)).into();
        }
    }

    fn line_login(&mut self, line: &str) {
        if self.logged_in {
            self.server.metrics.bad_frame("second login");
            return;
        }
        self.logged_in = true;
        let pending = self.begin_login();
        let number = self.server.line_keys.verify(line).map_err(|_| NoSession::Unknown);
        let found = number.and_then(|number| {
            let (registry, now) = (&self.server.registry, self.server.clock.now());
            let (key, session) = registry.by_line(number, &self.wire.family, (self.socket, self.accepted.peer), now)?;
            // The client then logs in anew, and gets the reason.
            let (config, wall) = (self.server.config(), self.server.clock.wall());
            let is_sunset = config.is_sunset(&key.0, &self.profile().name, wall);
            (!is_sunset).then_some((key, session, number)).ok_or(NoSession::Unknown)
        });
        match found {
            Ok((key, session, number)) => self.line_found(line, number, (key, session), pending),
            Err(NoSession::Unknown) => match &self.server.redis {
                Some(redis) => self.search = Some(LineSearch::begin(&self.server, redis, line, pending)),
                None => self.no_line(NoSession::Unknown, pending),
            },
            Err(NoSession::Replaced) => self.no_line(NoSession::Replaced, pending),
        }
    }

    /// Selects the flagged profile, if the profile has one.
    fn flagged(&mut self) {
        if let Some(profile) = self.profile().flagged {
            self.profile = profile;
            self.handle.encoder = self.set.encoders[profile].clone();
            let name = self.profile().name.clone();
            self.send_to_session(Message::EncoderChanged(self.socket, self.handle.encoder.clone(), name));
        }
        self.settle();
    }

    /// Records that the client is no racing socket, with its current profile.
    fn settle(&mut self) {
        if let Some((key, session)) = &self.session {
            self.settled = true;
            self.server
                .registry
                .settled(key, session.id, self.profile().loses_calls);
        }
    }

    fn subscribe(&mut self, cid: u64, msgid: u64) {
        if self.session.is_none() {
            self.server.metrics.bad_frame("call before login");
        }
        let socket = self.socket;
        self.send_to_session(Message::Input(Box::new(Input::Subscribed { socket, cid, msgid })));
    }

    fn begin_login(&self) -> PendingLogin {
        let attempt = self.server.log.begin(self.accepted.peer);
        self.server.logins.begin(self.accepted.peer, attempt)
    }

    fn login_call(&self) -> CallRef {
        CallRef {
            socket: self.socket,
            id: 0,
            function: LOGIN,
        }
    }

    fn enter(&mut self, login: Login) {
        self.send_to_session(Message::Login(Box::new(login)));
    }

    /// Refuses the login. The refusal has the form of every login answer.
    fn refuse_login(&mut self, call: CallRef, reason: Reason) {
        let input = Input::Admitted {
            call,
            verdict: Err(reason),
            line: "".into(),
            args: Vec::new(),
        };
        self.answer_before_login_call(input, Closing::Refused);
    }

    fn answer_before_login_call(&mut self, input: Input, end: Closing) {
        let Ok(vid) = AppId::new("nobody") else { return };
        let context = self.server.context(&vid, &self.set, self.wire.clone());
        let effects = answer_before_login(context, self.server.clock.now(), input);
        self.set.usage.count(&self.wire, &effects, None);
        for effect in effects {
            match effect {
                Effect::Answer { call, answer, .. } => self.answer(self.encoder().answer(call, &answer)),
                Effect::End => self.handle.out.close(end),
                _ => {}
            }
        }
    }

    /// Answers without the session. A recorded session still records the answer.
    fn answer(&mut self, frames: Vec<String>) {
        if let Some(current) = self.current_text.as_mut()
            && !frames.is_empty()
        {
            current.items.push(RecordedItem::Answered(frames.clone()));
        }
        self.send(frames);
    }

    fn call(&mut self, name: &str, id: i64, args: &Value) {
        let DispatchResult { action, bad } = self.read(name, id, args);
        // Racing sockets send polls only.
        if !self.settled && !matches!(action, Dispatch::Input(Input::Poll { .. })) {
            self.settle();
        }
        if let Some(bad) = bad {
            self.server.metrics.bad_frame(bad);
        }
        if bad == Some(UNKNOWN_FUNCTION) {
            self.set.usage.unknown();
        }
        match action {
            Dispatch::Input(input) => self.send_to_session(Message::Input(Box::new(input))),
            Dispatch::Frames(frames) => self.answer(frames),
            Dispatch::BeforeLogin(input) => self.answer_before_login_call(input, Closing::Finished),
        }
    }

    fn read(&self, name: &str, id: i64, args: &Value) -> DispatchResult {
        let is_own_line = |text: &str| self.line.as_ref().is_some_and(|line| line.is(text));
        let caller = Caller {
            wire: &self.wire,
            encoder: self.encoder(),
            socket: self.socket,
            now: self.server.clock.now(),
            is_own_line: self.session.is_some().then_some(&is_own_line),
        };
        caller.read(name, id, args)
    }

    fn send_to_session(&mut self, message: Message) {
        if self.is_recorded()
            && let Some(current) = self.current_text.as_mut()
        {
            return current.items.push(RecordedItem::Message(message));
        }
        if let Some((_, session)) = &self.session
            && session.inbox.send(message).is_err()
        {
            self.handle.out.close(Closing::Over);
        }
    }

    fn is_recorded(&self) -> bool {
        self.takes_frames && self.session.is_some()
    }

    fn send(&self, frames: Vec<String>) {
        // A full queue needs no check: the next read is after the write.
        for text in frames {
            self.handle.out.push(text);
        }
    }
}
