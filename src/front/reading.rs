//! What a call of a client means, without a socket: an input for its session, or frames that answer it at once.

use crate::bridge::{CallRef, Input, SocketId};
use crate::mapping::wire::{FailureForm, Function, Local, Target, Wire};
use crate::shell::{Asked, LineContext, Speech};
use crate::time::Time;
use crate::value::Value;

use super::args::read_args;

/// Most lines that one poll fetches.
const MAX_LINES: i64 = 100;

/// What a call means.
#[derive(Debug)]
pub struct Reading {
    /// What to do.
    pub meaning: Meaning,
    /// What is wrong with it, as it is counted.
    pub bad: Option<&'static str>,
}

/// What to do with a call.
#[derive(Debug)]
pub enum Meaning {
    /// The session takes it.
    Input(Input),
    /// It is answered without the session.
    Frames(Vec<String>),
}

/// Who calls, and how it is answered.
pub struct Caller<'c> {
    /// The wire of its family.
    pub wire: &'c Wire,
    /// Its language.
    pub speech: &'c dyn Speech,
    /// Its socket.
    pub socket: SocketId,
    /// Now.
    pub now: Time,
    /// Whether a line is that of its session; none before the login.
    pub knows: Option<&'c dyn Fn(&str) -> bool>,
}

impl Caller<'_> {
    /// Reads a call.
    pub fn read(&self, name: &str, id: i64, args: &Value) -> Reading {
        let asked = Asked { function: name, id };
        let Some(knows) = self.knows else {
            let frames = self.speech.plain(asked, FailureForm::Own, Err("not login"));
            return frames_because("call before login", frames);
        };
        let Some((position, function)) = self.wire.find(name, args) else {
            // Invoked: any name can be, and the object form is what apps read their reason from.
            let reason = format!("unknown func {name}");
            let frames = self.speech.plain(asked, FailureForm::Invoked, Err(&reason));
            return frames_because("unknown function", frames);
        };
        let call = CallRef {
            socket: self.socket,
            id,
            function: position,
        };
        if !args.get("line").and_then(Value::as_text).is_some_and(|line| knows(line)) {
            return self.refused(call, asked, function, "wrong line");
        }
        match &function.target {
            Target::Row(row) => match read_args(row, args) {
                Ok(args) => good(Meaning::Input(Input::Call {
                    call,
                    row: row.row,
                    args,
                })),
                Err(reason) => self.refused(call, asked, function, reason),
            },
            Target::Local(Local::Ok) => good(Meaning::Frames(self.speech.plain(asked, function.failure, Ok(())))),
            Target::Local(Local::MailboxMsgid) => {
                let context = LineContext {
                    account: &"".into(),
                    channel: None,
                    now: self.now,
                };
                good(Meaning::Frames(self.speech.mailbox(asked, 0, &[], context)))
            }
            Target::Local(Local::Mailbox) => {
                let int = |name: &str| args.get(name).and_then(Value::as_int);
                let ver_clear = u64::try_from(int("ver_clear").unwrap_or(0)).unwrap_or(0);
                let max = usize::try_from(int("max").unwrap_or(30).clamp(1, MAX_LINES)).unwrap_or(1);
                good(Meaning::Input(Input::Poll { call, ver_clear, max }))
            }
        }
    }

    fn refused(&self, call: CallRef, asked: Asked<'_>, function: &Function, reason: &'static str) -> Reading {
        let meaning = match &function.target {
            Target::Row(row) => Meaning::Input(Input::Refused {
                call,
                row: row.row,
                reason: reason.into(),
            }),
            Target::Local(_) => Meaning::Frames(self.speech.plain(asked, function.failure, Err(reason))),
        };
        Reading {
            meaning,
            bad: Some(reason),
        }
    }
}

fn good(meaning: Meaning) -> Reading {
    Reading { meaning, bad: None }
}

fn frames_because(bad: &'static str, frames: Vec<String>) -> Reading {
    Reading {
        meaning: Meaning::Frames(frames),
        bad: Some(bad),
    }
}
