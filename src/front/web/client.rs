//! What a Web client says, frame by frame: its login, its calls, its pings.

use std::sync::Arc;

use secrecy::SecretString;

use crate::bridge::{Admission, CallRef, Effect, Input, LOGIN, Session, SocketId};
use crate::ident::{Account, AppId};
use crate::mapping::wire::{FailureForm, Function, Local, Target};
use crate::shell::{Login, Message, Newcomer, Out, Server, SessionHandle, SocketHandle, verdict};
use crate::value::{Text, Value};

use super::args::read_args;
use super::decode::{ClientFrame, decode};
use super::encode;
use super::socket::Accepted;

/// Most lines that one poll fetches.
const MAX_LINES: i64 = 100;

/// The client behind a socket.
pub struct Client {
    server: Arc<Server>,
    socket: SocketId,
    handle: SocketHandle,
    accepted: Accepted,
    session: Option<((AppId, Account), SessionHandle)>,
    /// It has sent a login frame.
    logged_in: bool,
    /// It has sent `set_flag`, as builds do that come back by themselves.
    flagged: bool,
}

impl Client {
    /// A client that has said nothing yet.
    pub fn new(server: Arc<Server>, socket: SocketId, handle: SocketHandle, accepted: Accepted) -> Self {
        Self {
            server,
            socket,
            handle,
            accepted,
            session: None,
            logged_in: false,
            flagged: false,
        }
    }

    /// Its socket.
    pub fn id(&self) -> SocketId {
        self.socket
    }

    /// Where it comes from.
    pub fn peer(&self) -> std::net::IpAddr {
        self.accepted.peer
    }

    /// It has sent a login frame.
    pub fn has_logged_in(&self) -> bool {
        self.logged_in
    }

    /// It comes back by itself when its socket is closed.
    pub fn reconnects(&self) -> bool {
        self.flagged
    }

    /// Its socket is closed: the session that it had.
    pub fn leave(&mut self) -> Option<SessionHandle> {
        let (key, session) = self.session.take()?;
        self.server.registry.socket_closed(&key, self.socket);
        Some(session)
    }

    /// Takes a frame; a ping gives the value of its pong.
    ///
    /// # Errors
    /// It is no frame, and the socket is to be closed.
    pub async fn frame(&mut self, text: &str) -> Result<Option<Value>, ()> {
        match decode(text).map_err(|_| ())? {
            ClientFrame::Login(fields) => self.login(&fields).await,
            ClientFrame::Call { function, id, args } => self.call(&function, id, &args).await,
            ClientFrame::Ping(value) => return Ok(Some(value)),
            ClientFrame::SetFlag => self.flagged = true,
            ClientFrame::Unknown => self.server.metrics.bad_frame("unknown frame"),
        }
        Ok(None)
    }

    async fn login(&mut self, fields: &Value) {
        if self.logged_in {
            // A login while logged in is passed over (signaling-api 4.3).
            self.server.metrics.bad_frame("second login");
            return;
        }
        self.logged_in = true;
        let pending = self.server.logins.begin(self.accepted.peer);
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let Target::Row(row) = &self.server.wire.clone().login.target else {
            return;
        };
        let wire_name = |name: &str| row.args.iter().find(|a| &*a.name == name).and_then(|a| a.wire.clone());
        let value = |name: &str| wire_name(name).map(|wire| field(&wire)).unwrap_or_default();
        let token = value("token").into_text();
        let now = self.server.clock.now();
        let policy = &self.server.config.auth;
        let judged = verdict(policy, &value("appId"), &value("account"), &token, now);
        let call = CallRef {
            socket: self.socket,
            id: 0,
            function: LOGIN,
        };
        let verdict = match judged {
            Ok(verdict) => verdict,
            Err(reason) => {
                self.server.metrics.login("refused");
                return self.refuse_login(call, reason);
            }
        };
        let args = read_args(row, fields).unwrap_or_default();
        let key = (verdict.vid, verdict.account);
        let newcomer = Newcomer {
            socket: self.socket,
            peer: self.accepted.peer,
            accepted: self.accepted.at,
            token: SecretString::from(&*token),
        };
        let twin_window = self.server.config.session.twin_window;
        let create = || self.server.new_session(key.0.clone(), key.1.clone());
        let (admission, session) = self.server.registry.admit(key.clone(), newcomer, twin_window, create);
        let attached = match admission {
            Admission::New | Admission::Replace => None,
            Admission::Twin => Some(false),
            Admission::Resume => Some(true),
        };
        self.server.metrics.login(match admission {
            Admission::New => "new",
            Admission::Twin => "twin",
            Admission::Resume => "resume",
            Admission::Replace => "replace",
        });
        let login = Login {
            call,
            socket: self.handle.clone(),
            args,
            attached,
            pending,
        };
        self.session = Some((key, session));
        self.tell(Message::Login(Box::new(login))).await;
    }

