//! Encoding of the server's messages, in frames of the client's build.

use std::fmt::Debug;

use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::wire::FailureForm;

use crate::event::{Answer, CallRef, Event, Form};

/// The context of an encoded message line.
#[derive(Clone, Copy, Debug)]
pub struct LineContext<'c> {
    /// The session's account.
    pub account: &'c Text,
    /// The session's channel, for channel lines.
    pub channel: Option<&'c Text>,
    /// The current time, which clients ignore.
    pub now: Time,
}

/// A call in the client's terms.
#[derive(Clone, Copy, Debug)]
pub struct NamedCall<'a> {
    pub function: &'a str,
    /// The client's number.
    pub id: i64,
}

/// The answer to a resume by session line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The session is resumed.
    Welcome,
    /// Another client has logged in.
    Replaced,
    /// The session does not exist.
    Unknown,
}

/// Encodes messages for the clients of one profile. The returned frames are sent in order.
pub trait Encoder: Send + Sync + Debug {
    /// Encodes the answer to a login or a call.
    fn answer(&self, call: CallRef, answer: &Answer) -> Vec<String>;

    /// Encodes the answer to a resume by line.
    fn resumed(&self, resumed: Resumed) -> Vec<String>;

    /// Encodes the answer to a call without a row: success, or a reason.
    fn plain(&self, call: NamedCall<'_>, form: FailureForm, result: Result<(), &str>) -> Vec<String>;

    /// Encodes the answer to a poll of the mailbox.
    fn mailbox(
        &self,
        call: NamedCall<'_>,
        ver_clear: u64,
        lines: &[(u64, Event)],
        context: LineContext<'_>,
    ) -> Vec<String>;

    /// Encodes a notification.
    fn notify(&self, form: Form, event: &Event, context: LineContext<'_>) -> Vec<String>;

    /// Encodes the notification of lines up to a version.
    fn hint(&self, version: u64) -> Vec<String>;

    /// Encodes the answer to a ping.
    fn pong(&self, value: &Value) -> Vec<String>;

    /// Encodes a control frame.
    fn control(&self, name: &str) -> Vec<String>;
}
