//! Derived wires, whose functions are the documented calls.

use std::sync::Arc;

use rtm::value::Text;

use crate::ast::{RawFunction, RawRow, RawSignature, RawWire};
use crate::compile::Compiler;
use crate::compile::usage::INVOKE;
use crate::diagnostics::Diag;
use crate::row::Row;
use crate::spanned_toml::Spanned;
use crate::wire::{FailureForm, Fold, Invoke, Target};

impl Compiler<'_> {
    /// Returns the wire with a function for each documented call, with the documented argument
    /// names. Explicit entries have priority. Of the inherited functions only those for `invoke`
    /// remain.
    pub fn with_documented(&mut self, wire: &RawWire) -> RawWire {
        let raw = self.raw;
        let mut wire = wire.clone();
        if let Some(login) = &mut wire.login
            && let Some(row) = raw
                .rows
                .iter()
                .find(|r| login.row.as_ref().is_some_and(|l| l.value == r.id.value))
        {
            let all = row.calls.iter().filter_map(|call| self.signature(&call.value));
            login.args = all.flat_map(own_names).collect();
        }
        let invoked = raw.rows.iter().flat_map(|row| &row.calls);
        let invoked: Vec<&str> = invoked
            .filter_map(|call| Some(call.value.split_once(INVOKE)?.1))
            .collect();
        let named = |f: &RawFunction| self.signature(&f.label.value).is_some();
        wire.functions.retain(|f| named(f) || invoked.contains(&&*f.name.value));
        for row in &raw.rows {
            for call in row.calls.iter().filter(|call| !call.value.contains(INVOKE)) {
                let Some(signature) = self.signature(&call.value) else {
                    continue;
                };
                let written = wire.functions.iter_mut().find(|f| f.label.value == call.value);
                match written {
                    Some(function) => derive(function, row, call, signature),
                    None => {
                        let mut function = bare(call);
                        derive(&mut function, row, call, signature);
                        wire.functions.push(function);
                    }
                }
            }
        }
        wire
    }

    /// Checks that the documented wire exists, because examples use documented names.
    pub fn check_documented(&mut self, wires: &[Arc<RawWire>]) {
        if let (false, Some(first)) = (wires.iter().any(|wire| wire.documented), wires.first()) {
            let title = "no wire has `names = \"documented\"`: examples need the documented names";
            self.error(Diag::new(&first.family.span, title).help("keep wire/api.toml"));
        }
    }

    fn signature(&self, name: &str) -> Option<&'_ RawSignature> {
        self.raw.signatures.iter().find(|s| &*s.name.value == name)
    }

    /// Compiles a call that names a function, and the event with its result.
    pub fn invoke(&mut self, raw: &RawFunction, result_event: &Spanned<Text>) -> Option<Target> {
        let call = self.sig(raw.call.as_ref().unwrap_or(&raw.name))?;
        let event = self.sig(result_event)?;
        for sig in [call, event] {
            if self.signatures[sig].args.len() != 3 {
                let title = format!("`{}` does not take three arguments", self.signatures[sig].name);
                let help =
                    "the call takes a function, its arguments and a number; the event a number, a reason and a reply";
                self.error(Diag::new(&raw.span, title).help(help));
                return None;
            }
        }
        Some(Target::Invoke(Invoke {
            call,
            result_event: event,
        }))
    }

    /// Compiles the reply of a function that is a single value.
    pub fn single_value_reply(&mut self, raw: &RawFunction, row: &Row) -> Option<Fold> {
        let written = raw.whole.as_ref()?;
        match self.fold(written, row)? {
            fold @ (Fold::Arg { .. } | Fold::Field(_)) => Some(fold),
            Fold::Zip { .. } | Fold::Object { .. } => {
                self.error(Diag::new(
                    &written.span,
                    "write a single-value reply as Event.arg or $field",
                ));
                None
            }
        }
    }
}

fn own_names(signature: &RawSignature) -> Vec<(Spanned<Text>, Spanned<Text>)> {
    let spanned = |name: &Text| Spanned {
        value: name.clone(),
        span: signature.name.span.clone(),
    };
    let args = signature.args.iter();
    args.map(|(name, _)| (spanned(name), spanned(name))).collect()
}

/// Derives a call's function; a call whose row does not name it keeps its entry.
fn derive(function: &mut RawFunction, row: &RawRow, call: &Spanned<Text>, signature: &RawSignature) {
    function.row.get_or_insert_with(|| Spanned {
        value: row.id.value.clone(),
        span: call.span.clone(),
    });
    function.call.get_or_insert_with(|| call.clone());
    if function.args.is_empty() {
        function.args = own_names(signature);
    }
}

fn bare(call: &Spanned<Text>) -> RawFunction {
    RawFunction {
        name: call.clone(),
        span: call.span.clone(),
        row: None,
        call: None,
        local: None,
        result_event: None,
        args: Vec::new(),
        constants: None,
        label: call.clone(),
        when: None,
        whole: None,
        reply: Vec::new(),
        failure: FailureForm::Own,
        ends: false,
        acknowledges: None,
        made_by_client: Vec::new(),
    }
}
