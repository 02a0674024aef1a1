//! The sidecar without its server: admission, sessions, the codec. The program's tasks and sockets
//! are replaced by a queue.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::{Admission, Attach, Effect, Input, Session, SessionContext, TimerKey, admit};
use identity::{SessionLineKey, TokenPolicy};
use protocol::encoder::{Encoder, Resumed};
use protocol::encoders;
use protocol::event::{CallRef, Event, SocketId};
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm_embedded::ClientId;
use sigbridge::config::Config;
use sigbridge::server::ReplacedLines;
use tables::Tables;
use tables::profile::Transport;
use tables::reason::Reason;
use tables::wire::Wire;
use trace::{Begin, RecordedNames, SessionRecorder};

use super::START;
use super::effects::SimOutput;
use super::recording::Records;

/// The sidecar.
pub struct Bridge {
    pub tables: Arc<Tables>,
    pub(super) encoders: Vec<Arc<dyn Encoder>>,
    pub config: Config,
    pub twin_window: Duration,
    pub line_key: SessionLineKey,
    pub sockets: HashMap<SocketId, Socket>,
    pub running: BTreeMap<u64, SimSession>,
    pub outputs: Vec<SimOutput>,
    /// All recorded inputs and effects of sessions.
    pub(super) records: Arc<Records>,
    /// The frame that is being processed.
    pub(super) current_frame: Option<(SocketId, String)>,
    context: SessionContext,
    pub(super) entries: BTreeMap<Text, Entry>,
    pub(super) replaced: ReplacedLines,
    next_session: u64,
    /// Calls that members have made for others.
    pub(super) for_others: Vec<(u64, u64)>,
    /// Lines of offline accounts.
    pub(super) offline_lines: BTreeMap<Text, Vec<(Event, Time)>>,
}

/// A connection.
pub struct Socket {
    pub transport: Transport,
    /// The profile by position; a default before the login.
    pub profile: usize,
    pub peer: IpAddr,
    pub accepted: Time,
    pub logged_in: bool,
    pub session: Option<u64>,
    pub line: u64,
    /// The client has a Web build without `set_flag`.
    pub old: bool,
}

/// An active session.
pub struct SimSession {
    pub session: Session,
    pub client: ClientId,
    pub wire: Arc<Wire>,
    pub(super) recorder: SessionRecorder,
    pub(super) account: Text,
    pub(super) timers: Vec<(Time, TimerKey)>,
    pub(super) sockets: Vec<SocketId>,
}

pub(super) struct Entry {
    pub(super) session: u64,
    /// The number in its session line.
    pub(super) line: u64,
    live: Option<SocketId>,
    peer: IpAddr,
    accepted: Time,
    family: Text,
    token: Text,
    pub(super) settled: bool,
    loses_calls: bool,
}

impl Bridge {
    /// Creates a sidecar without connections.
    pub fn new(context: SessionContext, policy: TokenPolicy) -> Self {
        Self {
            encoders: encoders(&context.tables).expect("a wire for each profile"),
            tables: context.tables.clone(),
            config: Config {
                auth: policy,
                ..Config::default()
            },
            twin_window: Config::default().session.twin_window,
            line_key: SessionLineKey::new(b"the scenarios' key").expect("long enough"),
            sockets: HashMap::new(),
            running: BTreeMap::new(),
            outputs: Vec::new(),
            records: Arc::default(),
            current_frame: None,
            context,
            entries: BTreeMap::new(),
            replaced: ReplacedLines::default(),
            next_session: 1,
            for_others: Vec::new(),
            offline_lines: BTreeMap::new(),
        }
    }

    /// Returns the profile of a client, by its transport and its login.
    pub fn profile(&self, transport: Transport, login: &Value, old: bool) -> usize {
        let found = self.tables.profile(transport, login).expect("a profile");
        // Treated as the latest build, which sends `set_flag`.
        self.tables.profiles[found].flagged.filter(|_| !old).unwrap_or(found)
    }

    /// Returns the encoder of a socket.
    pub(super) fn encoder(&self, socket: SocketId) -> Arc<dyn Encoder> {
        let profile = self.sockets.get(&socket).map_or(0, |socket| socket.profile);
        self.encoders[profile].clone()
    }

