//! A session played again from its records, on their clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::bridge::{CallRef, Effect, Input, LOGIN, Names, Session, SessionContext, SocketId, TimerKey};
use crate::front::args::read_args;
use crate::front::hearing::Hearing;
use crate::front::reading::{Caller, Meaning};
use crate::front::{ClientFrame, nobody};
use crate::mapping::Tables;
use crate::mapping::wire::{Target, Wire};
use crate::rtm::CallKind;
use crate::shell::{Asked, LineContext, Returned, Speech};
use crate::time::Time;
use crate::value::{Text, Value};

use super::env::{self, Begin};
use super::happening::{GRACE, number};
use super::record::{Leg, Record};
use super::used::Used;
use super::{effect, keys, rtm};

mod live;

/// A record that cannot have happened, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Impossible(pub String);

impl From<String> for Impossible {
    fn from(what: String) -> Self {
        Self(what)
    }
}

/// What a session puts out, as records have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Out {
    /// Between whom.
    pub leg: Leg,
    /// The row that it is from.
    pub row: Option<Text>,
    /// What.
    pub data: Value,
}

/// A session at play.
pub struct Player {
    tables: Arc<Tables>,
    speeches: Arc<Vec<Arc<dyn Speech>>>,
    wire: Arc<Wire>,
    account: Text,
    profile: usize,
    context: SessionContext,
    session: Session,
    sockets: HashMap<SocketId, Socket>,
    timers: HashMap<TimerKey, Time>,
    /// Calls that are not answered yet: a reply is read by its call's kind.
    open: HashMap<u64, CallKind>,
    /// What the session wants of others, where that is not played but done.
    wishes: Option<Vec<Effect>>,
    used: Used,
}

struct Socket {
    profile: usize,
    ear: Hearing,
    speech: Arc<dyn Speech>,
    /// What is left of its last text: what follows a login waits until that is admitted.
    rest: VecDeque<Read>,
    /// The fields of its login, until it is admitted.
    login: Value,
    /// The line of its login.
    line: Option<Text>,
}

/// A frame that was read.
enum Read {
    Login(Value),
    Flagged,
    Input(Input),
    /// It is answered without the session.
    Answered(Vec<String>),
}

impl Player {
    /// A session that begins.
    ///
    /// # Errors
    /// The tables do not have its profile.
    pub fn new(
        tables: Arc<Tables>,
        speeches: Arc<Vec<Arc<dyn Speech>>>,
        begin: &Begin,
        names: Arc<dyn Names>,
    ) -> Result<Self, Impossible> {
        let at = tables.profiles.iter().position(|profile| profile.name == begin.profile);
        let profile = at.ok_or_else(|| format!("the tables have no profile `{}`", begin.profile))?;
        let wire = tables.wire(&tables.profiles[profile].family);
        let wire = wire
            .cloned()
            .ok_or_else(|| format!("the tables have no wire of `{}`", begin.profile))?;
        let context = SessionContext {
            tables: tables.clone(),
            wire: wire.clone(),
            names,
            offline_messages: begin.offline_messages,
            can: begin.can(),
            limits: begin.limits,
        };
        Ok(Self {
            session: Session::new(context.clone(), begin.account.clone()),
            context,
            tables,
            speeches,
            wire,
            account: begin.account.clone(),
            profile,
            sockets: HashMap::new(),
            timers: HashMap::new(),
            open: HashMap::new(),
            wishes: None,
            used: Used::default(),
        })
    }

    /// The family of its clients.
    pub fn family(&self) -> &Text {
        &self.wire.family
    }

    /// What it has used of the tables so far.
    pub fn used(&self) -> &Used {
        &self.used
    }

