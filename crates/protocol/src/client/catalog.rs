//! From documented calls to wire functions: the wire tables, read backwards.

use std::sync::Arc;

use rtm::value::{Text, Value};
use tables::Tables;
use tables::coerce::typed;
use tables::diagnostics::suggest;
use tables::row::{RowKind, SigId};
use tables::ty::SigType;
use tables::wire::{Function, Local, RowCall, Target, Wire, WirePart};

/// The calls that a family's clients can make.
#[derive(Clone, Debug)]
pub struct Book {
    tables: Arc<Tables>,
    wire: Arc<Wire>,
}

/// A documented call, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct CallHelp {
    /// Its documented name.
    pub name: Text,
    /// Its documented arguments, in order.
    pub args: Vec<ArgHelp>,
    /// The function that carries it.
    pub function: Text,
}

/// An argument of a documented call.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgHelp {
    /// Its documented name.
    pub name: Text,
    /// Its type.
    pub ty: SigType,
    /// Whether the wire carries it.
    pub carried: bool,
}

/// A call on its way to the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Built {
    pub function: usize,
    /// The row's arguments, by slot.
    pub slots: Vec<Option<Value>>,
    /// The wire's arguments, less the line.
    pub args: Vec<(Text, Value)>,
}

/// Why there is no such call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// No function carries it.
    #[error("there is no call `{name}`{}", hint(.close))]
    Unknown {
        /// As it was written.
        name: Text,
        /// A call of nearly that name.
        close: Option<Text>,
    },
    /// It has no such argument.
    #[error("`{call}` has no argument `{arg}`; it takes ({known})")]
    Arg {
        /// The call.
        call: Text,
        /// As it was written; the position for one too many.
        arg: Text,
        /// The arguments that it has.
        known: String,
    },
    /// An argument is not of its type.
    #[error("`{arg}` takes {expected}, got {got}")]
    Type {
        /// The argument.
        arg: Text,
        /// Its type.
        expected: &'static str,
        /// As it was written.
        got: String,
    },
}

fn hint(close: &Option<Text>) -> String {
    close
        .as_ref()
        .map_or_else(String::new, |close| format!("; did you mean `{close}`?"))
}

