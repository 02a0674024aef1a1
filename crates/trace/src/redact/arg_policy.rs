//! Redaction policy of function arguments, computed once per wire.

use foldhash::HashMap;

use rtm::value::{Text, Value};
use tables::ty::SigType;
use tables::wire::{Function, Target, Wire, WireArg, WirePart};

use crate::placeholder::Class;
use crate::redact::frames::{arg_of, is_token};

/// Functions of a wire, by name.
#[derive(Debug, Default)]
pub struct Plans(HashMap<Text, Plan>);

/// Policies of a function's arguments; unlisted ones are [`ArgPolicy::Unknown`].
#[derive(Debug, Default)]
pub struct Plan(Vec<(Text, ArgPolicy)>);

/// Policy of an argument.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgPolicy {
    /// Replace a text of this class.
    Secret(Class),
    /// Keep a number, also in text form.
    Number,
    /// Keep a number.
    Constant,
    /// Keep a text of this prefix and a number.
    After(Text),
    /// Replace texts, keep small numbers.
    Unknown,
    /// Needs the full algorithm.
    Other,
}

impl Plans {
    pub fn of(wire: &Wire) -> Self {
        let plan = |positions: &Vec<usize>| Plan::of(positions.iter().map(|at| &wire.functions[*at]));
        let of_name = wire.by_name.iter();
        Self(
            of_name
                .map(|(name, positions)| (name.clone(), plan(positions)))
                .collect(),
        )
    }

    pub fn find(&self, function: &str) -> Option<&Plan> {
        self.0.get(function)
    }
}

impl Plan {
    /// Merges functions of the same name: differing arguments need the full algorithm.
    fn of<'w>(functions: impl Iterator<Item = &'w Function> + Clone) -> Self {
        let mut plan = Self::default();
        for key in functions.clone().flat_map(keys) {
            let mut policies = functions.clone().map(|function| policy(function, key));
            let first = policies.next().unwrap_or(ArgPolicy::Other);
            let policy = if policies.all(|policy| policy == first) {
                first
            } else {
                ArgPolicy::Other
            };
            plan.0.push((key.clone(), policy));
        }
        plan
    }

    /// Returns the policy of an argument.
    pub fn policy(&self, key: &str) -> &ArgPolicy {
        match self.0.iter().find(|(name, _)| &**name == key) {
            Some((_, policy)) => policy,
            None if key == "line" => &ArgPolicy::Secret(Class::Line),
            None if is_token(key) => &ArgPolicy::Other,
            None => &ArgPolicy::Unknown,
        }
    }
}

fn keys(function: &Function) -> impl Iterator<Item = &Text> {
    let args = match &function.target {
        Target::Row(row) => &row.args[..],
        Target::Local(_) | Target::Invoke(_) => &[],
    };
    let fixed = function.constants.iter().chain(&function.when);
    let named = args.iter().filter_map(|arg| arg.wire.as_ref());
    named.chain(fixed.map(|(name, _)| name))
}

/// Derives the policy from [`Redactor::call`](crate::redact::Redactor).
fn policy(function: &Function, key: &str) -> ArgPolicy {
    let row = match &function.target {
        Target::Row(row) => Some(row),
        Target::Local(_) | Target::Invoke(_) => None,
    };
    if key == "line" {
        return ArgPolicy::Secret(Class::Line);
    }
    if let Some(arg) = row.and_then(|row| arg_of(row, key)) {
        return policy_of_arg(arg);
    }
    let fixed = function.constants.iter().chain(&function.when);
    let mut of_key = fixed.filter(|(name, _)| &**name == key).map(|(_, value)| value);
    match of_key.next() {
        Some(Value::Int(_) | Value::Bool(_)) => ArgPolicy::Constant,
        // Such a text is a word of the program.
        _ if !is_token(key) => ArgPolicy::Unknown,
        _ => ArgPolicy::Other,
    }
}

fn policy_of_arg(arg: &WireArg) -> ArgPolicy {
    match (&arg.part, arg.ty) {
        (WirePart::After(prefix), _) => ArgPolicy::After(prefix.clone()),
        (WirePart::Json(_), _) | (WirePart::Complete, SigType::Text | SigType::Json | SigType::Digits) => {
            ArgPolicy::Secret(Class::Text)
        }
        (WirePart::Complete, SigType::Account) => ArgPolicy::Secret(Class::Account),
        (WirePart::Complete, SigType::Channel) => ArgPolicy::Secret(Class::Channel),
        (WirePart::Complete, SigType::Int | SigType::Seconds | SigType::Flag) => ArgPolicy::Number,
        (WirePart::Complete, SigType::Value | SigType::Key | SigType::Accounts | SigType::Ints) => ArgPolicy::Other,
    }
}
