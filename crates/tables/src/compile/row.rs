//! Compilation of rows: names, slots, `let` values, answers.

use rtm::value::{Text, Value};
use rtm::{ErrorEnum, EventKind, FieldType, RtmError};

use crate::ast::{RawLet, RawRow};
use crate::compile::Compiler;
use crate::compile::scope::Scope;
use crate::condition::{Emulation, EmulationInput, EmulationOutcome, EmulationValue};
use crate::diagnostics::Diag;
use crate::expr::Expr;
use crate::reason::ReasonId;
use crate::row::{Answer, Failure, Lane, Let, LetDefault, Outcome, Page, Row, RowId, RowKind, SigId, Status};
use crate::scope::Ambient;
use crate::spanned_toml::Spanned;
use crate::spanned_value::{Node, NodeKind};
use crate::ty::{RTM_PARAM_TYPES, SigType, Ty};

impl Compiler<'_> {
    /// Compiles one row; its errors are reported and the rest is still compiled.
    pub fn row(&mut self, id: RowId, raw: &RawRow) -> Row {
        let kind = self.kind(raw);
        let (slots, args) = self.slots(raw, &kind);
        let scope = self.base_scope(id, raw, &slots);
        let let_values = raw
            .let_values
            .iter()
            .filter_map(|l| self.row_let(l, &slots, &scope))
            .collect();
        let steps = raw
            .steps
            .iter()
            .filter_map(|step| self.step(raw, step, &slots, &scope))
            .collect();
        let outcomes: Vec<Outcome> = raw
            .outcomes
            .iter()
            .filter_map(|o| self.outcome(id, raw, o, &slots, &scope))
            .collect();
        let emulation = raw.emulation.as_ref().map(|e| e.value);
        let answer = self.answer(raw, &scope);
        self.check_reached(raw, &kind);
        let find = |ty: SigType| slots[..args].iter().position(|(_, have)| *have == Ty::Sig(ty));
        Row {
            id: raw.id.value.clone(),
            place: place(&raw.id),
            status: raw.status.unwrap_or(Status::Direct),
            pages: self.pages(raw),
            codes: raw.codes.iter().filter_map(|code| self.code_id(code)).collect(),
            emulation,
            emulation_outcomes: emulation_outcomes(&outcomes),
            emulation_slots: emulation_slots(emulation, &slots),
            emulation_inputs: emulation_inputs(&slots),
            fail: self.row_failure(id, raw, &kind, &scope),
            lane: self.lane(raw),
            limit: raw.limit,
            account: find(SigType::Account),
            channel: find(SigType::Channel),
            args,
            let_values,
            steps,
            answer,
            outcomes,
            members: self.members(raw),
            source: raw.source.clone(),
            kind,
            slots,
        }
    }

    fn kind(&mut self, raw: &RawRow) -> RowKind {
        if let Some(on) = &raw.on {
            if !raw.calls.is_empty() {
                self.error(Diag::new(
                    &on.span,
                    "a row is entered by `call` or by `on`, not by both",
                ));
            }
            return match EventKind::parse(&on.value) {
                Some(event) => RowKind::Event(event),
                None => {
                    let names = EventKind::ALL.iter().map(|e| e.name());
                    let title = format!("RTM has no event `{}`", on.value);
                    self.error(Diag::new(&on.span, title).did_you_mean(&on.value, names));
                    RowKind::Result
                }
            };
        }
        if raw.calls.is_empty() {
            return RowKind::Result;
        }
        let calls = raw.calls.iter().filter(|call| !call.value.starts_with("invoke:"));
        RowKind::Call(calls.filter_map(|call| self.sig(call)).collect())
    }

    /// Assigns the slots: first arguments (or event fields, or params), then `let` values, results,
    /// and the emulation's values.
    fn slots(&mut self, raw: &RawRow, kind: &RowKind) -> (Vec<(Text, Ty)>, usize) {
        let mut slots: Vec<(Text, Ty)> = Vec::new();
        match kind {
            RowKind::Call(sigs) => {
                for (name, ty) in sigs.iter().flat_map(|&sig| self.signatures[sig].args.clone()) {
                    if !slots.iter().any(|(known, _)| *known == name) {
                        slots.push((name, Ty::Sig(ty)));
                    }
                }
            }
            RowKind::Event(event) => {
                slots.extend(event.fields().iter().map(|f| (f.name.into(), Ty::Rtm(f.ty))));
            }
            RowKind::Result => {}
        }
        for (name, ty) in &raw.params {
            if let Some(ty) = self.param_type(ty) {
                slots.push((name.value.clone(), ty));
            }
        }
        let args = slots.len();
        for raw in &raw.let_values {
            let ty = self.sig_type(&raw.ty).unwrap_or(SigType::Text);
            slots.push((raw.name.value.clone(), Ty::Sig(ty)));
        }
        for step in &raw.steps {
            let call = step.rtm.as_ref().and_then(|name| rtm::CallKind::parse(&name.value));
            if let (Some(bind), Some(call)) = (&step.bind, call)
                // Steps of which only one runs may store their results under the same name.
                && !slots[args..].iter().any(|(name, _)| *name == bind.value)
            {
                slots.push((bind.value.clone(), Ty::Rtm(call.reply().field_type())));
            }
        }
        let values_given = raw.emulation.as_ref().map_or(&[][..], |e| e.value.values_given());
        slots.extend(values_given.iter().map(|(value, ty)| (Text::from(value.name()), *ty)));
        (slots, args)
    }

    fn base_scope(&mut self, id: RowId, raw: &RawRow, slots: &[(Text, Ty)]) -> Scope {
        let mut scope = Scope::default();
        for (slot, (name, ty)) in slots.iter().enumerate() {
            scope.add(name.clone(), *ty, Expr::Slot(slot));
        }
        if raw.by.is_some() {
            scope.add("reason", Ty::Sig(SigType::Text), Expr::MemberReason(id));
        }
        if raw.steps.iter().any(|step| step.value.is_some()) {
            scope.add("value", Ty::Any, Expr::Ambient(Ambient::Value));
        }
        scope
    }

    fn row_let(&mut self, raw: &RawLet, slots: &[(Text, Ty)], scope: &Scope) -> Option<Let> {
        let from = Node {
            span: raw.from.span.clone(),
            kind: NodeKind::Text(raw.from.value.clone()),
        };
        let (from, have) = self.path(&from, &raw.from.value, scope)?;
        let ty = self.sig_type(&raw.ty)?;
        let from = match (&raw.json, self.converted(from.clone(), have, Ty::Sig(ty))) {
            (Some(_), _) => from,
            (None, Some(converted)) => converted,
            (None, None) => {
                let title = format!("`{}` is {have} and cannot be read as {}", raw.from.value, raw.ty.value);
                self.error(Diag::new(&raw.from.span, title));
                return None;
            }
        };
        let otherwise = match &raw.otherwise {
            None => LetDefault::Value(Value::Null),
            Some(node) => match &node.kind {
                NodeKind::Literal(value) => LetDefault::Value(value.clone()),
                NodeKind::Text(text) if &**text == "config.invite.timeout" => LetDefault::InviteTimeout,
                NodeKind::Text(text) if &**text == "$self" => LetDefault::OwnAccount,
                NodeKind::Text(text) if text.starts_with("config.") => {
                    self.error(
                        Diag::new(&node.span, format!("`{text}` is not a value that tables may use"))
                            .help("known: config.invite.timeout"),
                    );
                    return None;
                }
                _ => LetDefault::Value(node.to_value()),
            },
        };
        let slot = slots.iter().rposition(|(name, _)| *name == raw.name.value)?;
        Some(Let {
            slot,
            from,
            json: raw.json.clone(),
            ty,
            otherwise,
            clamp: raw.clamp,
            positive: raw.positive,
        })
    }

    fn answer(&mut self, raw: &RawRow, scope: &Scope) -> Answer {
        let Some(answer) = &raw.answer else {
            if !raw.calls.is_empty() {
                self.error(
                    Diag::new(&raw.id.span, format!("row `{}` never answers", raw.id.value))
                        .help("add [row.answer] with at = \"accepted\", \"first\" or \"done\""),
                );
            }
            return Answer::default();
        };
        let mut emit = Vec::new();
        for name in &answer.emit {
            emit.extend(self.outcome_index(raw, name));
        }
        let mut fields = Vec::new();
        for (name, node) in answer.fields.iter().flat_map(|f| f.as_map().unwrap_or_default()) {
            if let Some((expr, _)) = self.infer(node, scope) {
                fields.push((name.value.clone(), expr));
            }
        }
        Answer {
            at: answer.at,
            emit,
            fields,
        }
    }

    /// Returns the position of an outcome among the bound ones.
    pub fn outcome_index(&mut self, raw: &RawRow, name: &Spanned<Text>) -> Option<usize> {
        let index = raw.outcomes.iter().position(|o| o.name.value == name.value);
        if index.is_none() {
            let title = format!("outcome `{}` is not bound in row `{}`", name.value, raw.id.value);
            let names: Vec<&str> = raw.outcomes.iter().map(|o| &*o.name.value).collect();
            let diag = Diag::new(&name.span, title).help(format!("bind it in [row.outcome]: {} = {{ … }}", name.value));
            self.error(diag.did_you_mean(&name.value, names));
        }
        index
    }

    /// Checks that every outcome of the emulation is bound, and that every bound outcome is
    /// reachable.
    fn check_reached(&mut self, raw: &RawRow, kind: &RowKind) {
        let declared = raw.emulation.as_ref().map_or(&[][..], |e| e.value.outcomes());
        for name in declared.iter().map(|outcome| outcome.name()) {
            if !raw.outcomes.iter().any(|o| &*o.name.value == name) {
                let span = raw.emulation.as_ref().map_or(&raw.id.span, |e| &e.span);
                let title = format!(
                    "outcome `{name}` of the emulation is not bound in row `{}`",
                    raw.id.value
                );
                self.error(Diag::new(span, title).help(format!("bind it in [row.outcome]: {name} = {{ … }}")));
            }
        }
        let reached = |name: &str| {
            declared.iter().any(|outcome| outcome.name() == name)
                || (name == "default" && !matches!(kind, RowKind::Call(_)))
                || raw.answer.iter().any(|a| a.emit.iter().any(|e| &*e.value == name))
                || raw
                    .outcomes
                    .iter()
                    .any(|o| o.otherwise.as_ref().is_some_and(|other| &*other.value == name))
                || raw.steps.iter().any(|step| {
                    step.outcome.as_ref().is_some_and(|o| &*o.value == name)
                        || step.expect.as_ref().is_some_and(|e| &*e.otherwise.value == name)
                        || step.errors.iter().any(|(_, to)| &*to.value == name)
                })
        };
        for outcome in raw.outcomes.iter().filter(|o| !reached(&o.name.value)) {
            let title = format!("the outcome `{}` is unreachable", outcome.name.value);
            let help = "name it in answer.emit, expect, errors or a step, or remove it";
            self.error(Diag::new(&outcome.name.span, title).help(help));
        }
    }

    fn row_failure(&mut self, id: RowId, raw: &RawRow, kind: &RowKind, scope: &Scope) -> Option<Failure> {
        let Some(class) = &raw.fail else {
            if matches!(kind, RowKind::Call(_)) {
                let title = format!("row `{}` does not say how it fails", raw.id.value);
                self.error(Diag::new(&raw.id.span, title).help("add fail = \"…\" with a class of errors.toml"));
            }
            return None;
        };
        if self.row_ids.contains_key(&class.value) {
            return self.row_as_failure(class, scope);
        }
        self.failure(id, class, Expr::Ambient(Ambient::Reason), scope)
    }

    fn lane(&mut self, raw: &RawRow) -> Lane {
        if let (Some(_), Some(after)) = (&raw.serial, &raw.after) {
            self.error(Diag::new(&after.span, "a row is either `serial` or `after`, not both"));
        }
        for (lane, name) in [(Lane::Serial, &raw.serial), (Lane::After, &raw.after)] {
            if let Some(name) = name {
                if &*name.value != "channel" {
                    let title = format!("unknown lane `{}`", name.value);
                    self.error(Diag::new(&name.span, title).help("the only lane is `channel`"));
                }
                return lane;
            }
        }
        Lane::Free
    }

    fn members(&mut self, raw: &RawRow) -> Vec<(RtmError, ReasonId)> {
        let Some(by) = &raw.by else {
            if let Some((name, _)) = raw.members.first() {
                self.error(Diag::new(&name.span, "the members need an enum").help("add by = \"…\" to the row"));
            }
            return Vec::new();
        };
        let Some(of) = ErrorEnum::parse(&by.value) else {
            let names = ErrorEnum::ALL.iter().map(|e| e.name());
            let title = format!("RTM has no error enum `{}`", by.value);
            self.error(Diag::new(&by.span, title).did_you_mean(&by.value, names));
            return Vec::new();
        };
        let mut members = Vec::new();
        for (name, reason) in &raw.members {
            self.check_reason(reason);
            let id = self.reason_id(&reason.value);
            members.extend(self.error_member(&[of], name).map(|error| (error, id)));
        }
        let missing: Vec<_> = of
            .members()
            .into_iter()
            .filter(|e| !members.iter().any(|(m, _)| m == e))
            .collect();
        for error in missing {
            let title = format!("row `{}` has no text for {}", raw.id.value, error.name());
            self.error(
                Diag::new(&by.span, title).help(format!("add {} = {{ reason = \"…\" }} to [row.member]", error.name())),
            );
        }
        members
    }

    /// Returns a member of the given enums by name.
    pub fn error_member(&mut self, of: &[ErrorEnum], name: &Spanned<Text>) -> Option<RtmError> {
        let error = of.iter().find_map(|e| e.member(&name.value));
        if error.is_none() {
            let enums: Vec<&str> = of.iter().map(|e| e.name()).collect();
            let title = format!("`{}` is not a member of {}", name.value, enums.join(" or "));
            let names = of.iter().flat_map(|e| e.members()).map(|m| m.name());
            self.error(Diag::new(&name.span, title).did_you_mean(&name.value, names));
        }
        error
    }

    fn pages(&mut self, raw: &RawRow) -> Vec<Page> {
        let pages = raw.pages.iter().map(|page| Page {
            platform: page.platform.value.clone(),
            status: page.status,
            signaling: page.signaling.clone(),
            note: page.note.clone(),
            codes: page.codes.iter().filter_map(|code| self.code_id(code)).collect(),
        });
        pages.collect()
    }

    fn sig_type(&mut self, name: &Spanned<Text>) -> Option<SigType> {
        let ty = SigType::NAMES
            .iter()
            .find(|(known, _)| *known == &*name.value)
            .map(|(_, ty)| *ty);
        if ty.is_none() {
            let names = SigType::NAMES.iter().map(|(name, _)| *name);
            self.error(
                Diag::new(&name.span, format!("unknown type `{}`", name.value)).did_you_mean(&name.value, names),
            );
        }
        ty
    }

    fn param_type(&mut self, name: &Spanned<Text>) -> Option<Ty> {
        let rtm: Option<FieldType> = RTM_PARAM_TYPES
            .iter()
            .find(|(n, _)| *n == &*name.value)
            .map(|(_, ty)| *ty);
        match rtm {
            Some(ty) => Some(Ty::Rtm(ty)),
            None => self.sig_type(name).map(Ty::Sig),
        }
    }

    /// Returns the row of each RTM event.
    pub fn rows_by_event(&mut self, rows: &[Row]) -> Vec<Option<RowId>> {
        let mut by_event = vec![None; EventKind::ALL.len()];
        let mut calls: Vec<(SigId, RowId)> = Vec::new();
        for (id, row) in rows.iter().enumerate() {
            match &row.kind {
                RowKind::Event(event) => {
                    let entry: &mut Option<RowId> = &mut by_event[*event as usize];
                    if let (Some(first), Some(on)) = (*entry, &self.raw.rows[id].on) {
                        let title = format!("duplicate row: `{}` enters `{}` already", event.name(), rows[first].id);
                        self.diags.push(Diag::new(&on.span, title));
                    }
                    entry.get_or_insert(id);
                }
                RowKind::Call(sigs) => {
                    for &sig in sigs {
                        if let Some((_, first)) = calls.iter().find(|(known, _)| *known == sig) {
                            let title = format!(
                                "duplicate row: `{}` enters `{}` already",
                                self.signatures[sig].name, rows[*first].id
                            );
                            self.diags.push(Diag::new(&self.raw.rows[id].id.span, title));
                        }
                        calls.push((sig, id));
                    }
                }
                RowKind::Result => {}
            }
        }
        by_event
    }
}

fn place(id: &Spanned<Text>) -> Text {
    let (line, _) = id.span.position();
    format!("{}:{line}", id.span.source().name).into()
}

fn emulation_outcomes(outcomes: &[Outcome]) -> Vec<Option<usize>> {
    let position = |known: &EmulationOutcome| outcomes.iter().position(|outcome| *outcome.name == *known.name());
    EmulationOutcome::ALL.iter().map(position).collect()
}

fn emulation_inputs(slots: &[(Text, Ty)]) -> [Option<usize>; EmulationInput::COUNT] {
    EmulationInput::ALL.map(|input| slots.iter().position(|(slot, _)| **slot == *input.name()))
}

fn emulation_slots(emulation: Option<Emulation>, slots: &[(Text, Ty)]) -> [Option<usize>; EmulationValue::COUNT] {
    let mut found = [None; EmulationValue::COUNT];
    for (value, _) in emulation.map_or(&[][..], Emulation::values_given) {
        found[*value as usize] = slots.iter().rposition(|(slot, _)| **slot == *value.name());
    }
    found
}
