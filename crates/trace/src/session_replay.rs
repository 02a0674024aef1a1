//! Replay of one session from its records, on their clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _};

use engine::dispatch::{Caller, Dispatch};
use engine::pre_login::answer_before_login;
use engine::{Effect, Input, Names, Session, SessionContext};
use protocol::ClientFrame;
use protocol::args::read_args;
use protocol::decoder::Decoder;
use protocol::encoder::{Encoder, LineContext};
use protocol::event::{CallRef, LOGIN, SocketId};
use rtm::CallKind;
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::wire::{Target, Wire};

use crate::event::{GRACE, name_of, number};
use crate::record::{Leg, Record};
use crate::row_usage::Used;
use crate::session_context;
use crate::session_context::Begin;
use crate::{effect, rtm_records, timer_name};

mod live;

/// Reason why a record is impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRecord(pub String);

impl From<String> for InvalidRecord {
    fn from(what: String) -> Self {
        Self(what)
    }
}

/// Output of a session, in record form.
#[derive(Clone, Debug, PartialEq)]
pub struct Out {
    pub leg: Leg,
    pub row: Option<Text>,
    pub data: Value,
}

/// Session during a replay.
pub struct SessionReplay {
    tables: Arc<Tables>,
    encoders: Arc<Vec<Arc<dyn Encoder>>>,
    wire: Arc<Wire>,
    account: Text,
    profile: usize,
    context: SessionContext,
    session: Session,
    sockets: HashMap<SocketId, Socket>,
    /// Open calls: the kind determines the type of the reply.
    open: HashMap<u64, CallKind>,
    /// Requests to others in a live replay.
    requests_to_others: Option<Vec<Effect>>,
    used: Used,
}

struct Socket {
    profile: usize,
    decoder: Decoder,
    encoder: Arc<dyn Encoder>,
    /// The rest of its last text: frames after a login wait until it is admitted.
    rest: VecDeque<DecodedFrame>,
    /// Fields of the login until it is admitted.
    login: Value,
    /// Session line of its login.
    line: Option<Text>,
}

/// A decoded frame.
enum DecodedFrame {
    Login(Value),
    Flagged,
    Input(Input),
    /// It is answered without the session.
    Answered(Vec<String>),
}

impl SessionReplay {
    /// Begins a session.
    ///
    /// # Errors
    /// The profile is unknown.
    pub fn new(
        tables: Arc<Tables>,
        encoders: Arc<Vec<Arc<dyn Encoder>>>,
        begin: &Begin,
        names: Arc<dyn Names>,
    ) -> Result<Self, InvalidRecord> {
        let at = tables.profiles.iter().position(|profile| profile.name == begin.profile);
        let profile = at.ok_or_else(|| format!("unknown profile `{}`", begin.profile))?;
        let wire = tables.wire(&tables.profiles[profile].family);
        let wire = wire
            .cloned()
            .ok_or_else(|| format!("unknown wire `{}`", begin.profile))?;
        let context = SessionContext {
            tables: tables.clone(),
            wire: wire.clone(),
            names,
            offline_messages: begin.offline_messages,
            durable: begin.durable,
            can: begin.can(),
            limits: begin.limits,
        };
        Ok(Self {
            session: Session::new(context.clone(), begin.account.clone()),
            context,
            tables,
            encoders,
            wire,
            account: begin.account.clone(),
            profile,
            sockets: HashMap::new(),
            open: HashMap::new(),
            requests_to_others: None,
            used: Used::default(),
        })
    }

    pub fn family(&self) -> &Text {
        &self.wire.family
    }

    pub fn used(&self) -> &Used {
        &self.used
    }

    /// Feeds a recorded input; returns the outputs, in order.
    ///
    /// # Errors
    /// The input is impossible.
    pub fn feed(&mut self, now: Time, record: &Record) -> Result<Vec<Out>, InvalidRecord> {
        let mut out = Vec::new();
        match record.leg {
            Leg::Legacy => self.legacy(now, &record.data, &mut out)?,
            Leg::Rtm => {
                let input = self.rtm(&record.data)?;
                self.step(now, input, &mut out);
            }
            Leg::Timer => {
                let key = record
                    .data
                    .get("due")
                    .and_then(Value::as_text)
                    .and_then(|name| timer_name::parse(name));
                let key = key.ok_or_else(|| format!("{} is not a fired timer", record.data))?;
                match self.session.take_timer(key) {
                    Some(at) if at <= now => self.step(now, Input::Timer(key), &mut out),
                    Some(at) => return Err(format!("the timer {} is due at {at}", timer_name::name(key)).into()),
                    None => return Err(format!("the timer {} is not set", timer_name::name(key)).into()),
                }
            }
            Leg::Env => {
                if let Some(input) = self.env(&record.data)? {
                    self.step(now, input, &mut out);
                }
            }
            Leg::Http => {}
        }
        Ok(out)
    }

