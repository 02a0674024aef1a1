//! The sidecar without its shell: admission, sessions, the codec; what tasks and sockets do in the program is a queue
//! here.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sigbridge::bridge::{
    self, Admission, CallRef, Effect, Event, Form, Input, LOGIN, Session, SessionContext, SocketId, TimerKey, admit,
};
use sigbridge::front::web::encode::{self, LineContext};
use sigbridge::ident::{LineKey, TokenPolicy};
use sigbridge::mapping::Tables;
use sigbridge::mapping::wire::Wire;
use sigbridge::rtm::{ChannelId, GetMembersErr, RtmCall, RtmError, RtmReply};
use sigbridge::time::Time;
use sigbridge::upstream::embedded::ClientId;
use sigbridge::value::{Text, Value};

/// Numbers of calls that are made for others begin here.
const FOR_OTHERS: u64 = 1 << 63;

/// What the sidecar does to the world around it, in order.
#[derive(Debug)]
pub enum Deed {
    /// A frame for a socket.
    Frame(SocketId, String),
    /// A socket is closed, with a code where the socket itself is at fault.
    Close(SocketId, Option<u16>),
    /// A session calls RTM.
    Rtm(ClientId, u64, RtmCall),
    /// A session is over: its RTM client is logged out and closed.
    Gone(ClientId),
    /// A limitation was noted, or something dropped, for an account.
    Note(Text, &'static str, String),
}

/// The sidecar.
pub struct Bridge {
    pub tables: Arc<Tables>,
    pub wire: Arc<Wire>,
    pub policy: TokenPolicy,
    pub twin_window: Duration,
    pub line_key: LineKey,
    pub sockets: HashMap<SocketId, Socket>,
    pub seats: BTreeMap<u64, Seat>,
    pub deeds: Vec<Deed>,
    context: SessionContext,
    entries: BTreeMap<Text, Entry>,
    next_session: u64,
    /// Calls that members have made for others.
    for_others: Vec<(u64, u64)>,
    /// Lines of accounts that are away.
    kept: BTreeMap<Text, Vec<(Event, Time)>>,
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
    account: Text,
    line: Text,
    timers: Vec<(Time, TimerKey)>,
    sockets: Vec<SocketId>,
}

struct Entry {
    session: u64,
    live: Option<SocketId>,
    peer: IpAddr,
    accepted: Time,
    token: Text,
}

impl Bridge {
    /// A sidecar that nobody has connected to.
    pub fn new(context: SessionContext, wire: Arc<Wire>, policy: TokenPolicy) -> Self {
        Self {
            tables: context.tables.clone(),
            wire,
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
        let resumed = admission == Admission::Resume;
        let input = match admission {
            Admission::New | Admission::Replace => Input::Admitted {
                call,
                verdict: Ok(()),
                line,
                args,
            },
            Admission::Twin | Admission::Resume => Input::Attached { call, resumed, line },
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
                    let text = encode::login_ret(&self.tables, &self.wire, &answer);
                    self.deeds.push(Deed::Frame(call.socket, text));
                }
                Effect::Close(socket) => self.deeds.push(Deed::Close(socket, None)),
                _ => {}
            }
        }
    }

    /// Feeds one input to a session; a session that is over takes none.
    pub fn step(&mut self, now: Time, id: u64, input: Input) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let mut effects = Vec::new();
        seat.session.step(now, input, &mut effects);
        for effect in effects {
            self.apply(now, id, effect);
        }
    }

    fn apply(&mut self, now: Time, id: u64, effect: Effect) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let channel = seat.session.channel_name();
        let context = LineContext {
            account: &seat.account,
            channel: channel.as_ref(),
            now,
        };
        match effect {
            Effect::Rtm { request, call } => self.deeds.push(Deed::Rtm(seat.client, request, call)),
            Effect::RtmVia { request, channel, call } => self.ask_member(now, id, request, &channel, call),
            Effect::Answer { call, answer, .. } => {
                let text = if call.function == LOGIN {
                    encode::login_ret(&self.tables, &self.wire, &answer)
                } else {
                    let function = self.wire.function(call.function);
                    encode::call2_ret(&self.tables, &self.wire, function, call.id, &answer)
                };
                self.deeds.push(Deed::Frame(call.socket, text));
            }
            Effect::Mailbox { call, ver_clear, lines } => {
                let context = LineContext {
                    channel: None,
                    ..context
                };
                let text = encode::mailbox_ret(&self.wire, call.id, ver_clear, &lines, context);
                self.deeds.push(Deed::Frame(call.socket, text));
            }
            Effect::Notify { socket, form, event } => {
                assert!(form != Form::Direct, "the web wire has no direct form");
                let frames = encode::notify(&self.wire, form, &event, context);
                self.deeds
                    .extend(frames.into_iter().map(|text| Deed::Frame(socket, text)));
            }
            Effect::SetTimer { key, at } => {
                seat.timers.retain(|(_, known)| *known != key);
                seat.timers.push((at, key));
            }
            Effect::Note { code, .. } => {
                let note = Deed::Note(seat.account.clone(), "note", self.tables.code_name(code).to_string());
                self.deeds.push(note);
            }
            Effect::Dropped(what) => self
                .deeds
                .push(Deed::Note(seat.account.clone(), "dropped", what.into())),
            Effect::Close(socket) => {
                seat.sockets.retain(|known| *known != socket);
                self.deeds.push(Deed::Close(socket, None));
            }
            Effect::Keep(lines) => {
                let account = seat.account.clone();
                self.kept.insert(account, lines);
            }
            Effect::End => self.end(id),
        }
    }

    /// Has a member of the channel make a call.
    fn ask_member(&mut self, now: Time, asker: u64, request: u64, channel: &ChannelId, call: RtmCall) {
        let is_member = |seat: &&Seat| seat.session.joined_channel() == Some(channel);
        match self.seats.values().find(is_member).map(|seat| seat.client) {
            Some(member) => {
                let number = FOR_OTHERS + self.for_others.len() as u64;
                self.for_others.push((asker, request));
                self.deeds.push(Deed::Rtm(member, number, call));
            }
            None => {
                let result = Err(GetMembersErr::NotInChannel.into());
                self.step(now, asker, Input::RtmReply { request, result });
            }
        }
    }

    /// A reply for the session that has called, or for the one that it has called for.
    pub fn replied(&mut self, now: Time, id: u64, request: u64, result: Result<RtmReply, RtmError>) {
        let index = request.checked_sub(FOR_OTHERS).and_then(|at| usize::try_from(at).ok());
        let (id, request) = index
            .and_then(|at| self.for_others.get(at).copied())
            .unwrap_or((id, request));
        self.step(now, id, Input::RtmReply { request, result });
    }

    fn end(&mut self, id: u64) {
        let Some(seat) = self.seats.remove(&id) else { return };
        if self.entries.get(&seat.account).is_some_and(|entry| entry.session == id) {
            self.entries.remove(&seat.account);
        }
        self.deeds.push(Deed::Gone(seat.client));
        self.deeds
            .extend(seat.sockets.into_iter().map(|socket| Deed::Close(socket, None)));
    }
}
