//! Compiled expressions: paths, functions, templates.

use serde_json::Value as Json;

use rtm::value::{Text, Value};

use crate::func::Func;
use crate::scope::{Ambient, Scope, StateField};
use crate::ty::Conv;

/// A compiled expression of a row, with slots instead of names.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Const(Value),
    /// The value in a slot of the row.
    Slot(usize),
    /// A member of an object.
    Member(Box<Expr>, Text),
    /// A converted value.
    Convert(Conv, Box<Expr>),
    /// A function call.
    Call(Func, Vec<Expr>),
    /// A value as JSON text.
    Json(Box<Expr>),
    /// Text with embedded values, which are quoted if the template is JSON.
    Template {
        /// The pieces, in order.
        parts: Vec<Part>,
        /// True if the template is JSON.
        json: bool,
    },
    /// `$state.…`.
    State(StateField),
    /// `$reason`, `$ecode` of a failure; `$key`, `$value` of an entry; provided by the engine.
    Ambient(Ambient),
    /// The text of the error that selected the row, from the members of that row.
    MemberReason(usize),
    /// A list of expressions.
    List(Vec<Expr>),
    /// An object of expressions.
    Map(Vec<(Text, Expr)>),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Literal text.
    Text(Text),
    /// A value.
    Expr(Expr),
}

impl Expr {
    /// Computes the value.
    pub fn eval(&self, scope: &dyn Scope) -> Value {
        match self {
            Self::Const(value) => value.clone(),
            Self::Slot(slot) => scope.slot(*slot),
            Self::Member(of, name) => of.eval(scope).get(name).cloned().unwrap_or_default(),
            Self::Convert(conv, inner) => convert(scope, *conv, inner.eval(scope)),
            Self::Call(func, args) => {
                let args: Vec<Value> = args.iter().map(|arg| arg.eval(scope)).collect();
                func.eval(&args, scope)
            }
            Self::Json(of) => Value::text(of.eval(scope).to_json()),
            Self::Template { parts, json } => Value::text(template(parts, *json, scope)),
            Self::State(field) => scope.state(*field),
            Self::Ambient(ambient) => scope.ambient(*ambient),
            Self::MemberReason(row) => Value::Text(scope.member_reason(*row)),
            Self::List(items) => Value::List(items.iter().map(|item| item.eval(scope)).collect()),
            Self::Map(entries) => {
                let entry = |(key, value): &(Text, Expr)| (key.clone(), value.eval(scope));
                Value::Map(entries.iter().map(entry).collect())
            }
        }
    }
}

fn convert(scope: &dyn Scope, conv: Conv, value: Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(scope.convert(conv, &text)),
        Value::List(items) => Value::List(items.into_iter().map(|item| convert(scope, conv, item)).collect()),
        other => other,
    }
}

fn template(parts: &[Part], json: bool, scope: &dyn Scope) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expr(expr) => {
                let text = expr.eval(scope).into_text();
                if json {
                    let quoted = Json::from(&*text).to_string();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                } else {
                    out.push_str(&text);
                }
            }
        }
    }
    out
}