    /// Returns the wire of a socket.
    pub(super) fn wire(&self, socket: SocketId) -> Arc<Wire> {
        let profile = self.sockets.get(&socket).map_or(0, |socket| socket.profile);
        let family = &self.tables.profiles[profile].family;
        self.tables.wire(family).expect("the wire of a profile").clone()
    }

    /// Returns the time of the next session timer.
    pub fn deadline(&self) -> Option<Time> {
        self.running
            .values()
            .flat_map(|sim_session| &sim_session.timers)
            .map(|(at, _)| *at)
            .min()
    }

    /// Runs the expired timers.
    pub fn fire(&mut self, now: Time) {
        for id in self.running.keys().copied().collect::<Vec<_>>() {
            let Some(sim_session) = self.running.get_mut(&id) else {
                continue;
            };
            let (mut expired, later): (Vec<_>, Vec<_>) = sim_session.timers.drain(..).partition(|(at, _)| *at <= now);
            sim_session.timers = later;
            expired.sort_by_key(|(at, _)| *at);
            for (_, key) in expired {
                self.step(now, id, Input::Timer(key));
            }
        }
    }

    /// Returns the session of an RTM client.
    pub fn session_of(&self, client: ClientId) -> Option<u64> {
        self.running
            .iter()
            .find(|(_, sim_session)| sim_session.client == client)
            .map(|(id, _)| *id)
    }

    /// Returns the current session of an account.
    pub fn session_named(&self, account: &str) -> Option<u64> {
        self.entries.get(account).map(|entry| entry.session)
    }

    /// Handles a closed socket; `left`: closed by its client.
    pub fn closed(&mut self, now: Time, socket: SocketId, left: bool) {
        let Some((session, profile)) = self.sockets.remove(&socket).and_then(|s| Some((s.session?, s.profile))) else {
            return;
        };
        let grace = self.tables.profiles[profile].grace.filter(|_| left);
        for entry in self.entries.values_mut().filter(|entry| entry.live == Some(socket)) {
            entry.live = None;
        }
        if let Some(sim_session) = self.running.get_mut(&session) {
            sim_session.sockets.retain(|known| *known != socket);
        }
        self.step(
            now,
            session,
            match grace {
                Some(grace) => Input::FrontClosedByClient { socket, grace },
                None => Input::FrontClosed(socket),
            },
        );
    }

    /// Handles an accepted login. `open` creates an RTM client.
    pub fn login(
        &mut self,
        now: Time,
        call: CallRef,
        (account, token): (Text, Text),
        args: Vec<Value>,
        open: &mut dyn FnMut() -> ClientId,
    ) {
        let Some(socket) = self.sockets.get(&call.socket) else {
            return;
        };
        let (peer, accepted) = (socket.peer, socket.accepted);
        let profile = &self.tables.profiles[socket.profile];
        let profile_loses_calls = profile.loses_calls;
        let window = if profile.twins {
            self.twin_window
        } else {
            Duration::ZERO
        };
        let wire = self.wire(call.socket);
        let known = self.entries.get(&account).map(|entry| engine::Existing {
            live: entry.live.is_some(),
            peer: entry.peer,
            accepted: entry.accepted,
            settled: entry.settled,
            loses_calls: entry.loses_calls,
            same_token: entry.token == token,
            same_family: entry.family == wire.family,
        });
        let admission = admit(known.as_ref(), &engine::LoginAttempt { peer, accepted }, window);
        let (id, line) = match (admission, self.entries.get(&account)) {
            (Admission::Twin, Some(entry)) => (entry.session, entry.line),
            (Admission::Resume | Admission::Reset, Some(entry)) => (entry.session, self.next_session),
            _ => (self.start_session(now, &account, &call, open()), self.next_session),
        };
        self.next_session += 1;
        let entry = Entry {
            session: id,
            line,
            live: Some(call.socket),
            peer,
            accepted,
            family: wire.family.clone(),
            token,
            settled: false,
            loses_calls: profile_loses_calls,
        };
        if let Some(before) = self.entries.insert(account, entry).filter(|before| before.line != line) {
            self.replaced.add(before.line, now);
        }
        if let Some(socket) = self.sockets.get_mut(&call.socket) {
            (socket.session, socket.line) = (Some(id), line);
        }
        let Some(sim_session) = self.running.get_mut(&id) else {
            return;
        };
        sim_session.sockets.push(call.socket);
        let line: Text = self.line_key.issue(line).as_str().into();
        let input = match admission {
            Admission::New | Admission::Replace => Input::Admitted {
                call,
                verdict: Ok(()),
                line,
                args,
            },
            Admission::Twin => Input::Attached {
                call,
                how: Attach::Twin,
                line,
            },
            Admission::Resume => Input::Attached {
                call,
                how: Attach::Resume,
                line,
            },
            Admission::Reset => Input::Attached {
                call,
                how: Attach::Reset,
                line,
            },
        };
        let account = sim_session.account.clone();
        self.step(now, id, input);
        if let Some(lines) = self.offline_lines.remove(&account) {
            self.step(now, id, Input::OfflineLines(lines));
        }
    }

