//! The documented calls as methods.

use rtm::value::Value;
use tables::Tables;
use tables::expr::Expr;
use tables::row::{Row, SigId, Signature};
use tables::ty::SigType;
use tables::wire::{Fold, Function, Invoke, RowCall, Target};

use crate::openrpc::{errors, object, params, reference};

/// Every method, in the order of the tables.
pub fn all(tables: &Tables) -> Vec<Value> {
    let wire = tables.documented();
    let functions = wire.functions.iter();
    functions.filter_map(|function| method(tables, function)).collect()
}

fn method(tables: &Tables, function: &Function) -> Option<Value> {
    match &function.target {
        Target::Row(call) if tables.signatures[call.sig].name == function.name => Some(of_row(tables, function, call)),
        Target::Invoke(invoke) => Some(of_invoke(tables, *invoke)),
        Target::Row(_) | Target::Local(_) => None,
    }
}

fn of_row(tables: &Tables, function: &Function, call: &RowCall) -> Value {
    let (row, signature) = (&tables.rows[call.row], &tables.signatures[call.sig]);
    // By position, no required param follows an optional one.
    let last = signature.args.iter().rposition(|(_, ty)| is_needed(*ty));
    let required = |at: usize| last.is_some_and(|last| at <= last);
    let ends = if function.ends {
        " The connection is closed behind the answer."
    } else {
        ""
    };
    object([
        ("name", signature.name.clone().into()),
        ("description", Value::text(format!("{}{ends}", emitted_by(tables, row)))),
        ("paramStructure", "either".into()),
        ("params", params(signature, required)),
        ("result", result(row, call)),
        ("errors", errors::of_row(tables, row)),
        ("x-row", row.id.clone().into()),
        ("x-status", row.status.name().into()),
        ("x-limitations", limitations(tables, row)),
    ])
}

fn of_invoke(tables: &Tables, invoke: Invoke) -> Value {
    let signature: &Signature = &tables.signatures[invoke.call];
    let wire = tables.documented();
    let named = wire.functions.iter().filter(|f| match &f.target {
        Target::Row(call) => tables.signatures[call.sig].name != f.name,
        _ => false,
    });
    let names: Vec<Value> = named.map(|f| f.name.clone().into()).collect();
    let event = &tables.signatures[invoke.result_event].name;
    object([
        ("name", signature.name.clone().into()),
        (
            "description",
            Value::text(format!(
                "Runs the function that the first param names; `{event}` has its reply."
            )),
        ),
        ("paramStructure", "either".into()),
        ("params", params(signature, |at| at == 0)),
        ("result", nothing()),
        (
            "errors",
            Value::List(vec![reference("errors", "params"), reference("errors", "busy")]),
        ),
        ("x-functions", Value::List(names)),
    ])
}

/// Texts and numbers that are left out are empty.
fn is_needed(ty: SigType) -> bool {
    matches!(ty, SigType::Account | SigType::Channel | SigType::Key | SigType::Digits)
}

/// The events that an answer consists of, and those of failures.
fn emitted_by(tables: &Tables, row: &Row) -> String {
    let answer = row.answer.emit.iter().filter_map(|&at| row.outcomes.get(at));
    let answer = answer.filter_map(|outcome| Some(outcome.emission.as_ref()?.event));
    let own = row.outcomes.iter().filter_map(|outcome| outcome.failure.as_ref());
    let failures = row.fail.iter().chain(own).map(|failure| failure.emission.event);
    let text = |sigs: Vec<SigId>, what: &str| {
        let mut names: Vec<String> = Vec::new();
        for sig in sigs {
            let name = format!("`{}`", tables.signatures[sig].name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        match names.is_empty() {
            true => format!("{what} has no event."),
            false => format!("{what} has the event {}.", names.join(", ")),
        }
    };
    let (success, failure) = (text(answer.collect(), "Success"), text(failures.collect(), "Failure"));
    format!("{success} {failure}")
}

fn result(row: &Row, call: &RowCall) -> Value {
    let field = match &call.whole {
        Some(Fold::Field(at)) => row.answer.fields.get(*at),
        _ => None,
    };
    let Some((name, expr)) = field else {
        return nothing();
    };
    let schema = match expr {
        Expr::Const(Value::Int(_)) | Expr::State(_) => reference("schemas", SigType::Int.name()),
        _ => Value::Map(Vec::new()),
    };
    object([("name", name.clone().into()), ("schema", schema)])
}

fn nothing() -> Value {
    object([
        ("name", "nothing".into()),
        ("schema", object([("type", "null".into())])),
    ])
}

/// Returns the limitations of a row, with their causes.
fn limitations(tables: &Tables, row: &Row) -> Value {
    let limitation = |&code: &usize| {
        let code = &tables.codes[code];
        object([("code", code.name.clone().into()), ("cause", code.cause.clone().into())])
    };
    Value::List(row.codes.iter().map(limitation).collect())
}
