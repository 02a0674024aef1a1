//! Frames of clients on their way to a session, as the program's front reads them.

use sigbridge::bridge::{CallRef, Input, LOGIN, SocketId};
use sigbridge::front::ClientFrame;
use sigbridge::front::args::read_args;
use sigbridge::front::tcp;
use sigbridge::front::web::MAX_FRAME_BYTES;
use sigbridge::front::web::decode::decode;
use sigbridge::mapping::profile::Transport;
use sigbridge::mapping::wire::{FailureForm, Function, Local, Polls, Target};
use sigbridge::shell::{Asked, LineContext, verdict};
use sigbridge::time::Time;
use sigbridge::upstream::embedded::ClientId;
use sigbridge::value::Value;

use super::bridge::Bridge;
use super::effects::Deed;

/// Most lines that one poll fetches.
const MAX_LINES: i64 = 100;

impl Bridge {
    /// Takes a frame of a socket. `open` makes an RTM client for a session that begins.
    pub fn frame(&mut self, now: Time, socket: SocketId, text: &str, open: &mut dyn FnMut() -> ClientId) {
        let Some(transport) = self.sockets.get(&socket).map(|socket| socket.transport) else {
            return;
        };
        if text.len() > MAX_FRAME_BYTES {
            return self.bad(now, socket, 1009);
        }
        let frame = match transport {
            Transport::Tcp => tcp::decode(text).map(ClientFrame::from).ok(),
            _ => decode(text).ok(),
        };
        match frame {
            None => self.bad(now, socket, 1007),
            Some(ClientFrame::Login(fields)) => self.login_frame(now, socket, &fields, open),
            Some(ClientFrame::LineLogin(line)) => self.line_login_frame(now, socket, &line),
            Some(ClientFrame::Subscribe { cid, msgid }) => {
                if let Some(session) = self.sockets.get(&socket).and_then(|socket| socket.session) {
                    self.step(now, session, Input::Subscribed { socket, cid, msgid });
                }
            }
            Some(ClientFrame::Call { function, id, args }) => self.call_frame(now, socket, &function, id, &args),
            Some(ClientFrame::Ping(value)) => {
                let session = self.sockets.get(&socket).and_then(|socket| socket.session);
                if let Some(session) = session.filter(|_| self.wire(socket).polls == Polls::ThenWhenTold) {
                    self.step(now, session, Input::Alive(socket));
                }
                self.say(socket, self.speech(socket).pong(&value));
            }
            Some(_) => {}
        }
    }

    fn line_login_frame(&mut self, now: Time, id: SocketId, line: &str) {
        let Some(socket) = self.sockets.get_mut(&id).filter(|socket| !socket.logged_in) else {
            return;
        };
        socket.logged_in = true;
        self.line_login(now, login_call(id), line);
    }

    fn bad(&mut self, now: Time, socket: SocketId, code: u16) {
        self.deeds.push(Deed::Close(socket, Some(code)));
        self.closed(now, socket);
    }

    fn login_frame(&mut self, now: Time, id: SocketId, fields: &Value, open: &mut dyn FnMut() -> ClientId) {
        let transport = self.sockets.get(&id).map(|socket| socket.transport);
        let Some(profile) = transport.map(|transport| self.profile(transport, fields)) else {
            return;
        };
        let Some(socket) = self.sockets.get_mut(&id).filter(|socket| !socket.logged_in) else {
            return;
        };
        (socket.logged_in, socket.profile) = (true, profile);
        let wire = self.wire(id);
        let Target::Row(row) = &wire.login.target else { return };
        let wire_name = |name: &str| row.args.iter().find(|a| &*a.name == name).and_then(|a| a.wire.clone());
        let value = |name: &str| {
            let field = wire_name(name).and_then(|wire| fields.get(&wire).cloned());
            field.unwrap_or_default()
        };
        let token = value("token").into_text();
        let call = login_call(id);
        match verdict(&self.policy, &value("appId"), &value("account"), &token, now) {
            Err(reason) => self.refuse_login(now, call, reason),
            Ok(verdict) => {
                let args = read_args(row, fields).unwrap_or_default();
                let who = (verdict.account.text().clone(), token);
                self.login(now, call, who, args, open);
            }
        }
    }

    fn call_frame(&mut self, now: Time, socket: SocketId, name: &str, id: i64, args: &Value) {
        let wire = self.wire(socket);
        let asked = Asked { function: name, id };
        let session = self
            .sockets
            .get(&socket)
            .and_then(|known| Some((known.session?, known.line)));
        let Some((session, number)) = session else {
            return self.say(
                socket,
                self.speech(socket).plain(asked, FailureForm::Own, Err("not login")),
            );
        };
        let Some((position, function)) = wire.find(name, args) else {
            let reason = format!("unknown func {name}");
            return self.say(
                socket,
                self.speech(socket).plain(asked, FailureForm::Invoked, Err(&reason)),
            );
        };
        let call = CallRef {
            socket,
            id,
            function: position,
        };
        let line = args.get("line").and_then(Value::as_text);
        if line.and_then(|line| self.line_key.verify(line).ok()) != Some(number) {
            return self.refused(now, session, call, function, "wrong line");
        }
        match &function.target {
            Target::Row(row) => match read_args(row, args) {
                Ok(args) => {
                    let row = row.row;
                    self.step(now, session, Input::Call { call, row, args });
                }
                Err(reason) => self.refused(now, session, call, function, reason),
            },
            Target::Local(Local::Ok) => self.say(socket, self.speech(socket).plain(asked, function.failure, Ok(()))),
            Target::Local(Local::MailboxMsgid) => {
                let context = LineContext {
                    account: &"".into(),
                    channel: None,
                    now,
                };
                self.say(socket, self.speech(socket).mailbox(asked, 0, &[], context));
            }
            Target::Local(Local::Mailbox) => {
                let int = |name: &str| args.get(name).and_then(Value::as_int);
                let ver_clear = u64::try_from(int("ver_clear").unwrap_or(0)).unwrap_or(0);
                let max = usize::try_from(int("max").unwrap_or(30).clamp(1, MAX_LINES)).unwrap_or(1);
                self.step(now, session, Input::Poll { call, ver_clear, max });
            }
        }
    }

    fn refused(&mut self, now: Time, session: u64, call: CallRef, function: &Function, reason: &str) {
        match &function.target {
            Target::Row(row) => {
                let (row, reason) = (row.row, reason.into());
                self.step(now, session, Input::Refused { call, row, reason });
            }
            Target::Local(_) => {
                let asked = Asked {
                    function: &function.name,
                    id: call.id,
                };
                self.say(
                    call.socket,
                    self.speech(call.socket).plain(asked, function.failure, Err(reason)),
                );
            }
        }
    }
}

fn login_call(socket: SocketId) -> CallRef {
    CallRef {
        socket,
        id: 0,
        function: LOGIN,
    }
}