    /// A refusal is the answer of a session that never begins, so it has the form that every login's answer has.
    fn refuse_login(&self, call: CallRef, reason: Text) {
        let nobody = "nobody";
        let Ok(vid) = AppId::new(nobody) else { return };
        let mut session = Session::new(self.server.context(&vid), nobody.into());
        let mut effects = Vec::new();
        let input = Input::Admitted {
            call,
            verdict: Err(reason),
            line: "".into(),
            args: Vec::new(),
        };
        session.step(self.server.clock.now(), input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Answer { answer, .. } => {
                    self.send(encode::login_ret(&self.server.tables, &self.server.wire, &answer));
                }
                Effect::Close(_) => {
                    let _ = self.handle.out.try_send(Out::Close);
                }
                _ => {}
            }
        }
    }

    async fn call(&mut self, name: &str, id: i64, args: &Value) {
        let wire = self.server.wire.clone();
        let Some((key_session, (position, function))) =
            self.session.as_ref().map(|(_, s)| s.id).zip(wire.find(name, args))
        else {
            return self.refuse_call(name, id);
        };
        let call = CallRef {
            socket: self.socket,
            id,
            function: position,
        };
        let line = args.get("line").and_then(Value::as_text);
        let known = line.and_then(|line| self.server.line_key.verify(line).ok());
        if known != Some(key_session) {
            self.server.metrics.bad_frame("wrong line");
            return self.refused(call, function, "wrong line").await;
        }
        match &function.target {
            Target::Row(row) => match read_args(row, args) {
                Ok(args) => {
                    self.tell(Message::Call {
                        call,
                        row: row.row,
                        args,
                    })
                    .await
                }
                Err(reason) => {
                    self.server.metrics.bad_frame(reason);
                    self.refused(call, function, reason).await;
                }
            },
            Target::Local(Local::Ok) => self.send(encode::plain_ret(function.failure, id, Ok(()))),
            Target::Local(Local::MailboxMsgid) => {
                let context = encode::LineContext {
                    account: &"".into(),
                    channel: None,
                    now: self.server.clock.now(),
                };
                self.send(encode::mailbox_ret(&wire, id, 0, &[], context));
            }
            Target::Local(Local::Mailbox) => {
                let int = |name: &str| args.get(name).and_then(Value::as_int);
                let ver_clear = u64::try_from(int("ver_clear").unwrap_or(0)).unwrap_or(0);
                let max = usize::try_from(int("max").unwrap_or(30).clamp(1, MAX_LINES)).unwrap_or(1);
                self.tell(Message::Poll { call, ver_clear, max }).await;
            }
        }
    }

    /// A call before the login, or of no function that we know.
    fn refuse_call(&self, name: &str, id: i64) {
        if self.session.is_none() {
            self.server.metrics.bad_frame("call before login");
            return self.send(encode::plain_ret(FailureForm::Own, id, Err("not login")));
        }
        self.server.metrics.bad_frame("unknown function");
        // Invoked: any name can be, and the object form is what apps read their reason from.
        self.send(encode::plain_ret(
            FailureForm::Invoked,
            id,
            Err(&format!("unknown func {name}")),
        ));
    }

    async fn refused(&self, call: CallRef, function: &Function, reason: &str) {
        match &function.target {
            Target::Row(row) => {
                self.tell(Message::Refused {
                    call,
                    row: row.row,
                    reason: reason.into(),
                })
                .await
            }
            Target::Local(_) => self.send(encode::plain_ret(function.failure, call.id, Err(reason))),
        }
    }

    /// Waits while the session's inbox is full: a client is read no faster than it can be served.
    async fn tell(&self, message: Message) {
        if let Some((_, session)) = &self.session
            && session.inbox.send(message).await.is_err()
        {
            self.handle.kill.cancel();
        }
    }

    fn send(&self, text: String) {
        if self.handle.out.try_send(Out::Frame(text.into())).is_err() {
            self.handle.kill.cancel();
        }
    }
}
