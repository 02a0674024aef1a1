//! Reconnects of a client: preserved state, resume by session line, detection of a lost connection
//! (signaling-wire 3.2 and 10).

use rtm::CallKind;
use rtm::time::Time;
use rtm::value::Value;
use tables::row::StepKind;
use tables::scope::StateField;
use tables::ty::SigType;
use tables::wire::{ResumeMode, RowCall};

use crate::client::codec::Codec;
use crate::client::io::{Output, Reply};
use crate::client::keepalive::{Channel, Keepalive};
use crate::client::state_machine::{LegacyClient, Phase};
use crate::client::{native_codec, synthesized_events};

/// The failure of pending calls when the connection is lost.
const CONNECTION_LOST: &str = "connection lost";

impl LegacyClient {
    /// Returns true if the client can resume its session over another connection.
    pub fn can_resume(&self) -> bool {
        let known = matches!(self.phase, Phase::LoggedIn | Phase::Resuming);
        known && self.codec == Codec::Lines && self.wire.resume_mode == ResumeMode::BySessionLine
    }

    /// Returns true if the client is logged in.
    pub fn is_logged_in(&self) -> bool {
        self.phase == Phase::LoggedIn
    }

    /// Handles a lost connection: pending calls fail.
    pub fn lost(&mut self, now: Time) -> Vec<Output> {
        self.phase = Phase::Resuming;
        self.mailbox.lost(now);
        let pending = std::mem::take(&mut self.pending).into_iter();
        pending
            .filter(|(_, pending)| !pending.poll)
            .map(|(id, pending)| {
                let call = pending.name;
                let result = Err(CONNECTION_LOST.into());
                Output::Reply(Reply { id, call, result })
            })
            .collect()
    }

    /// Starts the `nth` attempt to resume the session.
    pub fn resuming(&mut self, nth: i64) -> Vec<Output> {
        self.phase = Phase::Resuming;
        let emitted = synthesized_events::of_connection(&self.tables, "reconnecting", &self.known);
        let emitted = emitted.map(|mut emitted| {
            for (_, value) in &mut emitted.args {
                *value = nth.into();
            }
            Output::Event(emitted)
        });
        emitted.into_iter().collect()
    }

    /// Ends the attempts to resume the session.
    pub fn give_up(&mut self) -> Vec<Output> {
        self.phase = Phase::Over;
        let emitted = synthesized_events::of_connection(&self.tables, "lost", &self.known);
        emitted.map(Output::Event).into_iter().collect()
    }

    /// Handles the new connection: sends the frame that resumes the session.
    pub fn reconnected(&mut self) -> Vec<Output> {
        self.phase = Phase::Resuming;
        let line = self.line.clone().into_text();
        vec![Output::Send(native_codec::line_login(&line))]
    }

    /// Handles the server's answer to the resume.
    pub(super) fn resumed(&mut self, word: &str, now: Time, out: &mut Vec<Output>) {
        match word {
            "ok" => {}
            "kick" => return self.control("kick".into(), out),
            // The SDK does not distinguish other words.
            _ => return self.control("outofsync".into(), out),
        }
        self.phase = Phase::LoggedIn;
        let emitted = synthesized_events::of_connection(&self.tables, "recovered", &self.known);
        out.extend(emitted.map(Output::Event));
        if let Some(channel) = &self.channel {
            let Channel { cid, name, msgid } = channel;
            out.push(Output::Send(native_codec::channel_sub(
                cid,
                name,
                *msgid,
                &self.login.vid,
            )));
        }
        self.keepalive.start(self.codec, now);
        self.ping_or_disconnect(now, out);
    }

    /// Sends a ping if it is time; disconnects after a missed pong.
    pub(super) fn ping_or_disconnect(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.keepalive.is_over(now) {
            self.keepalive = Keepalive::default();
            out.extend(self.give_up());
        } else if let Some(number) = self.keepalive.ping(now) {
            out.push(Output::Send(self.codec.ping(number)));
        }
    }

    /// Updates the joined channel from a reply. A reply with a channel number is that of a join; a
    /// row that leaves and does not join is a leave.
    pub(super) fn note_channel(&mut self, call: &RowCall, reply: &Value) {
        let row = &self.tables.rows[call.row];
        let cid = call.reply.iter().find_map(|(member, fold)| {
            let tables::wire::Fold::Field(field) = fold else {
                return None;
            };
            let (_, expr) = row.answer.fields.get(*field)?;
            let is_cid = *expr == tables::expr::Expr::State(StateField::Cid);
            is_cid.then(|| reply.get(member).cloned())?
        });
        let calls = |kind| {
            let of_kind = |step: &tables::row::Step| matches!(&step.kind, StepKind::Rtm(rtm) if rtm.call.kind == kind);
            row.steps.iter().any(of_kind)
        };
        let named = call.args.iter().find(|arg| arg.ty == SigType::Channel);
        let name = named.and_then(|arg| self.known.slots.get(arg.slot).cloned().flatten());
        match (cid, name) {
            (Some(cid), Some(name)) => {
                self.channel = Some(Channel {
                    cid: cid.into_text(),
                    name: name.into_text(),
                    msgid: 0,
                });
            }
            _ if calls(CallKind::Leave) && !calls(CallKind::Join) => self.channel = None,
            _ => {}
        }
    }
}
