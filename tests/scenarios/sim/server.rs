//! Decoding of client frames, as in the program's server.

use engine::Input;
use engine::dispatch::{Caller, Dispatch};
use protocol::args::read_args;
use protocol::event::{CallRef, LOGIN, SocketId};
use protocol::web::MAX_FRAME_BYTES;
use protocol::web::decode::decode;
use protocol::{ClientFrame, native};
use rtm::time::Time;
use rtm::value::Value;
use rtm_embedded::ClientId;
use sigbridge::server::authenticate;
use tables::profile::Transport;
use tables::wire::Target;

use super::bridge::Bridge;
use super::effects::SimOutput;

impl Bridge {
    /// Handles a frame of a socket. `open` creates an RTM client for a new session.
    pub fn frame(&mut self, now: Time, socket: SocketId, text: &str, open: &mut dyn FnMut() -> ClientId) {
        let Some(transport) = self.sockets.get(&socket).map(|socket| socket.transport) else {
            return;
        };
        if text.len() > MAX_FRAME_BYTES {
            return self.bad(now, socket, 1009);
        }
        let frame = match transport {
            Transport::Tcp => native::decode(text).map(ClientFrame::from).ok(),
            _ => decode(text).ok(),
        };
        self.current_frame = Some((socket, text.into()));
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
                self.say(socket, self.encoder(socket).pong(&value));
            }
            Some(ClientFrame::SetFlag) => self.settle(socket),
            Some(_) => {}
        }
    }

    /// Marks the client as not racing.
    fn settle(&mut self, socket: SocketId) {
        let session = self.sockets.get(&socket).and_then(|socket| socket.session);
        for entry in self.entries.values_mut().filter(|entry| Some(entry.session) == session) {
            entry.settled = true;
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
        self.outputs.push(SimOutput::Close(socket, Some(code)));
        self.closed(now, socket, false);
    }

    fn login_frame(&mut self, now: Time, id: SocketId, fields: &Value, open: &mut dyn FnMut() -> ClientId) {
        let known = self.sockets.get(&id).map(|socket| (socket.transport, socket.old));
        let Some(profile) = known.map(|(transport, old)| self.profile(transport, fields, old)) else {
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
        match authenticate(&self.config, (&value("appId"), &value("account"), &token), None, now) {
            Err(reason) => self.refuse_login(now, call, reason),
            Ok(verdict) => {
                let args = read_args(row, fields).unwrap_or_default();
                let who = (verdict.account.text().clone(), token);
                self.login(now, call, who, args, open);
            }
        }
    }

    fn call_frame(&mut self, now: Time, socket: SocketId, name: &str, id: i64, args: &Value) {
        let session = self
            .sockets
            .get(&socket)
            .and_then(|known| Some((known.session?, known.line)));
        let is_own_line = |line: &str| self.line_key.verify(line).ok() == session.map(|(_, number)| number);
        let caller = Caller {
            wire: &self.wire(socket),
            encoder: &*self.encoder(socket),
            socket,
            now,
            is_own_line: session.is_some().then_some(&is_own_line),
        };
        let action = caller.read(name, id, args).action;
        if !matches!(action, Dispatch::Input(Input::Poll { .. })) {
            self.settle(socket);
        }
        match action {
            Dispatch::Input(input) => self.step(now, session.expect("the session of the line").0, input),
            Dispatch::Frames(frames) => {
                let sim_session = session.and_then(|(id, _)| self.running.get(&id));
                if let Some((sim_session, (socket, frame))) = sim_session.zip(self.current_frame.take()) {
                    sim_session.recorder.at(now);
                    sim_session.recorder.frame_in(socket, &frame);
                    sim_session.record_frames(socket, &frames);
                }
                self.say(socket, frames);
            }
            Dispatch::BeforeLogin(_) => panic!("no call of a wire of frames"),
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
