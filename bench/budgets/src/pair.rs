//! Two clients with their sessions on one RTM service, without sockets and time.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use engine::dispatch::{Caller, Dispatch};
use engine::{AppNames, Effect, Input, Session, SessionContext, SessionLimits};
use identity::{SessionLine, SessionLineKey};
use protocol::ClientFrame;
use protocol::args::read_args;
use protocol::client::repl::ReplInput;
use protocol::client::{LegacyClient, Login, Output as ClientOutput};
use protocol::encoder::{Encoder, LineContext};
use protocol::event::{CallRef, LOGIN, SocketId};
use protocol::web::decode::decode;
use rtm::time::Time;
use rtm::upstream::UpstreamEvent;
use rtm::value::Value;
use rtm::{AppId, GetMembersErr};
use rtm_embedded::{ClientId, RtmService, RtmServiceConfig};
use tables::Tables;
use tables::profile::Transport;
use tables::wire::{Target, Wire};

/// Accounts of the clients.
const ACCOUNTS: [&str; 2] = ["alice", "bob"];
/// Time of all calls.
const START: Time = Time::from_millis(1_700_000_000_000);
/// Time between calls: RTM limits some rates.
const APART: Duration = Duration::from_secs(10);

/// Effects of the sessions, with the number of the client.
type Effects = Vec<(usize, Effect)>;

/// Two logged-in clients.
pub struct Pair {
    wire: Arc<Wire>,
    encoder: Arc<dyn Encoder>,
    service: RtmService,
    clients: Vec<Participant>,
    now: Time,
}

struct Participant {
    client: LegacyClient,
    session: Session,
    rtm: ClientId,
    line: SessionLine,
}

impl Participant {
    fn context(&self, now: Time) -> LineContext<'_> {
        LineContext {
            account: self.session.account(),
            channel: None,
            now,
        }
    }
}

impl Pair {
    /// Logs both clients in.
    ///
    /// # Errors
    /// The tables have no wire for Web clients.
    pub fn new(tables: &Arc<Tables>) -> Result<Self> {
        let profile = tables
            .profile(Transport::WebSocket, &Value::Null)
            .context("no Web profile")?;
        let wire = tables
            .wire(&tables.profiles[profile].family)
            .context("no wire")?
            .clone();
        let encoders = protocol::encoders(tables).context("a profile without a wire")?;
        let app = AppId::new("app")?;
        let context = |wire: &Arc<Wire>| SessionContext {
            tables: tables.clone(),
            wire: wire.clone(),
            names: Arc::new(AppNames {
                app: app.clone(),
                numbers: Arc::default(),
            }),
            offline_messages: false,
            durable: false,
            can: Arc::new(|_| true),
            limits: SessionLimits::default(),
        };
        let mut service = RtmService::new(RtmServiceConfig::default());
        let key = SessionLineKey::new(b"key of the measured session lines").context("the key is too short")?;
        let participant = |(number, account): (u64, &&str)| Participant {
            client: LegacyClient::new(
                tables.clone(),
                wire.clone(),
                Login {
                    vid: "app".into(),
                    account: (*account).into(),
                    token: "_no_need_token".into(),
                },
            ),
            session: Session::new(context(&wire), (*account).into()),
            rtm: service.open(),
            line: key.issue(number),
        };
        let clients = (0..).zip(&ACCOUNTS).map(participant).collect();
        let mut pair = Self {
            encoder: encoders[profile].clone(),
            wire,
            service,
            clients,
            now: START,
        };
        for number in 0..ACCOUNTS.len() {
            pair.login(number)?;
        }
        Ok(pair)
    }

    /// Makes a call, `alice: name arguments`, and processes all that follows from it. `boundary` is called before the
    /// first stage and after each stage.
    ///
    /// # Errors
    /// The call is not valid.
    pub fn call(&mut self, text: &str, boundary: &mut dyn FnMut()) -> Result<()> {
        let (account, call) = text
            .split_once(": ")
            .with_context(|| format!("no account in `{text}`"))?;
        let number = ACCOUNTS.iter().position(|known| *known == account);
        let number = number.with_context(|| format!("unknown account `{account}`"))?;
        let client = &mut self.clients[number].client;
        let (_, frame) = match ReplInput::read(call, client.catalog())? {
            ReplInput::Call { name, args } => client.call(&name, &args)?,
            ReplInput::Function { name, args } => client.invoke(&name, args)?,
            _ => bail!("`{call}` is not a call"),
        };
        self.now = self.now + APART;
        boundary();
        let frame = black_box(decode(&frame)?);
        boundary();
        let effects = black_box(self.frame(number, frame)?);
        boundary();
        let frames = black_box(self.encode(&effects));
        boundary();
        self.receive(frames)
    }

