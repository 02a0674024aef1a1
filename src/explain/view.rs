//! An explanation, ready to be written as text or as JSON.

use serde::Serialize;

use crate::value::{Text, Value};

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
    pub name: Text,
    pub expected: Value,
    pub sent: Option<Value>,
}

/// An expression, and its value where it is known ahead.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub path: String,
    pub value: Option<Value>,
}

/// A row, for one call.
#[derive(Clone, Debug, Serialize)]
pub struct RowView {
    pub id: Text,
    pub place: Text,
    pub status: &'static str,
    pub source: Text,
    pub emulation: Option<&'static str>,
    pub call: String,
    pub codes: Vec<Code>,
    pub args: Vec<Arg>,
    /// Why a client's call with these arguments is refused.
    pub refused: Option<&'static str>,
    pub lets: Vec<LetView>,
    pub steps: Vec<StepView>,
    pub answer: AnswerView,
    pub outcomes: Vec<OutcomeView>,
    /// The form of refusals that are not the row's own.
    pub fail: Option<FailureView>,
}

/// A limitation code.
#[derive(Clone, Debug, Serialize)]
pub struct Code {
    pub name: Text,
    pub cause: Text,
}

/// An argument.
#[derive(Clone, Debug, Serialize)]
pub struct Arg {
    pub name: Text,
    pub wire: Option<Text>,
    pub value: Option<Value>,
}

/// A value that the row reads out of others.
#[derive(Clone, Debug, Serialize)]
pub struct LetView {
    pub name: Text,
    pub from: String,
    pub json: Option<Text>,
    #[serde(rename = "as")]
    pub ty: &'static str,
    #[serde(rename = "else")]
    pub otherwise: String,
    pub clamp: Option<(i64, i64)>,
    pub value: Option<Value>,
}

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    #[serde(rename = "if")]
    pub conds: Vec<String>,
    /// A condition is known not to hold.
    pub passed_over: bool,
    pub together: bool,
    pub does: Does,
}

/// What a step does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    Rtm(Box<RtmView>),
    Row {
        id: Text,
        place: Text,
        args: Vec<(Text, Shown)>,
        steps: Vec<StepView>,
    },
    Value(Shown),
    Outcome(Text),
}

/// A call to RTM and what its result leads to.
#[derive(Clone, Debug, Serialize)]
pub struct RtmView {
    pub call: CallView,
    #[serde(rename = "as")]
    pub bind: Option<Text>,
    pub expect: Option<String>,
    pub value: Option<String>,
    pub waits: Vec<(&'static str, String)>,
    pub errors: Vec<(String, Text)>,
    pub gather: Option<String>,
}

/// An RTM call.
#[derive(Clone, Debug, Serialize)]
pub struct CallView {
    pub name: &'static str,
    pub args: Vec<(&'static str, Shown)>,
    /// Why RTM would not take it.
    pub problem: Option<String>,
}

/// When and how the call is answered.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerView {
    pub at: &'static str,
    pub emit: Vec<Text>,
    pub reply: Vec<(Text, String)>,
}

/// What may come of the call.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    pub name: Text,
    #[serde(rename = "if")]
    pub conds: Vec<String>,
    pub rtm: Option<CallView>,
    pub code: Option<Text>,
    pub failure: Option<FailureView>,
    pub event: Option<EventView>,
}

/// A refusal.
#[derive(Clone, Debug, Serialize)]
pub struct FailureView {
    pub class: Text,
    /// Each text that it may have, with the error that leads to it where it goes by errors.
    pub reasons: Vec<Reason>,
    pub event: EventView,
}

/// A refusal's text, and the number that each family makes of it.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    pub error: Option<String>,
    pub text: Text,
    pub codes: Vec<(Text, String)>,
}

/// A Signaling event.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    pub name: Text,
    pub args: Vec<(Text, Shown)>,
    pub each: Option<String>,
    pub last: Option<usize>,
    /// How the family is told.
    pub told: String,
}
