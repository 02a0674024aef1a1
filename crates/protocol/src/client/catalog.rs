//! From documented calls to wire functions: the wire tables in reverse.

use std::sync::Arc;

use rtm::value::{Text, Value};
use tables::Tables;
use tables::coerce::typed;
use tables::diagnostics::suggest;
use tables::row::{RowKind, SigId};
use tables::ty::SigType;
use tables::wire::{Function, Local, RowCall, Target, Wire, WirePart};

/// The calls available to the clients of a family.
#[derive(Clone, Debug)]
pub struct Catalog {
    tables: Arc<Tables>,
    wire: Arc<Wire>,
}

/// The description of a documented call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallHelp {
    /// The documented name.
    pub name: Text,
    /// The documented arguments, in order.
    pub args: Vec<ArgHelp>,
    /// The wire function.
    pub function: Text,
}

/// An argument of a documented call.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgHelp {
    /// The documented name.
    pub name: Text,
    pub ty: SigType,
    /// True if the wire has the argument.
    pub carried: bool,
}

/// A call in the form of the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Built {
    pub function: usize,
    /// The row's arguments, by slot.
    pub slots: Vec<Option<Value>>,
    /// The wire's arguments, without the session line.
    pub args: Vec<(Text, Value)>,
}

/// The reason why a call is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// No function implements the call.
    #[error("unknown call `{name}`{}", hint(.close))]
    Unknown {
        /// The given name.
        name: Text,
        /// The most similar name.
        close: Option<Text>,
    },
    /// The call does not have the argument.
    #[error("`{call}` has no argument `{arg}`; it takes ({known})")]
    Arg {
        call: Text,
        /// The given name, or the position of a surplus argument.
        arg: Text,
        /// The arguments of the call.
        known: String,
    },
    /// An argument has the wrong type.
    #[error("`{arg}` takes {expected}, got {got}")]
    Type {
        arg: Text,
        expected: &'static str,
        /// The given value.
        got: String,
    },
}

fn hint(close: &Option<Text>) -> String {
    close
        .as_ref()
        .map_or_else(String::new, |close| format!("; did you mean `{close}`?"))
}

impl Catalog {
    /// Creates the catalog of a wire.
    pub fn new(tables: Arc<Tables>, wire: Arc<Wire>) -> Self {
        Self { tables, wire }
    }

    /// Returns all calls with a wire function, in the order of the tables.
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

    /// Returns the documented arguments of a call.
    ///
    /// # Errors
    /// [`BadCall::Unknown`].
    pub fn args(&self, name: &str) -> Result<&[(Text, SigType)], BadCall> {
        let (_, _, sig) = self.find(name)?;
        Ok(&self.tables.signatures[sig].args)
    }

    /// Converts a documented call of an account to the form of the wire. A missing argument is
    /// empty, as the SDKs send it. An account argument outside the call's signature is the caller's
    /// own.
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
        // The SDK's default value applies unless the app gives another one.
        let outputs = |name: &Text| {
            let arg = call.args.iter().find(|arg| arg.wire.as_ref() == Some(name));
            arg.is_some_and(|arg| given.iter().any(|(known, _)| *known == arg.name))
        };
        for (name, value) in function_ref.when.iter().chain(&function_ref.constants) {
            if !outputs(name) {
                args.retain(|(known, _)| known != name);
                args.push((name.clone(), value.clone()));
            }
        }
        Ok(Built { function, slots, args })
    }

    /// Returns the mailbox's function.
    pub(super) fn mailbox(&self) -> Option<&Function> {
        let is_mailbox = |f: &&Function| matches!(f.target, Target::Local(Local::Mailbox));
        self.wire.functions.iter().find(is_mailbox)
    }

    /// Returns the call that ends the session.
    pub fn logout(&self) -> Option<&Text> {
        let ends = self.wire.functions.iter().find(|f| f.ends)?;
        let (_, _, sig) = self.sigs(ends).into_iter().next()?;
        Some(&self.tables.signatures[sig].name)
    }

    fn find(&self, name: &str) -> Result<(usize, &RowCall, SigId), BadCall> {
        let sig = self.tables.signature_named(name);
        let all = || self.wire.functions.iter().flat_map(|f| self.sigs(f));
        let of_sig = || all().filter(|(_, _, known)| Some(*known) == sig);
        // Several calls may use one row; the function declared for this call has priority.
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
        // Functions with the same name differ by a position argument.
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

/// Returns a row's arguments by slot, and those of the wire by their wire names.
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

/// Returns a value in the form of its part of a wire argument.
fn on_wire(part: &WirePart, value: &Value) -> Value {
    match part {
        WirePart::Complete => value.clone(),
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