    /// Feeds a record of something that came in; what comes out, in order.
    ///
    /// # Errors
    /// It cannot have happened.
    pub fn feed(&mut self, now: Time, record: &Record) -> Result<Vec<Out>, Impossible> {
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
                    .and_then(|name| keys::parse(name));
                let key = key.ok_or_else(|| format!("{} is no timer that is due", record.data))?;
                match self.timers.remove(&key) {
                    Some(at) if at <= now => self.step(now, Input::Timer(key), &mut out),
                    Some(at) => return Err(format!("the timer {} is due at {at}", keys::name(key)).into()),
                    None => return Err(format!("the timer {} is not set", keys::name(key)).into()),
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

    fn legacy(&mut self, now: Time, data: &Value, out: &mut Vec<Out>) -> Result<(), Impossible> {
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
            self.go_on(now, socket_id(Some(rest))?, out);
            return Ok(());
        }
        let socket = socket_id(data.get("socket"))?;
        let text = data
            .get("frame")
            .and_then(Value::as_text)
            .ok_or("a frame is a text".to_owned())?;
        let known = self.socket(socket);
        let heard = known.ear.hear(text);
        let heard = heard.ok_or_else(|| format!("{text} is no frame of this transport"))?;
        let rest = self.read(now, socket, heard.frames);
        self.socket(socket).rest = rest;
        say(socket, heard.answer, None, out);
        self.go_on(now, socket, out);
        Ok(())
    }

    fn socket(&mut self, socket: SocketId) -> &mut Socket {
        self.sockets.entry(socket).or_insert_with(|| {
            let ear = Hearing::new(self.tables.profiles[self.profile].transport, &self.tables);
            Socket {
                profile: self.profile,
                speech: ear.speech().unwrap_or_else(|| self.speeches[self.profile].clone()),
                ear,
                rest: VecDeque::new(),
                login: Value::Null,
                line: None,
            }
        })
    }

    /// Reads the frames of a socket's text, all before any is served: what is answered at once may be the last response that
    /// others of its batch wait for.
    fn read(&mut self, now: Time, socket: SocketId, frames: Vec<ClientFrame>) -> VecDeque<Read> {
        let known = self.socket(socket);
        let (speech, line) = (known.speech.clone(), known.line.clone());
        let knows = |other: &str| line.as_deref() == Some(other);
        let mut logged_in = line.is_some();
        let mut all = VecDeque::new();
        for frame in frames {
            all.push_back(match frame {
                ClientFrame::Login(fields) => {
                    logged_in = true;
                    Read::Login(fields)
                }
                ClientFrame::SetFlag => Read::Flagged,
                ClientFrame::Subscribe { cid, msgid } => Read::Input(Input::Subscribed { socket, cid, msgid }),
                ClientFrame::Call { function, id, args } => {
                    let caller = Caller {
                        wire: &self.wire,
                        speech: &*speech,
                        socket,
                        now,
                        knows: logged_in.then_some(&knows),
                    };
                    match caller.read(&function, id, &args).meaning {
                        Meaning::Input(input) => Read::Input(input),
                        Meaning::Frames(frames) => Read::Answered(frames),
                        Meaning::Nobody(input) => {
                            let effects = nobody(self.context.clone(), now, input).into_iter();
                            let answers = effects.filter_map(|effect| match effect {
                                Effect::Answer { call, answer, .. } => Some(speech.answer(call, &answer)),
                                _ => None,
                            });
                            Read::Answered(answers.flatten().collect())
                        }
                    }
                }
                ClientFrame::LineLogin(_) | ClientFrame::Ping(_) | ClientFrame::Unknown => continue,
            });
        }
        all
    }

    /// Serves what was read of a socket's text, up to its login.
    fn go_on(&mut self, now: Time, socket: SocketId, out: &mut Vec<Out>) {
        while let Some(read) = self.socket(socket).rest.pop_front() {
            match read {
                Read::Login(fields) => {
                    self.socket(socket).login = fields;
                    return;
                }
                Read::Flagged => self.flagged(socket),
                Read::Input(input) => self.step(now, input, out),
                Read::Answered(frames) => say(socket, frames, None, out),
            }
        }
    }

    fn flagged(&mut self, socket: SocketId) {
        let profile = self.socket(socket).profile;
        if let Some(profile) = self.tables.profiles[profile].flagged {
            let speech = self.speeches[profile].clone();
            let known = self.socket(socket);
            (known.profile, known.speech) = (profile, speech);
        }
    }

    fn rtm(&mut self, data: &Value) -> Result<Input, Impossible> {
        if let Some(event) = data.get("event") {
            return Ok(Input::RtmEvent(rtm::read_event(event)?));
        }
        if let Some(lacks) = data.get("lacks") {
            return Ok(Input::Lacks(env::read_kinds(lacks)?.into()));
        }
        if let Some(Value::Bool(up)) = data.get("up") {
            return Ok(Input::Upstream(*up));
        }
        let request = data
            .get("request")
            .and_then(Value::as_int)
            .and_then(|n| u64::try_from(n).ok());
        let request = request.ok_or_else(|| format!("{data} is neither a reply nor an event"))?;
        let kind = self.open.remove(&request);
        let kind = kind.ok_or_else(|| format!("a reply to the call {request}, which was not made"))?;
        let result = rtm::read_result(kind, data)?;
        Ok(Input::RtmReply { request, result })
    }

    fn env(&mut self, data: &Value) -> Result<Option<Input>, Impossible> {
        if let Some(lines) = data.get("kept") {
            return Ok(Some(Input::Kept(env::read_lines(&self.tables, lines)?)));
        }
        if let Some(call) = data.get("over_rate") {
            let socket = socket_id(call.get("socket"))?;
            let id = call.get("call").and_then(Value::as_int);
            let id = id.ok_or_else(|| format!("{data} does not say which call"))?;
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
                None => Err(format!("{data} is nothing that comes in").into()),
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
                return Err(format!("the socket {} has sent no login", socket.0).into());
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
        let how = env::ATTACH
            .iter()
            .find(|(name, _)| how.as_text().is_some_and(|how| &**how == *name));
        let (_, how) = how.ok_or_else(|| format!("{data} does not say how"))?;
        Ok(Some(Input::Attached { call, how: *how, line }))
    }

    fn step(&mut self, now: Time, input: Input, out: &mut Vec<Out>) {
        let mut effects = Vec::new();
        self.used.enter(&self.tables, &self.wire, &self.account, &input);
        self.session.step(now, input, &mut effects);
        self.used.come(&effects);
        let channel = self.session.channel_name();
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
            if let Some((socket, row, frames)) = self.frames(&effect, context) {
                say(socket, frames, row.map(|row| self.tables.rows[row].id.clone()), out);
            }
            if let Some(wishes) = &mut self.wishes {
                wishes.push(effect);
            }
        }
    }

    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::SetTimer { key, at } => {
                self.timers.insert(*key, *at);
            }
            Effect::Rtm { request, call } | Effect::RtmVia { request, call, .. } => {
                self.open.insert(*request, call.kind());
            }
            Effect::Close(socket) => {
                self.sockets.remove(socket);
            }
            _ => {}
        }
    }

    /// The frames of an effect, for a socket that is there.
    fn frames(&self, effect: &Effect, context: LineContext<'_>) -> Option<(SocketId, Option<usize>, Vec<String>)> {
        let speech = |socket: &SocketId| self.sockets.get(socket).map(|socket| &*socket.speech);
        Some(match effect {
            Effect::Answer { call, row, answer } => {
                (call.socket, Some(*row), speech(&call.socket)?.answer(*call, answer))
            }
            Effect::Mailbox { call, ver_clear, lines } => {
                let asked = Asked {
                    function: &self.wire.function(call.function).name,
                    id: call.id,
                };
                let context = LineContext {
                    channel: None,
                    ..context
                };
                (
                    call.socket,
                    None,
                    speech(&call.socket)?.mailbox(asked, *ver_clear, lines, context),
                )
            }
            Effect::Notify { socket, form, event } => {
                (*socket, Some(event.row), speech(socket)?.notify(*form, event, context))
            }
            Effect::Hint { socket, version } => (*socket, None, speech(socket)?.hint(*version)),
            Effect::Returned(call) => (call.socket, None, speech(&call.socket)?.returned(Returned::Welcome)),
            _ => return None,
        })
    }
}

fn say(socket: SocketId, frames: impl IntoIterator<Item = String>, row: Option<Text>, out: &mut Vec<Out>) {
    for frame in frames {
        let data = vec![
            ("socket".into(), number(socket.0)),
            ("frame".into(), Value::Text(frame.into())),
        ];
        out.push(Out {
            leg: Leg::Legacy,
            row: row.clone(),
            data: Value::Map(data),
        });
    }
}

fn socket_id(data: Option<&Value>) -> Result<SocketId, Impossible> {
    let number = data.and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
    Ok(SocketId(number.ok_or("a socket is a number".to_owned())?))
}
