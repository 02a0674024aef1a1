//! Explanation data, for text and JSON output.

use serde::Serialize;

use rtm::value::{Text, Value};

/// Explanation of a frame.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub family: Text,
    /// Wire function; `login` for the login frame.
    pub function: Text,
    /// Call number.
    pub id: Option<i64>,
    /// Arguments that the SDK sets.
    pub constants: Vec<Constant>,
    /// Ignored arguments.
    pub unread: Vec<Text>,
    /// Form of a refusal.
    pub refusal_form: &'static str,
    /// True if the session ends after the answer.
    pub ends: bool,
    /// Answer of a function without a row.
    pub local: Option<&'static str>,
    pub row: Option<RowView>,
}

/// Argument that the SDK sets.
#[derive(Clone, Debug, Serialize)]
pub struct Constant {
    pub name: Text,
    /// Initial value.
    pub expected: Value,
    /// Value in the frame.
    pub sent: Option<Value>,
}

/// Expression with its value, if known.
#[derive(Clone, Debug, Serialize)]
pub struct ExprView {
    /// Expression in table syntax.
    pub path: String,
    pub value: Option<Value>,
}

/// Row, for one call.
#[derive(Clone, Debug, Serialize)]
pub struct RowView {
    pub id: Text,
    /// `file:line`.
    pub place: Text,
    /// Mapping status.
    pub status: &'static str,
    /// Source of the row's behaviour.
    pub source: Text,
    /// Emulation in use.
    pub emulation: Option<&'static str>,
    /// Documented call with its arguments.
    pub call: String,
    pub codes: Vec<Code>,
    pub args: Vec<Arg>,
    /// Reason of a refusal for these arguments.
    pub refused: Option<&'static str>,
    /// Derived values.
    pub let_values: Vec<LetView>,
    /// Steps, in order.
    pub steps: Vec<StepView>,
    /// Time and content of the answer.
    pub answer: AnswerView,
    /// Possible outcomes.
    pub outcomes: Vec<OutcomeView>,
    /// Form of refusals that the row does not define.
    pub fail: Option<FailureView>,
}

/// Limitation code.
#[derive(Clone, Debug, Serialize)]
pub struct Code {
    pub name: Text,
    /// Reason for the inexact translation.
    pub cause: Text,
}

#[derive(Clone, Debug, Serialize)]
pub struct Arg {
    /// Documented name.
    pub name: Text,
    /// Wire name.
    pub wire: Option<Text>,
    /// Value in the frame.
    pub value: Option<Value>,
}

/// Derived value.
#[derive(Clone, Debug, Serialize)]
pub struct LetView {
    pub name: Text,
    /// Source expression.
    pub from: String,
    /// Key inside the JSON text.
    pub json: Option<Text>,
    #[serde(rename = "as")]
    pub ty: &'static str,
    /// Fallback value.
    #[serde(rename = "else")]
    pub otherwise: String,
    /// Bounds of a number.
    pub clamp: Option<(i64, i64)>,
    /// True if numbers up to 0 count as missing.
    pub positive: bool,
    pub value: Option<Value>,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// Required conditions.
    #[serde(rename = "if")]
    pub conds: Vec<String>,
    /// A condition is known to be false.
    pub passed_over: bool,
    /// Runs in parallel with adjacent steps.
    pub together: bool,
    pub does: StepEffect,
}

/// Effect of a step.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepEffect {
    Rtm(Box<RtmView>),
    /// Runs another row's steps without an answer.
    Row {
        id: Text,
        /// `file:line`.
        place: Text,
        args: Vec<(Text, ExprView)>,
        steps: Vec<StepView>,
    },
    /// Computes `$value`.
    Value {
        value: ExprView,
        /// Expected value.
        expect: Option<String>,
    },
    /// Ends the row with an outcome.
    Outcome(Text),
}

/// RTM call and the handling of its result.
#[derive(Clone, Debug, Serialize)]
pub struct RtmView {
    pub call: CallView,
    /// Name of the result.
    #[serde(rename = "as")]
    pub bind: Option<Text>,
    /// Expected result.
    pub expect: Option<String>,
    /// Part of the result that becomes `$value`.
    pub value: Option<String>,
    /// Retried errors and their delays.
    pub waits: Vec<(&'static str, String)>,
    /// Errors and their outcomes.
    pub errors: Vec<(String, Text)>,
    /// A session that is in the channel makes the call.
    pub via_member: bool,
    /// Batching.
    pub gather: Option<String>,
    /// Lane in which the call is queued.
    pub lane: Option<ExprView>,
}

#[derive(Clone, Debug, Serialize)]
pub struct CallView {
    /// Canonical name.
    pub name: &'static str,
    pub args: Vec<(&'static str, ExprView)>,
    /// Reason why RTM would reject it.
    pub problem: Option<String>,
}

/// Time and content of the answer.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerView {
    pub at: &'static str,
    /// Outcomes in the answer.
    pub emit: Vec<Text>,
    /// Fields of the reply and their sources.
    pub reply: Vec<(Text, String)>,
}

/// Possible outcome.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    pub name: Text,
    /// Required conditions.
    #[serde(rename = "if")]
    pub conds: Vec<String>,
    /// RTM call without waiting for its result.
    pub rtm: Option<CallView>,
    /// The message is stored for its peer.
    pub hold: bool,
    /// Limitation code.
    pub code: Option<Text>,
    pub failure: Option<FailureView>,
    pub event: Option<EventView>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FailureView {
    pub class: Text,
    /// Possible texts, with the RTM error that leads to each.
    pub reasons: Vec<Reason>,
    /// Event that reports it.
    pub event: EventView,
}

/// Text of a refusal with each family's number.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// RTM error.
    pub error: Option<String>,
    pub text: Text,
    /// Number per family.
    pub codes: Vec<(Text, String)>,
}

/// Signaling event.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// Documented name.
    pub name: Text,
    pub args: Vec<(Text, ExprView)>,
    /// List with one event per entry.
    pub each: Option<String>,
    /// Maximum of entries kept from the end of the list.
    pub last: Option<usize>,
    /// Form on the wire.
    pub emitted: String,
}
