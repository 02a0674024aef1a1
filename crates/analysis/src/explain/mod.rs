//! Explanation of a legacy frame: the row, each value's path, the RTM calls and the possible outcomes.
//!
//! No row, call or event is named in this module; it reads the compiled tables.

mod context;
mod frame;
mod outcomes;
mod row;
mod show;
mod steps;
#[cfg(test)]
mod tests;
mod text;
mod view;

pub use frame::ExplainError;
pub use protocol::known_names::Known;
pub use view::Explanation;

use rtm::AppId;
use rtm::value::Text;
use tables::Tables;
use tables::row::RowId;
use tables::wire::{Function, Local, Target, Wire};

use frame::Frame;
use view::Constant;

/// Explains a frame of a client family. Uids require the App ID; a login frame contains it.
///
/// # Errors
/// The expected form of the frame.
pub fn explain(tables: &Tables, wire: &Wire, frame: &str, vid: Option<AppId>) -> Result<Explanation, ExplainError> {
    let frame = Frame::read(frame, tables, wire)?;
    let Frame { function, args, .. } = &frame;
    let (row, local) = match &function.target {
        Target::Row(call) => (Some(row::explain(tables, wire, call, &frame, vid)), None),
        Target::Local(local) => (None, Some(local_text(*local))),
        Target::Invoke(_) => (None, Some("runs the named function")),
    };
    let constants = function.constants.iter().map(|(name, value)| Constant {
        name: name.clone(),
        expected: value.clone(),
        sent: args.get(name).cloned(),
    });
    Ok(Explanation {
        family: wire.family.clone(),
        function: function.name.clone(),
        id: frame.id,
        constants: constants.collect(),
        unread: unread(&frame),
        refusal_form: form(wire, function),
        ends: function.ends,
        local,
        row,
    })
}

/// Returns the row of a call's frame, without its explanation.
pub fn row_of(tables: &Tables, wire: &Wire, frame: &str) -> Option<RowId> {
    match &Frame::read(frame, tables, wire).ok()?.function.target {
        Target::Row(call) => Some(call.row),
        Target::Local(_) | Target::Invoke(_) => None,
    }
}

/// The server reads the session line; every other argument belongs to the row or the SDK.
fn unread(frame: &Frame<'_>) -> Vec<Text> {
    let function = frame.function;
    let reads = |name: &Text| match &function.target {
        Target::Row(call) => call.args.iter().any(|arg| arg.wire.as_ref() == Some(name)),
        Target::Local(_) | Target::Invoke(_) => false,
    };
    let constant = |name: &Text| function.constants.iter().any(|(known, _)| known == name);
    let names = frame.args.as_map().unwrap_or_default().iter().map(|(name, _)| name);
    names
        .filter(|name| &***name != "line" && !reads(name) && !constant(name))
        .cloned()
        .collect()
}

fn form(wire: &Wire, function: &Function) -> &'static str {
    use tables::wire::FailureForm;
    if wire.documented {
        return "the text is the error's message, the number its code";
    }
    match function.failure {
        FailureForm::Own => "the text is in err and in the JSON's reason",
        FailureForm::Invoked => "err is empty; the text is in the JSON's data.result and reason",
    }
}

fn local_text(local: Local) -> &'static str {
    match local {
        Local::Mailbox => "acknowledges and fetches mailbox lines",
        Local::MailboxMsgid => "answers with an empty mailbox: the msgid mode is not supported",
        Local::Ok => "answers ok without further effect",
    }
}
