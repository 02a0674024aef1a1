//! A client whose connection is lost: what it keeps, how it comes back by its line, how it finds out (signaling-wire 3.2
//! and 10).

use std::time::Duration;

use rtm::CallKind;
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::expr::StateField;
use tables::row::StepKind;
use tables::ty::SigType;
use tables::wire::{ComesBack, RowCall};

use crate::client::codec::Dialect;
use crate::client::io::{Output, Reply};
use crate::client::native_codec;
use crate::client::state_machine::{LegacyClient, Phase};
use crate::client::synthesized_events;

/// Time between two pings.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A native client that misses a pong says nothing more, and takes itself for lost after this time.
const GIVE_UP: Duration = Duration::from_secs(180);
/// What an open call gets when its connection is lost.
const LOST: &str = "connection lost";

/// The channel that a client is in.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    /// Its number, as the join's reply had it.
    cid: Text,
    name: Text,
    /// The number of its last line.
    pub msgid: i64,
}

/// Pings, and what becomes of their pongs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    count: i64,
    next: Option<Time>,
    sent: Option<Time>,
    /// A pong is missing: the end, unless something else ends it before.
    end: Option<Time>,
}

impl Pulse {
    /// Native clients ping at once, others after a while.
    pub fn start(&mut self, dialect: Dialect, now: Time) {
        *self = Self {
            count: self.count,
            ..Self::default()
        };
        self.next = Some(match dialect {
            Dialect::Lines => now,
            Dialect::Frames => now + PING_EVERY,
        });
    }

    /// A pong: native clients take one of the very millisecond of its ping for none.
    pub fn pong(&mut self, dialect: Dialect, now: Time) {
        let sent = self.sent.take();
        if dialect == Dialect::Lines && sent.is_some_and(|sent| now <= sent) {
            self.next = None;
            self.end = Some(now + GIVE_UP);
        }
    }

    /// When there is something to do.
    pub fn due(&self) -> Option<Time> {
        self.next.into_iter().chain(self.end).min()
    }
}

impl LegacyClient {
    /// Whether it can go on with its session over another connection.
    pub fn can_return(&self) -> bool {
        let known = matches!(self.phase, Phase::LoggedIn | Phase::Returning);
        known && self.dialect == Dialect::Lines && self.wire.comes_back == ComesBack::ByLine
    }

    /// Whether calls can be made.
    pub fn is_logged_in(&self) -> bool {
        self.phase == Phase::LoggedIn
    }

    /// Its connection is lost: calls that are out get no answer any more.
    pub fn lost(&mut self, now: Time) -> Vec<Output> {
        self.phase = Phase::Returning;
        self.mailbox.lost(now);
        let open = std::mem::take(&mut self.open).into_iter();
        open.filter(|(_, open)| !open.poll)
            .map(|(id, open)| {
                let call = open.name;
                let result = Err(LOST.into());
                Output::Reply(Reply { id, call, result })
            })
            .collect()
    }

    /// It tries to come back, for the `nth` time.
    pub fn returning(&mut self, nth: i64) -> Vec<Output> {
        self.phase = Phase::Returning;
        let told = synthesized_events::of_connection(&self.tables, "reconnecting", &self.known);
        let told = told.map(|mut told| {
            for (_, value) in &mut told.args {
                *value = nth.into();
            }
            Output::Event(told)
        });
        told.into_iter().collect()
    }

    /// It gives up.
    pub fn give_up(&mut self) -> Vec<Output> {
        self.phase = Phase::Over;
        let told = synthesized_events::of_connection(&self.tables, "lost", &self.known);
        told.map(Output::Event).into_iter().collect()
    }

    /// The new connection is open: the frame that asks for the old session.
    pub fn reconnected(&mut self) -> Vec<Output> {
        self.phase = Phase::Returning;
        let line = self.line.clone().into_text();
        vec![Output::Send(native_codec::line_login(&line))]
    }

    /// The server knows it, or not.
    pub(super) fn returned(&mut self, word: &str, now: Time, out: &mut Vec<Output>) {
        match word {
            "ok" => {}
            "kick" => return self.control("kick".into(), out),
            // The SDK tells no others apart.
            _ => return self.control("outofsync".into(), out),
        }
        self.phase = Phase::LoggedIn;
        let told = synthesized_events::of_connection(&self.tables, "recovered", &self.known);
        out.extend(told.map(Output::Event));
        if let Some(channel) = &self.channel {
            let Channel { cid, name, msgid } = channel;
            out.push(Output::Send(native_codec::channel_sub(
                cid,
                name,
                *msgid,
                &self.login.vid,
            )));
        }
        self.pulse.start(self.dialect, now);
        self.beat(now, out);
    }

    /// A ping that is due; or the end, when a pong was missing for long.
    pub(super) fn beat(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.pulse.end.is_some_and(|at| at <= now) {
            self.pulse = Pulse::default();
            out.extend(self.give_up());
        } else if self.pulse.next.is_some_and(|at| at <= now) {
            self.pulse.next = Some(now + PING_EVERY);
            self.pulse.sent = Some(now);
            self.pulse.count += 1;
            out.push(Output::Send(self.dialect.ping(self.pulse.count)));
        }
    }

    /// A reply that gives a channel's number is that of a join; a row that leaves and joins none is a leave.
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