    fn legacy(&mut self, now: Time, data: &Value, out: &mut Vec<Out>) -> Result<(), InvalidRecord> {
        if let Some(closed) = data.get("closed") {
            let socket = socket_id(Some(closed))?;
            self.sockets.remove(&socket);
            let grace = data.get(GRACE).and_then(Value::as_int);
            let grace = grace.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
            let input = grace.map_or(Input::FrontClosed(socket), |grace| Input::FrontClosedByClient {
                socket,
                grace,
            });
            self.step(now, input, out);
            return Ok(());
        }
        if let Some(rest) = data.get("rest") {
            self.serve(now, socket_id(Some(rest))?, out);
            return Ok(());
        }
        let socket = socket_id(data.get("socket"))?;
        let text = data
            .get("frame")
            .and_then(Value::as_text)
            .ok_or("a frame must be a string".to_owned())?;
        let known = self.socket(socket);
        let decoded = known.decoder.decode(text);
        let decoded = decoded.ok_or_else(|| format!("{text} is not a frame of this transport"))?;
        let rest = self.read(now, socket, decoded.frames);
        self.socket(socket).rest = rest;
        push_frames(socket, decoded.answer, None, out);
        self.serve(now, socket, out);
        Ok(())
    }

    fn socket(&mut self, socket: SocketId) -> &mut Socket {
        self.sockets.entry(socket).or_insert_with(|| {
            let decoder = Decoder::new(self.tables.profiles[self.profile].transport, &self.tables);
            Socket {
                profile: self.profile,
                encoder: decoder.encoder().unwrap_or_else(|| self.encoders[self.profile].clone()),
                decoder,
                rest: VecDeque::new(),
                login: Value::Null,
                line: None,
            }
        })
    }

    /// Decodes the frames of a text, all before the first is served: an immediate answer may be the last response that its
    /// batch waits for.
    fn read(&mut self, now: Time, socket: SocketId, frames: Vec<ClientFrame>) -> VecDeque<DecodedFrame> {
        let known = self.socket(socket);
        let (encoder, line) = (known.encoder.clone(), known.line.clone());
        let is_own_line = |other: &str| line.as_deref() == Some(other);
        let mut logged_in = line.is_some();
        let mut all = VecDeque::new();
        for frame in frames {
            all.push_back(match frame {
                ClientFrame::Login(fields) => {
                    logged_in = true;
                    DecodedFrame::Login(fields)
                }
                ClientFrame::SetFlag => DecodedFrame::Flagged,
                ClientFrame::Subscribe { cid, msgid } => DecodedFrame::Input(Input::Subscribed { socket, cid, msgid }),
                ClientFrame::Call { function, id, args } => {
                    let caller = Caller {
                        wire: &self.wire,
                        encoder: &*encoder,
                        socket,
                        now,
                        is_own_line: logged_in.then_some(&is_own_line),
                    };
                    match caller.read(&function, id, &args).action {
                        Dispatch::Input(input) => DecodedFrame::Input(input),
                        Dispatch::Frames(frames) => DecodedFrame::Answered(frames),
                        Dispatch::BeforeLogin(input) => {
                            let effects = answer_before_login(self.context.clone(), now, input).into_iter();
                            let answers = effects.filter_map(|effect| match effect {
                                Effect::Answer { call, answer, .. } => Some(encoder.answer(call, &answer)),
                                _ => None,
                            });
                            DecodedFrame::Answered(answers.flatten().collect())
                        }
                    }
                }
                ClientFrame::LineLogin(_) | ClientFrame::Ping(_) | ClientFrame::Unknown => continue,
            });
        }
        all
    }

    /// Serves the decoded frames of a text up to its login.
    fn serve(&mut self, now: Time, socket: SocketId, out: &mut Vec<Out>) {
        while let Some(read) = self.socket(socket).rest.pop_front() {
            match read {
                DecodedFrame::Login(fields) => {
                    self.socket(socket).login = fields;
                    return;
                }
                DecodedFrame::Flagged => self.flagged(socket),
                DecodedFrame::Input(input) => self.step(now, input, out),
                DecodedFrame::Answered(frames) => push_frames(socket, frames, None, out),
            }
        }
    }

    fn flagged(&mut self, socket: SocketId) {
        let profile = self.socket(socket).profile;
        if let Some(profile) = self.tables.profiles[profile].flagged {
            let encoder = self.encoders[profile].clone();
            let known = self.socket(socket);
            (known.profile, known.encoder) = (profile, encoder);
        }
    }

