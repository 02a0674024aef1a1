//! Detection of unused declarations: an unreferenced name could be wrong without notice.

use std::sync::Arc;

use rtm::CallKind;

use crate::ast::{RawRow, RawWire};
use crate::compile::Compiler;
use crate::condition::Emulation;
use crate::diagnostics::Diag;
use crate::wire::FailureForm;

/// Prefix of function names in the SDKs' `invoke()`.
pub(super) const INVOKE: &str = "io.agora.signal.";

impl Compiler<'_> {
    /// Checks that every signature is used as a call or as an event.
    pub fn check_signatures_used(&mut self, wires: &[Arc<RawWire>]) {
        let raw = self.raw;
        let functions = || wires.iter().flat_map(|wire| &wire.functions);
        let invokes = functions()
            .filter(|f| f.result_event.is_some())
            .map(|f| f.call.as_ref().unwrap_or(&f.name));
        let calls: Vec<&str> = raw
            .rows
            .iter()
            .flat_map(|row| &row.calls)
            .chain(invokes)
            .map(|call| &*call.value)
            .collect();
        let called = |name: &str| calls.contains(&name);
        let outcomes = raw.rows.iter().flat_map(|row| &row.outcomes);
        let events = outcomes.filter_map(|o| o.event.as_ref());
        let events = events.chain(raw.fails.iter().map(|fail| &fail.event));
        let events = events.chain(functions().filter_map(|f| f.result_event.as_ref()));
        let result_event: Vec<&str> = events.map(|event| &*event.value).collect();
        for signature in &raw.signatures {
            let name = &*signature.name.value;
            let title = match (called(name), result_event.contains(&name)) {
                (true, true) => format!("`{name}` is used both as a call and as an event"),
                (false, false) => format!("`{name}` is used neither as a call nor as an event"),
                _ => continue,
            };
            self.error(Diag::new(&signature.name.span, title));
        }
    }

    /// Checks that the `invoke:` names of rows are functions of the wire, and that functions only
    /// for `invoke()` have such a name.
    pub fn check_invokes(&mut self, wire: &RawWire) {
        let raw = self.raw;
        let functions = wire.functions.iter();
        let functions: Vec<(String, &str)> = functions
            .filter_map(|f| Some((format!("{INVOKE}{}", f.name.value), &*f.row.as_ref()?.value)))
            .collect();
        for row in &raw.rows {
            for call in &row.calls {
                let Some(name) = call.value.strip_prefix("invoke:") else {
                    continue;
                };
                if !functions
                    .iter()
                    .any(|(known, of)| known == name && *of == &*row.id.value)
                {
                    let title = format!("no function of the {} wire is invoked as `{name}`", wire.family.value);
                    self.error(Diag::new(&call.span, title));
                }
            }
        }
        let names = |row: &RawRow, name: &str| {
            let mut calls = row.calls.iter();
            calls.any(|call| call.value.strip_prefix("invoke:").unwrap_or(&call.value) == name)
        };
        for function in &wire.functions {
            let name = format!("{INVOKE}{}", function.name.value);
            let row = function.row.as_ref().and_then(|id| self.row_ids.get(&id.value));
            if let (Some(&row), FailureForm::Invoked) = (row, function.failure)
                && !names(&raw.rows[row], &name)
            {
                let title = format!(
                    "row `{}` does not list the call `invoke:{name}`",
                    raw.rows[row].id.value
                );
                self.error(Diag::new(&function.span, title));
            }
        }
    }

    /// Checks that a row names the emulation of its calls: the engine applies it to these calls in
    /// every row.
    pub fn check_helped(&mut self, row: &RawRow) {
        let calls = row
            .steps
            .iter()
            .filter_map(|step| CallKind::parse(&step.rtm.as_ref()?.value));
        let calls: Vec<CallKind> = calls.collect();
        let named = row.emulation.as_ref();
        let helps = |emulation: Emulation| emulation.helps().iter().any(|call| calls.contains(call));
        if let Some(emulation) = named
            && !emulation.value.helps().is_empty()
            && !helps(emulation.value)
        {
            let title = format!("row `{}` makes no call that its emulation applies to", row.id.value);
            self.error(Diag::new(&emulation.span, title));
        }
        let helper = Emulation::NAMES.iter().find(|(_, emulation)| helps(*emulation));
        if let Some((name, _)) = helper
            && !named.is_some_and(|emulation| helps(emulation.value))
        {
            let span = named.map_or(&row.id.span, |emulation| &emulation.span);
            let title = format!(
                "row `{}` makes a call that the emulation `{name}` applies to",
                row.id.value
            );
            self.error(Diag::new(span, title));
        }
    }
}
