//! Execution of session effects, as in the program's session tasks.

use engine::{Effect, EndReason, Input};
use protocol::encoder::Resumed;
use protocol::encoder::{LineContext, NamedCall};
use protocol::event::{Form, SocketId};
use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, GetMembersErr, RtmCall, RtmError, RtmReply};
use rtm_embedded::ClientId;

use super::bridge::{Bridge, Seat};

/// First number of calls that are made for others.
const FOR_OTHERS: u64 = 1 << 63;

/// An effect of the sidecar on its environment; effects are executed in order.
#[derive(Debug)]
pub enum Deed {
    /// A frame for a socket.
    Frame(SocketId, String),
    /// Close a socket, with a code for a protocol error.
    Close(SocketId, Option<u16>),
    /// An RTM call of a session.
    Rtm(ClientId, u64, RtmCall),
    /// The end of a session: its RTM client is logged out and closed.
    Gone(ClientId),
    /// A noted limitation, or dropped data, of an account.
    Note(Text, &'static str, String),
}

impl Bridge {
    /// Passes one input to a session, unless it has ended.
    pub fn step(&mut self, now: Time, id: u64, input: Input) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.tape.at(now);
        seat.taped(&input, &mut self.hearing);
        let mut effects = Vec::new();
        seat.session.step(now, input, &mut effects);
        for effect in effects {
            self.apply(now, id, effect);
        }
    }

    fn apply(&mut self, now: Time, id: u64, effect: Effect) {
        let (sockets, encoders) = (&self.sockets, &self.encoders);
        let encoder = |socket: SocketId| &encoders[sockets.get(&socket).map_or(0, |socket| socket.profile)];
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let channel = seat.session.channel_name();
        seat.tape.effect(&effect);
        let context = LineContext {
            account: &seat.account,
            channel: channel.as_ref(),
            now,
        };
        match effect {
            Effect::Rtm { request, call } => self.deeds.push(Deed::Rtm(seat.client, request, call)),
            Effect::RtmVia { request, channel, call } => self.ask_member(now, id, request, &channel, call),
            Effect::Answer { call, answer, .. } => {
                let frames = encoder(call.socket).answer(call, &answer);
                seat.taped_frames(call.socket, &frames);
                self.say(call.socket, frames);
            }
            Effect::Mailbox { call, ver_clear, lines } => {
                let context = LineContext {
                    channel: None,
                    ..context
                };
                let named = NamedCall {
                    function: &seat.wire.function(call.function).name,
                    id: call.id,
                };
                let frames = encoder(call.socket).mailbox(named, ver_clear, &lines, context);
                seat.taped_frames(call.socket, &frames);
                self.say(call.socket, frames);
            }
            Effect::Notify { socket, form, event } => {
                assert!(form != Form::Direct, "no wire has a direct form");
                let frames = encoder(socket).notify(form, &event, context);
                seat.taped_frames(socket, &frames);
                self.say(socket, frames);
            }
            Effect::Hint { socket, version } => {
                let frames = encoder(socket).hint(version);
                seat.taped_frames(socket, &frames);
                self.say(socket, frames);
            }
            Effect::Resumed(call) => {
                let frames = encoder(call.socket).returned(Resumed::Welcome);
                seat.taped_frames(call.socket, &frames);
                self.say(call.socket, frames);
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
                match self.session_named(&account).filter(|next| *next != id) {
                    Some(next) => self.step(now, next, Input::Kept(lines)),
                    None => drop(self.kept.insert(account, lines)),
                }
            }
            Effect::End => self.end(now, id),
        }
    }

    pub(super) fn say(&mut self, socket: SocketId, frames: Vec<String>) {
        let frames = frames.into_iter().map(|text| Deed::Frame(socket, text));
        self.deeds.extend(frames);
    }

    /// Lets a member of the channel make a call.
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

    /// Passes a reply to its session, or to the session it was made for.
    pub fn replied(&mut self, now: Time, id: u64, request: u64, result: Result<RtmReply, RtmError>) {
        let index = request.checked_sub(FOR_OTHERS).and_then(|at| usize::try_from(at).ok());
        let (id, request) = index
            .and_then(|at| self.for_others.get(at).copied())
            .unwrap_or((id, request));
        self.step(now, id, Input::RtmReply { request, result });
    }

    fn end(&mut self, now: Time, id: u64) {
        let Some(seat) = self.seats.remove(&id) else { return };
        if self.entries.get(&seat.account).is_some_and(|entry| entry.session == id)
            && let Some(entry) = self.entries.remove(&seat.account)
            && seat.session.ending() == Some(EndReason::Kicked)
        {
            self.replaced.add(entry.line, now);
        }
        self.deeds.push(Deed::Gone(seat.client));
        self.deeds
            .extend(seat.sockets.into_iter().map(|socket| Deed::Close(socket, None)));
    }
}