    fn login(&mut self, number: usize) -> Result<()> {
        let login = self.clients[number].client.connected();
        let Some(ClientOutput::Send(frame)) = login.first() else {
            bail!("no login frame");
        };
        let ClientFrame::Login(fields) = decode(frame)? else {
            bail!("`{frame}` is not a login");
        };
        let Target::Row(row) = &self.wire.login.target else {
            bail!("the login has no row");
        };
        let args = read_args(row, &fields).map_err(|reason| anyhow::anyhow!("{reason:?}"))?;
        let input = Input::Admitted {
            call: CallRef {
                socket: socket(number),
                id: 0,
                function: LOGIN,
            },
            verdict: Ok(()),
            line: self.clients[number].line.as_str().into(),
            args,
        };
        let effects = self.run(number, input);
        let frames = self.encode(&effects);
        self.receive(frames)
    }

    /// Processes a frame of a client.
    fn frame(&mut self, number: usize, frame: ClientFrame) -> Result<Effects> {
        let ClientFrame::Call { function, id, args } = frame else {
            bail!("not a call");
        };
        let line = &self.clients[number].line;
        let caller = Caller {
            wire: &self.wire,
            encoder: &*self.encoder,
            socket: socket(number),
            now: self.now,
            is_own_line: Some(&|given: &str| line.is(given)),
        };
        match caller.read(&function, id, &args).action {
            Dispatch::Input(input) => Ok(self.run(number, input)),
            Dispatch::Frames(_) | Dispatch::BeforeLogin(_) => bail!("`{function}` has no row"),
        }
    }

    /// Runs a session with an input, then all sessions with the replies and events of RTM, until none is left.
    fn run(&mut self, number: usize, input: Input) -> Effects {
        let mut inputs = VecDeque::from([(number, input)]);
        let (mut shown, mut effects, mut outputs) = (Effects::new(), Vec::new(), Vec::new());
        while let Some((number, input)) = inputs.pop_front() {
            self.clients[number].session.step(self.now, input, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Rtm { request, call } => {
                        let rtm = self.clients[number].rtm;
                        self.service.call(self.now, rtm, request, call, &mut outputs);
                    }
                    Effect::RtmVia { request, .. } => {
                        let result = Err(GetMembersErr::NotInChannel.into());
                        inputs.push_back((number, Input::RtmReply { request, result }));
                    }
                    effect => shown.push((number, effect)),
                }
            }
            for output in outputs.drain(..) {
                let (rtm, event) = output.into_event();
                let Some(to) = self.clients.iter().position(|client| client.rtm == rtm) else {
                    continue;
                };
                match event {
                    UpstreamEvent::Reply { request, result } => {
                        inputs.push_back((to, Input::RtmReply { request, result }));
                    }
                    UpstreamEvent::Event(event) => inputs.push_back((to, Input::RtmEvent(event))),
                    UpstreamEvent::Up(_) | UpstreamEvent::Unsupported(_) => {}
                }
            }
        }
        shown
    }

    /// Encodes the frames of effects.
    fn encode(&self, effects: &Effects) -> Vec<(usize, Vec<String>)> {
        let mut all = Vec::with_capacity(effects.len());
        for (number, effect) in effects {
            let client = &self.clients[*number];
            let context = client.context(self.now);
            let frames = match effect {
                Effect::Answer { call, answer, .. } => self.encoder.answer(*call, answer),
                Effect::Notify { form, event, .. } => {
                    let channel = client.session.channel_name();
                    self.encoder.notify(*form, event, LineContext { channel, ..context })
                }
                Effect::Hint { version, .. } => self.encoder.hint(*version),
                Effect::Mailbox { call, ver_clear, lines } => {
                    let named = protocol::encoder::NamedCall {
                        function: &self.wire.function(call.function).name,
                        id: call.id,
                    };
                    self.encoder.mailbox(named, *ver_clear, lines, context)
                }
                _ => continue,
            };
            all.push((*number, frames));
        }
        all
    }

    /// Passes frames to the clients, and the frames that they send in reply to the sessions.
    fn receive(&mut self, frames: Vec<(usize, Vec<String>)>) -> Result<()> {
        let mut left = VecDeque::from(frames);
        while let Some((number, frames)) = left.pop_front() {
            for frame in frames {
                for output in self.clients[number].client.frame(&frame, self.now) {
                    let ClientOutput::Send(text) = output else { continue };
                    let frame = decode(&text)?;
                    if !matches!(frame, ClientFrame::Call { .. }) {
                        continue;
                    }
                    let effects = self.frame(number, frame)?;
                    left.extend(self.encode(&effects));
                }
            }
        }
        Ok(())
    }
}

fn socket(number: usize) -> SocketId {
    SocketId(number as u64 + 1)
}
