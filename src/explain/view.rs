//! An explanation, ready to be written as text or as JSON.

use serde::Serialize;

use rtm::value::{Text, Value};

/// What the tables make of a frame.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The client family.
    pub family: Text,
    /// The wire function; `login` for the login frame.
    pub function: Text,
    /// The call's number.
    pub id: Option<i64>,
    /// What the SDK itself puts into the arguments.
    pub constants: Vec<Constant>,
    /// Arguments that nothing reads.
    pub unread: Vec<Text>,
    /// How a refusal is told.
    pub refusal_form: &'static str,
    /// Whether the session ends after the answer.
    pub ends: bool,
    /// What the wire answers without a row.
    pub local: Option<&'static str>,
    /// The row.
    pub row: Option<RowView>,
}

/// What the SDK itself puts into the arguments.
#[derive(Clone, Debug, Serialize)]
pub struct Constant {
    /// Its name on the wire.
    pub name: Text,
    /// What the SDK puts there first.
    pub expected: Value,
    /// What the frame has.
    pub sent: Option<Value>,
}

/// An expression, and its value where it is known ahead.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// As the tables write it.
    pub path: String,
    /// Its value.
    pub value: Option<Value>,
}

/// A row, for one call.
#[derive(Clone, Debug, Serialize)]
pub struct RowView {
    /// Its id.
    pub id: Text,
    /// `file:line`.
    pub place: Text,
    /// How the comparison row is served.
    pub status: &'static str,
    /// Where its facts come from.
    pub source: Text,
    /// The emulation that helps it.
    pub emulation: Option<&'static str>,
    /// The documented call with its arguments.
    pub call: String,
    /// Its limitations.
    pub codes: Vec<Code>,
    /// The call's arguments.
    pub args: Vec<Arg>,
    /// Why a client's call with these arguments is refused.
    pub refused: Option<&'static str>,
    /// Values that it reads out of them.
    pub let_values: Vec<LetView>,
    /// What it does, in order.
    pub steps: Vec<StepView>,
    /// When and how the call is answered.
    pub answer: AnswerView,
    /// What may come of it.
    pub outcomes: Vec<OutcomeView>,
    /// The form of refusals that are not the row's own.
    pub fail: Option<FailureView>,
}

/// A limitation code.
#[derive(Clone, Debug, Serialize)]
pub struct Code {
    /// Its name.
    pub name: Text,
    /// Why the translation is not exact.
    pub cause: Text,
}

/// An argument.
#[derive(Clone, Debug, Serialize)]
pub struct Arg {
    /// Its documented name.
    pub name: Text,
    /// Its name on the wire.
    pub wire: Option<Text>,
    /// What the frame has.
    pub value: Option<Value>,
}

/// A value that the row reads out of others.
#[derive(Clone, Debug, Serialize)]
pub struct LetView {
    /// Its name.
    pub name: Text,
    /// What it is read from.
    pub from: String,
    /// The key inside the JSON text.
    pub json: Option<Text>,
    /// Its type.
    #[serde(rename = "as")]
    pub ty: &'static str,
    /// Its value when there is none of that type.
    #[serde(rename = "else")]
    pub otherwise: String,
    /// Bounds of a number.
    pub clamp: Option<(i64, i64)>,
    /// A number that is not above 0 counts as none.
    pub positive: bool,
    /// Its value here.
    pub value: Option<Value>,
}

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// Facts that must hold.
    #[serde(rename = "if")]
    pub conds: Vec<String>,
    /// A condition is known not to hold.
    pub passed_over: bool,
    /// It goes out together with its neighbours.
    pub together: bool,
    /// What it does.
    pub does: Does,
}

/// What a step does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// Calls RTM.
    Rtm(Box<RtmView>),
    /// Runs another row's steps, in silence.
    Row {
        /// Its id.
        id: Text,
        /// `file:line`.
        place: Text,
        /// What it is given.
        args: Vec<(Text, Shown)>,
        /// What it does.
        steps: Vec<StepView>,
    },
    /// Computes `$value`.
    Value {
        /// The value.
        value: Shown,
        /// What it must be.
        expect: Option<String>,
    },
    /// Ends the row with an outcome.
    Outcome(Text),
}

/// A call to RTM and what its result leads to.
#[derive(Clone, Debug, Serialize)]
pub struct RtmView {
    /// The call.
    pub call: CallView,
    /// The name of the result.
    #[serde(rename = "as")]
    pub bind: Option<Text>,
    /// What the result must be.
    pub expect: Option<String>,
    /// The part of the result that is `$value`.
    pub value: Option<String>,
    /// Errors after which it is tried again, and when.
    pub waits: Vec<(&'static str, String)>,
    /// Errors and what they lead to.
    pub errors: Vec<(String, Text)>,
    /// Another session makes the call, one that is in the channel.
    pub via_member: bool,
    /// How it travels with others.
    pub gather: Option<String>,
    /// The lane in which it waits for those before it.
    pub lane: Option<Shown>,
}

/// An RTM call.
#[derive(Clone, Debug, Serialize)]
pub struct CallView {
    /// The canonical name.
    pub name: &'static str,
    /// Its arguments.
    pub args: Vec<(&'static str, Shown)>,
    /// Why RTM would not take it.
    pub problem: Option<String>,
}

/// When and how the call is answered.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerView {
    /// When.
    pub at: &'static str,
    /// The outcomes that it consists of.
    pub emit: Vec<Text>,
    /// What the reply carries, and of what it is made.
    pub reply: Vec<(Text, String)>,
}

/// What may come of the call.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    /// Its name.
    pub name: Text,
    /// Facts that must hold.
    #[serde(rename = "if")]
    pub conds: Vec<String>,
    /// A call to RTM whose result nobody waits for.
    pub rtm: Option<CallView>,
    /// The message is kept for its peer.
    pub hold: bool,
    /// The limitation that it notes.
    pub code: Option<Text>,
    /// A refusal.
    pub failure: Option<FailureView>,
    /// An event.
    pub event: Option<EventView>,
}

/// A refusal.
#[derive(Clone, Debug, Serialize)]
pub struct FailureView {
    /// Its class.
    pub class: Text,
    /// Each text that it may have, with the error that leads to it where it goes by errors.
    pub reasons: Vec<Reason>,
    /// The event that tells it.
    pub event: EventView,
}

/// A refusal's text, and the number that each family makes of it.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// The error of RTM.
    pub error: Option<String>,
    /// The text.
    pub text: Text,
    /// What each family makes of it.
    pub codes: Vec<(Text, String)>,
}

/// A Signaling event.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// Its documented name.
    pub name: Text,
    /// Its arguments.
    pub args: Vec<(Text, Shown)>,
    /// One event for each entry of this.
    pub each: Option<String>,
    /// How many of the last of a list are kept.
    pub last: Option<usize>,
    /// How the family is told.
    pub told: String,
}
