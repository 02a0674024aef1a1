//! Execution of session effects, as in the program's session tasks.

use engine::{Effect, EndReason, Input};
use protocol::encoder::{LineContext, NamedCall, Resumed};
use protocol::event::{Form, SocketId};
use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, GetMembersErr, RtmCall, RtmError, RtmReply};
use rtm_embedded::ClientId;

use super::bridge::{Bridge, SimSession};

/// First number of calls that are made for others.
const FOR_OTHERS: u64 = 1 << 63;

/// An effect of the sidecar on its environment; effects are executed in order.
#[derive(Debug)]
pub enum SimOutput {
    /// A frame for a socket.
    Frame(SocketId, String),
    /// Close a socket, with a code for a protocol error.
    Close(SocketId, Option<u16>),
    /// An RTM call of a session.
    Rtm(ClientId, u64, RtmCall),
    /// The end of a session: its RTM client is logged out and closed.
    SessionEnded(ClientId),
    /// A noted limitation, or dropped data, of an account.
    Note(Text, &'static str, String),
}

impl Bridge {
    /// Passes one input to a session, unless it has ended.
    pub fn step(&mut self, now: Time, id: u64, input: Input) {
        let Some(sim_session) = self.running.get_mut(&id) else {
            return;
        };
        sim_session.recorder.at(now);
        sim_session.record_input(&input, &mut self.current_frame);
        let mut effects = Vec::new();
        sim_session.session.step(now, input, &mut effects);
        for effect in effects {
            self.apply(now, id, effect);
        }
    }

    fn apply(&mut self, now: Time, id: u64, effect: Effect) {
        let (sockets, encoders) = (&self.sockets, &self.encoders);
        let encoder = |socket: SocketId| &encoders[sockets.get(&socket).map_or(0, |socket| socket.profile)];
        let Some(sim_session) = self.running.get_mut(&id) else {
            return;
        };
        let channel = sim_session.session.channel_name();
        sim_session.recorder.effect(&effect);
        let context = LineContext {
            account: &sim_session.account,
            channel: channel.as_ref(),
            now,
        };
        match effect {
            Effect::Rtm { request, call } => self.outputs.push(SimOutput::Rtm(sim_session.client, request, call)),
            Effect::RtmVia { request, channel, call } => self.ask_member(now, id, request, &channel, call),
            Effect::Answer { call, answer, .. } => {
                let frames = encoder(call.socket).answer(call, &answer);
                sim_session.record_frames(call.socket, &frames);
                self.say(call.socket, frames);
            }
            Effect::Mailbox { call, ver_clear, lines } => {
                let context = LineContext {
                    channel: None,
                    ..context
                };
                let named = NamedCall {
                    function: &sim_session.wire.function(call.function).name,
                    id: call.id,
                };
                let frames = encoder(call.socket).mailbox(named, ver_clear, &lines, context);
                sim_session.record_frames(call.socket, &frames);
                self.say(call.socket, frames);
            }
            Effect::Notify { socket, form, event } => {
                assert!(form != Form::Direct, "no wire has a direct form");
                let frames = encoder(socket).notify(form, &event, context);
                sim_session.record_frames(socket, &frames);
                self.say(socket, frames);
            }
            Effect::Hint { socket, version } => {
                let frames = encoder(socket).hint(version);
                sim_session.record_frames(socket, &frames);
                self.say(socket, frames);
            }
            Effect::Resumed(call) => {
                let frames = encoder(call.socket).resumed(Resumed::Welcome);
                sim_session.record_frames(call.socket, &frames);
                self.say(call.socket, frames);
            }
            Effect::SetTimer { key, at } => {
                sim_session.timers.retain(|(_, known)| *known != key);
                sim_session.timers.push((at, key));
            }
            Effect::Note { code, .. } => {
                let note = SimOutput::Note(
                    sim_session.account.clone(),
                    "note",
                    self.tables.code_name(code).to_string(),
                );
                self.outputs.push(note);
            }
            Effect::Dropped(what) => self.outputs.push(SimOutput::Note(
                sim_session.account.clone(),
                "dropped",
                what.name().into(),
            )),
            Effect::Close(socket) => {
                sim_session.sockets.retain(|known| *known != socket);
                self.outputs.push(SimOutput::Close(socket, None));
            }
            Effect::StoreLines(lines) => {
                let account = sim_session.account.clone();
                match self.session_named(&account).filter(|next| *next != id) {
                    Some(next) => self.step(now, next, Input::OfflineLines(lines)),
                    None => drop(self.offline_lines.insert(account, lines)),
                }
            }
            Effect::End => self.end(now, id),
        }
    }

    pub(super) fn say(&mut self, socket: SocketId, frames: Vec<String>) {
        let frames = frames.into_iter().map(|text| SimOutput::Frame(socket, text));
        self.outputs.extend(frames);
    }

    /// Lets a member of the channel make a call.
    fn ask_member(&mut self, now: Time, asker: u64, request: u64, channel: &ChannelId, call: RtmCall) {
        let is_member = |sim_session: &&SimSession| sim_session.session.joined_channel() == Some(channel);
        match self
            .running
            .values()
            .find(is_member)
            .map(|sim_session| sim_session.client)
        {
            Some(member) => {
                let number = FOR_OTHERS + self.for_others.len() as u64;
                self.for_others.push((asker, request));
                self.outputs.push(SimOutput::Rtm(member, number, call));
            }
            None => {
                let result = Err(GetMembersErr::NotInChannel.into());
                self.step(now, asker, Input::RtmReply { request, result });
            }
        }
    }

    /// Passes a reply to its session, or to the session it was made for.
    pub fn replied(&mut self, now: Time, id: u64, request: u64, result: Result<RtmReply, RtmError>) {
        let index = request.checked_sub(FOR_OTHERS).and_then(|at| usize::try_from(at).ok());
        let (id, request) = index
            .and_then(|at| self.for_others.get(at).copied())
            .unwrap_or((id, request));
        self.step(now, id, Input::RtmReply { request, result });
    }

    fn end(&mut self, now: Time, id: u64) {
        let Some(sim_session) = self.running.remove(&id) else {
            return;
        };
        if self
            .entries
            .get(&sim_session.account)
            .is_some_and(|entry| entry.session == id)
            && let Some(entry) = self.entries.remove(&sim_session.account)
            && sim_session.session.end_reason() == Some(EndReason::Kicked)
        {
            self.replaced.add(entry.line, now);
        }
        self.outputs.push(SimOutput::SessionEnded(sim_session.client));
        self.outputs.extend(
            sim_session
                .sockets
                .into_iter()
                .map(|socket| SimOutput::Close(socket, None)),
        );
    }
}
