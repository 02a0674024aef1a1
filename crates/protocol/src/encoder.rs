//! The language of a socket: what the shell has to say, in frames that the client's build understands.

use std::fmt::Debug;

use crate::event::{Answer, CallRef, Event, Form};
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::wire::FailureForm;

/// What a line is written with.
#[derive(Clone, Copy, Debug)]
pub struct LineContext<'c> {
    /// The session's account.
    pub account: &'c Text,
    /// The session's channel, for the lines of a channel.
    pub channel: Option<&'c Text>,
    /// Now, which clients ignore.
    pub now: Time,
}

/// A call as its client named it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The function.
    pub function: &'a str,
    /// The client's number.
    pub id: i64,
}

/// The answer to a return by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The session goes on.
    Welcome,
    /// Another client has logged in.
    Replaced,
    /// There is no such session.
    Unknown,
}

/// Writes frames for the clients of one profile; what it returns is sent in order.
pub trait Encoder: Send + Sync + Debug {
    /// The answer to a login or a call.
    fn answer(&self, call: CallRef, answer: &Answer) -> Vec<String>;

    /// The answer to a return by line.
    fn returned(&self, returned: Returned) -> Vec<String>;

    /// The answer to a call that no row answers: success, or a reason.
    fn plain(&self, asked: Asked<'_>, form: FailureForm, result: Result<(), &str>) -> Vec<String>;

    /// The answer to a poll of the mailbox.
    fn mailbox(
        &self,
        asked: Asked<'_>,
        ver_clear: u64,
        lines: &[(u64, Event)],
        context: LineContext<'_>,
    ) -> Vec<String>;

    /// A notification.
    fn notify(&self, form: Form, event: &Event, context: LineContext<'_>) -> Vec<String>;

    /// That there are lines up to a version.
    fn hint(&self, version: u64) -> Vec<String>;

    /// The answer to a ping.
    fn pong(&self, value: &Value) -> Vec<String>;

    /// A control frame.
    fn control(&self, name: &str) -> Vec<String>;
}
