//! The sidecar without its shell: admission, sessions, the codec; what tasks and sockets do in the program is a queue
//! here.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sigbridge::bridge::{
    self, Admission, Attach, CallRef, Effect, Event, Input, Session, SessionContext, SocketId, TimerKey, admit,
};
use sigbridge::front::speeches;
use sigbridge::ident::{LineKey, TokenPolicy};
use sigbridge::mapping::Tables;
use sigbridge::mapping::profile::Transport;
use sigbridge::mapping::wire::Wire;
use sigbridge::shell::Speech;
use sigbridge::time::Time;
use sigbridge::upstream::embedded::ClientId;
use sigbridge::value::{Text, Value};

use super::effects::Deed;

/// The sidecar.
pub struct Bridge {
    pub tables: Arc<Tables>,
    pub wire: Arc<Wire>,
    pub(super) speech: Arc<dyn Speech>,
    pub policy: TokenPolicy,
    pub twin_window: Duration,
    pub line_key: LineKey,
    pub sockets: HashMap<SocketId, Socket>,
    pub seats: BTreeMap<u64, Seat>,
    pub deeds: Vec<Deed>,
    context: SessionContext,
    pub(super) entries: BTreeMap<Text, Entry>,
    next_session: u64,
    /// Calls that members have made for others.
    pub(super) for_others: Vec<(u64, u64)>,
    /// Lines of accounts that are away.
    pub(super) kept: BTreeMap<Text, Vec<(Event, Time)>>,
}

/// A connection.
pub struct Socket {
    pub peer: IpAddr,
    pub accepted: Time,
    pub logged_in: bool,
    pub session: Option<u64>,
}

/// A session at work.
pub struct Seat {
    pub session: Session,
    pub client: ClientId,
    pub(super) account: Text,
    pub(super) line: Text,
    pub(super) timers: Vec<(Time, TimerKey)>,
    pub(super) sockets: Vec<SocketId>,
}

pub(super) struct Entry {
    pub(super) session: u64,
    live: Option<SocketId>,
    peer: IpAddr,
    accepted: Time,
    token: Text,
}

impl Bridge {
    /// A sidecar that nobody has connected to.
    pub fn new(context: SessionContext, wire: Arc<Wire>, policy: TokenPolicy) -> Self {
        let tables = &context.tables;
        let profile = tables
            .profile(Transport::WebSocket, &Value::Null)
            .expect("a web profile");
        // As the latest build, which says that it is.
        let profile = tables.profiles[profile].flagged.expect("a later build");
        let speech = speeches(tables).expect("a wire for each profile").swap_remove(profile);
        Self {
            tables: context.tables.clone(),
            wire,
            speech,
            policy,
            twin_window: Duration::from_secs(1),
            line_key: LineKey::new(b"the scenarios' key").expect("long enough"),
            sockets: HashMap::new(),
            seats: BTreeMap::new(),
            deeds: Vec::new(),
            context,
            entries: BTreeMap::new(),
            next_session: 1,
            for_others: Vec::new(),
            kept: BTreeMap::new(),
        }
    }

    /// When the next timer of a session is due.
    pub fn deadline(&self) -> Option<Time> {
        self.seats
            .values()
            .flat_map(|seat| &seat.timers)
            .map(|(at, _)| *at)
            .min()
    }

    /// Fires the timers that are due.
    pub fn fire(&mut self, now: Time) {
        for id in self.seats.keys().copied().collect::<Vec<_>>() {
            let Some(seat) = self.seats.get_mut(&id) else { continue };
            let (mut due, later): (Vec<_>, Vec<_>) = seat.timers.drain(..).partition(|(at, _)| *at <= now);
            seat.timers = later;
            due.sort_by_key(|(at, _)| *at);
            for (_, key) in due {
                self.step(now, id, Input::Timer(key));
            }
        }
    }

    /// The session of an RTM client.
    pub fn session_of(&self, client: ClientId) -> Option<u64> {
        self.seats
            .iter()
            .find(|(_, seat)| seat.client == client)
            .map(|(id, _)| *id)
    }

    /// The session that an account has now.
    pub fn session_named(&self, account: &str) -> Option<u64> {
        self.entries.get(account).map(|entry| entry.session)
    }

    /// A socket is gone.
    pub fn closed(&mut self, now: Time, socket: SocketId) {
        let Some(session) = self.sockets.remove(&socket).and_then(|socket| socket.session) else {
            return;
        };
        for entry in self.entries.values_mut().filter(|entry| entry.live == Some(socket)) {
            entry.live = None;
        }
        if let Some(seat) = self.seats.get_mut(&session) {
            seat.sockets.retain(|known| *known != socket);
        }
        self.step(now, session, Input::FrontClosed(socket));
    }

    /// A login whose account and token are good. `open` makes an RTM client.
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
        let known = self.entries.get(&account).map(|entry| bridge::Existing {
            live: entry.live.is_some(),
            peer: entry.peer,
            accepted: entry.accepted,
            same_token: entry.token == token,
            same_family: true,
        });
        let admission = admit(known.as_ref(), &bridge::Newcomer { peer, accepted }, self.twin_window);
        let id = match (admission, self.entries.get(&account)) {
            (Admission::Twin | Admission::Resume, Some(entry)) => entry.session,
            _ => self.seat(&account, open()),
        };
        let entry = Entry {
            session: id,
            live: Some(call.socket),
            peer,
            accepted,
            token,
        };
        self.entries.insert(account, entry);
        if let Some(socket) = self.sockets.get_mut(&call.socket) {
            socket.session = Some(id);
        }
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.sockets.push(call.socket);
        let line = seat.line.clone();
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
                how: Attach::Again,
                line,
            },
        };
        let account = seat.account.clone();
        self.step(now, id, input);
        if let Some(lines) = self.kept.remove(&account) {
            self.step(now, id, Input::Kept(lines));
        }
    }

    fn seat(&mut self, account: &Text, client: ClientId) -> u64 {
        let id = self.next_session;
        self.next_session += 1;
        let seat = Seat {
            session: Session::new(self.context.clone(), account.clone()),
            client,
            account: account.clone(),
            line: self.line_key.issue(id).as_str().into(),
            timers: Vec::new(),
            sockets: Vec::new(),
        };
        self.seats.insert(id, seat);
        id
    }

    /// A login that is refused is the answer of a session that never begins.
    pub fn refuse_login(&mut self, now: Time, call: CallRef, reason: Text) {
        let mut session = Session::new(self.context.clone(), "nobody".into());
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
                    let frames = self.speech.answer(call, &answer);
                    self.say(call.socket, frames);
                }
                Effect::Close(socket) => self.deeds.push(Deed::Close(socket, None)),
                _ => {}
            }
        }
    }
}