    fn start_session(&mut self, now: Time, account: &Text, call: &CallRef, client: ClientId) -> u64 {
        let id = self.next_session;
        self.next_session += 1;
        let wire = self.wire(call.socket);
        let profile = self.sockets.get(&call.socket).map_or(0, |socket| socket.profile);
        let profile = &self.tables.profiles[profile].name;
        let recorder = SessionRecorder::new(self.records.clone(), self.tables.clone(), START, id);
        let mut context = self.context_of(&wire);
        recorder.at(now);
        recorder.begin(&Begin::of(profile, account, None, &context));
        context.names = Arc::new(RecordedNames::new(context.names, recorder.clone()));
        let sim_session = SimSession {
            session: Session::new(context, account.clone()),
            client,
            wire,
            recorder,
            account: account.clone(),
            timers: Vec::new(),
            sockets: Vec::new(),
        };
        self.running.insert(id, sim_session);
        id
    }

    fn context_of(&self, wire: &Arc<Wire>) -> SessionContext {
        SessionContext {
            wire: wire.clone(),
            ..self.context.clone()
        }
    }

    /// Handles a resume by session line.
    pub fn line_login(&mut self, now: Time, call: CallRef, line: &str) {
        let family = self.wire(call.socket).family.clone();
        let number = self.line_key.verify(line).ok();
        let found = self.entries.values_mut();
        let entry = found
            .filter(|entry| entry.family == family)
            .find(|entry| Some(entry.line) == number);
        let Some(entry) = entry else {
            let was_replaced = number.is_some_and(|number| self.replaced.has(number, now));
            let frames = self.encoder(call.socket).resumed(match was_replaced {
                true => Resumed::Replaced,
                false => Resumed::Unknown,
            });
            self.say(call.socket, frames);
            return self.outputs.push(SimOutput::Close(call.socket, None));
        };
        entry.live = Some(call.socket);
        let id = entry.session;
        if let Some(socket) = self.sockets.get_mut(&call.socket) {
            (socket.session, socket.line) = (Some(id), entry.line);
        }
        let Some(sim_session) = self.running.get_mut(&id) else {
            return;
        };
        sim_session.sockets.push(call.socket);
        let (how, line) = (Attach::BySessionLine, line.into());
        self.step(now, id, Input::Attached { call, how, line });
    }

    /// Refuses a login, with the answer of a session that never starts.
    pub fn refuse_login(&mut self, now: Time, call: CallRef, reason: Reason) {
        let wire = self.wire(call.socket);
        let mut session = Session::new(self.context_of(&wire), "nobody".into());
        let input = Input::Admitted {
            call,
            verdict: Err(reason),
            line: "".into(),
            args: Vec::new(),
        };
        let mut effects = Vec::new();
        session.step(now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Answer { answer, .. } => {
                    let frames = self.encoder(call.socket).answer(call, &answer);
                    self.say(call.socket, frames);
                }
                Effect::Close(socket) => self.outputs.push(SimOutput::Close(socket, None)),
                _ => {}
            }
        }
    }
}