impl Book {
    /// The calls of that wire.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>) -> Self {
        Self { tables, wire }
    }

    /// Every call that a function carries, in the order of the tables.
    pub fn calls(&self) -> Vec<CallHelp> {
        let mut calls: Vec<CallHelp> = Vec::new();
        for (function, call, sig) in self.wire.functions.iter().flat_map(|f| self.sigs(f)) {
            let signature = &self.tables.signatures[sig];
            let args = signature.args.iter().map(|(name, ty)| ArgHelp {
                name: name.clone(),
                ty: *ty,
                carried: call.args.iter().any(|arg| arg.name == *name && arg.wire.is_some()),
            });
            if calls.iter().all(|known| known.name != signature.name) {
                calls.push(CallHelp {
                    name: signature.name.clone(),
                    args: args.collect(),
                    function: function.name.clone(),
                });
            }
        }
        calls
    }

    /// The documented arguments of a call.
    ///
    /// # Errors
    /// [`BadCall::Unknown`].
    pub fn args(&self, name: &str) -> Result<&[(Text, SigType)], BadCall> {
        let (_, _, sig) = self.find(name)?;
        Ok(&self.tables.signatures[sig].args)
    }

    /// The wire's form of a documented call of that account; what is not given is empty, as the SDKs send it, and an
    /// account that the call does not take is the caller's own.
    pub(super) fn build(&self, name: &str, given: &[(Text, Value)], own: &Text) -> Result<Built, BadCall> {
        let (function, call, sig) = self.find(name)?;
        let signature = &self.tables.signatures[sig];
        if let Some((arg, _)) = given.iter().find(|(arg, _)| signature.arg(arg).is_none()) {
            let known: Vec<&str> = signature.args.iter().map(|(name, _)| &**name).collect();
            return Err(BadCall::Arg {
                call: signature.name.clone(),
                arg: arg.clone(),
                known: known.join(", "),
            });
        }
        let accounts = call.args.iter().filter(|arg| arg.ty == SigType::Account);
        let untaken = accounts.filter(|arg| signature.arg(&arg.name).is_none());
        let owned = untaken.map(|arg| (arg.name.clone(), Value::Text(own.clone())));
        let filled: Vec<_> = given.iter().cloned().chain(owned).collect();
        let (slots, mut args) = fill(call, &filled)?;
        let function_ref = &self.wire.functions[function];
        // What the SDK itself puts somewhere stays, unless the app says something else.
        let said = |name: &Text| {
            let arg = call.args.iter().find(|arg| arg.wire.as_ref() == Some(name));
            arg.is_some_and(|arg| given.iter().any(|(known, _)| *known == arg.name))
        };
        for (name, value) in function_ref.when.iter().chain(&function_ref.constants) {
            if !said(name) {
                args.retain(|(known, _)| known != name);
                args.push((name.clone(), value.clone()));
            }
        }
        Ok(Built { function, slots, args })
    }

    /// The mailbox's function.
    pub(super) fn mailbox(&self) -> Option<&Function> {
        let is_mailbox = |f: &&Function| matches!(f.target, Target::Local(Local::Mailbox));
        self.wire.functions.iter().find(is_mailbox)
    }

    /// The call after which the session is over.
    pub fn logout(&self) -> Option<&Text> {
        let ends = self.wire.functions.iter().find(|f| f.ends)?;
        let (_, _, sig) = self.sigs(ends).into_iter().next()?;
        Some(&self.tables.signatures[sig].name)
    }

    fn find(&self, name: &str) -> Result<(usize, &RowCall, SigId), BadCall> {
        let sig = self.tables.signature_named(name);
        let all = || self.wire.functions.iter().flat_map(|f| self.sigs(f));
        let of_sig = || all().filter(|(_, _, known)| Some(*known) == sig);
        // A row may be entered by several calls; the function that is written for this one goes first.
        let hit = of_sig()
            .find(|(_, call, known)| call.sig == *known)
            .or_else(|| of_sig().next());
        let Some((function, call, sig)) = hit else {
            let names: Vec<Text> = self.calls().into_iter().map(|call| call.name).collect();
            let close = suggest(name, names.iter().map(|name| &**name));
            return Err(BadCall::Unknown {
                name: name.into(),
                close: close.map(Into::into),
            });
        };
        // Functions that share a name are told apart by their places.
        let at = self
            .wire
            .functions
            .iter()
            .position(|known| std::ptr::eq(known, function));
        Ok((at.unwrap_or(usize::MAX), call, sig))
    }

    fn sigs<'b>(&'b self, function: &'b Function) -> Vec<(&'b Function, &'b RowCall, SigId)> {
        let Target::Row(call) = &function.target else {
            return Vec::new();
        };
        let RowKind::Call(sigs) = &self.tables.rows[call.row].kind else {
            return Vec::new();
        };
        sigs.iter().map(|&sig| (function, call, sig)).collect()
    }
}

type Filled = (Vec<Option<Value>>, Vec<(Text, Value)>);

/// A row's arguments by slot, and those that the wire carries by their names there.
pub(super) fn fill(call: &RowCall, given: &[(Text, Value)]) -> Result<Filled, BadCall> {
    let mut slots = vec![None; call.args.iter().map(|arg| arg.slot + 1).max().unwrap_or(0)];
    let mut args = Vec::new();
    for arg in &call.args {
        let value = match given.iter().find(|(name, _)| *name == arg.name) {
            Some((_, value)) => typed(value.clone(), arg.ty).ok_or_else(|| BadCall::Type {
                arg: arg.name.clone(),
                expected: arg.ty.name(),
                got: value.to_json(),
            })?,
            None => empty(arg.ty),
        };
        if let Some(wire) = &arg.wire {
            args.push((wire.clone(), on_wire(&arg.part, &value)));
        }
        slots[arg.slot] = Some(value);
    }
    Ok((slots, args))
}

/// A value as the part of a wire argument that it is.
fn on_wire(part: &WirePart, value: &Value) -> Value {
    match part {
        WirePart::Whole => value.clone(),
        WirePart::Json(key) => Value::text(Value::Map(vec![(key.clone(), value.clone())]).to_json()),
        WirePart::After(prefix) => Value::text(format!("{prefix}{}", value.clone().into_text())),
    }
}

fn empty(ty: SigType) -> Value {
    match ty {
        SigType::Int | SigType::Seconds => Value::Int(0),
        SigType::Flag => Value::Bool(false),
        SigType::Accounts | SigType::Ints => Value::List(Vec::new()),
        _ => "".into(),
    }
}