    fn rtm(&mut self, data: &Value) -> Result<Input, InvalidRecord> {
        if let Some(event) = data.get("event") {
            return Ok(Input::RtmEvent(rtm_records::read_event(event)?));
        }
        if let Some(lacks) = data.get("lacks") {
            return Ok(Input::Unsupported(session_context::read_kinds(lacks)?.into()));
        }
        if let Some(Value::Bool(up)) = data.get("up") {
            return Ok(Input::Upstream(*up));
        }
        let request = data
            .get("request")
            .and_then(Value::as_int)
            .and_then(|n| u64::try_from(n).ok());
        let request = request.ok_or_else(|| format!("{data} is not a reply or an event"))?;
        let kind = self.open.remove(&request);
        let kind = kind.ok_or_else(|| format!("a reply to the unknown call {request}"))?;
        let result = rtm_records::read_result(kind, data)?;
        Ok(Input::RtmReply { request, result })
    }

    fn env(&mut self, data: &Value) -> Result<Option<Input>, InvalidRecord> {
        if let Some(lines) = data.get("kept") {
            return Ok(Some(Input::OfflineLines(session_context::read_lines(
                &self.tables,
                lines,
            )?)));
        }
        if let Some(call) = data.get("over_rate") {
            let socket = socket_id(call.get("socket"))?;
            let id = call.get("call").and_then(Value::as_int);
            let id = id.ok_or_else(|| format!("{data} names no call"))?;
            return Ok(Some(Input::OverRate { socket, id }));
        }
        if let Some(Value::Bool(pressed)) = data.get("pressed") {
            return Ok(Some(Input::Pressed(*pressed)));
        }
        let login = data.get("admitted").map(|data| (data, None));
        let login = login.or_else(|| Some((data.get("attached")?, data.get("attached")?.get("how"))));
        let Some((login, how)) = login else {
            return match data.get("cut").or_else(|| data.get("lost")) {
                Some(_) => Ok(None),
                None => Err(format!("{data} is not an input").into()),
            };
        };
        let socket = socket_id(login.get("socket"))?;
        let line = login.get("line").and_then(Value::as_text).cloned().unwrap_or_default();
        let call = CallRef {
            socket,
            id: 0,
            function: LOGIN,
        };
        let known = self.socket(socket);
        known.line = Some(line.clone());
        let fields = std::mem::take(&mut known.login);
        let Some(how) = how else {
            if fields.is_null() {
                return Err(format!("the socket {} sent no login", socket.0).into());
            }
            let args = match &self.wire.login.target {
                Target::Row(row) => read_args(row, &fields).unwrap_or_default(),
                _ => Vec::new(),
            };
            return Ok(Some(Input::Admitted {
                call,
                verdict: Ok(()),
                line,
                args,
            }));
        };
        let how = session_context::ATTACH
            .iter()
            .find(|(name, _)| how.as_text().is_some_and(|how| &**how == *name));
        let (_, how) = how.ok_or_else(|| format!("{data} has no way of attachment"))?;
        Ok(Some(Input::Attached { call, how: *how, line }))
    }

    fn step(&mut self, now: Time, input: Input, out: &mut Vec<Out>) {
        let mut effects = Vec::new();
        self.used.enter(&self.tables, &self.wire, &self.account, &input);
        self.session.step(now, input, &mut effects);
        self.used.come(&effects);
        let channel = self.session.channel_name().cloned();
        for effect in effects {
            if let Some((leg, data)) = effect::data(&self.tables, &effect) {
                out.push(Out { leg, row: None, data });
            }
            self.note(&effect);
            let context = LineContext {
                account: &self.account,
                channel: channel.as_ref(),
                now,
            };
            if let Some((socket, row)) = effect.recipient()
                && let Some(known) = self.sockets.get(&socket)
            {
                let frames = effect.frames(&*known.encoder, &self.wire, context);
                push_frames(socket, frames, row.map(|row| self.tables.rows[row].id.clone()), out);
            }
            if let Some(requests_to_others) = &mut self.requests_to_others {
                requests_to_others.push(effect);
            }
        }
    }

    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::Rtm { request, call } | Effect::RtmVia { request, call, .. } => {
                self.open.insert(*request, call.kind());
            }
            Effect::Close(socket) => {
                self.sockets.remove(socket);
            }
            _ => {}
        }
    }
}

fn push_frames(socket: SocketId, frames: impl IntoIterator<Item = String>, row: Option<Text>, out: &mut Vec<Out>) {
    for frame in frames {
        let data = vec![
            (name_of("socket"), number(socket.0)),
            (name_of("frame"), Value::Text(frame.into())),
        ];
        out.push(Out {
            leg: Leg::Legacy,
            row: row.clone(),
            data: Value::Map(data),
        });
    }
}

fn socket_id(data: Option<&Value>) -> Result<SocketId, InvalidRecord> {
    let number = data.and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
    Ok(SocketId(number.ok_or("a socket must be a number".to_owned())?))
}
