//! Compilation of outcomes. An outcome that names another row is compiled in place: at run time no
//! row jumps into another.

use rtm::value::{Text, Value};

use crate::ast::{RawOutcome, RawRow};
use crate::compile::Compiler;
use crate::compile::scope::{Scope, with_entry, with_failure};
use crate::condition::Emulation;
use crate::diagnostics::Diag;
use crate::expr::Expr;
use crate::reason::ReasonSource;
use crate::row::{Emission, Failure, ListRule, Outcome, RowId, SigId};
use crate::scope::Ambient;
use crate::spanned_toml::Spanned;
use crate::spanned_value::{Node, NodeKind};
use crate::ty::{SigType, Ty};

/// The help for a failure whose reason is computed.
const REASON_HELP: &str = "use a text of [reason] in errors.toml, or the `$reason` of a row with `by`";

type Slots = [(Text, Ty)];

impl Compiler<'_> {
    /// Compiles one outcome of row `id`.
    pub fn outcome(
        &mut self,
        id: RowId,
        row: &RawRow,
        raw: &RawOutcome,
        slots: &Slots,
        scope: &Scope,
    ) -> Option<Outcome> {
        let conds = self.conds(&raw.conds, slots);
        let rtm = match &raw.rtm {
            Some(name) => {
                let kind = self.call_kind(name)?;
                Some(self.call_template(name, kind, raw.args.as_ref(), None, scope)?)
            }
            None => None,
        };
        let keeps = row.emulation.as_ref().is_some_and(|e| e.value == Emulation::Outbox);
        if raw.hold && !keeps {
            let title = format!("row `{}` has no outbox", row.id.value);
            self.error(Diag::new(&raw.span, title).help("add emulation = \"outbox\" to the row"));
        }
        let code = match &raw.code {
            Some(name) => {
                let paged = row.pages.iter().flat_map(|p| &p.codes);
                if !row.codes.iter().chain(paged).any(|c| c.value == name.value) {
                    let title = format!("row `{}` does not list the code `{}`", row.id.value, name.value);
                    self.error(Diag::new(&name.span, title).help("add it to the row's `code`"));
                }
                Some(self.code_id(name)?)
            }
            None => None,
        };
        if let (Some(event), Some(fail)) = (&raw.event, &raw.fail) {
            let title = format!(
                "`{}` has either the event `{}` or a failure",
                raw.name.value, event.value
            );
            self.error(Diag::new(&fail.span, title).help("a failure class has its own event"));
        }
        if raw.self_last && raw.last.is_none() {
            let title = format!("`{}` places oneself (`self`) without a list", raw.name.value);
            self.error(Diag::new(&raw.span, title).help("add last = n"));
        }
        let (emission, failure) = self.legacy_side(id, raw, scope, 0)?;
        let is_entered = row.on.is_some() || !row.calls.is_empty();
        if is_entered && failure.as_ref().is_some_and(|f| f.reason == ReasonSource::Parameter) {
            let title = format!("the reason of `{}` is not a declared one", raw.name.value);
            self.error(Diag::new(&raw.span, title).help(REASON_HELP));
        }
        if !raw.hold && rtm.is_none() && code.is_none() && emission.is_none() && failure.is_none() {
            let title = format!("the outcome `{}` does nothing", raw.name.value);
            self.error(Diag::new(&raw.span, title).help("give it one of: event, fail, row, rtm, code"));
        }
        Some(Outcome {
            name: raw.name.value.clone(),
            conds,
            otherwise: raw.otherwise.as_ref().and_then(|name| self.outcome_index(row, name)),
            hold: raw.hold,
            rtm,
            code,
            failure,
            emission,
        })
    }

    /// Compiles the legacy side of an outcome: an event, a failure, or an outcome of another row.
    fn legacy_side(
        &mut self,
        id: RowId,
        raw: &RawOutcome,
        scope: &Scope,
        depth: usize,
    ) -> Option<(Option<Emission>, Option<Failure>)> {
        if let Some(event) = &raw.event {
            let mut inner = scope.clone();
            if raw.each.is_some() {
                inner = with_entry(&inner);
            }
            let emission = self.emission(id, event, raw, &inner, scope)?;
            return Some((Some(emission), None));
        }
        let failure = match &raw.fail {
            Some(class) => {
                let reason = match &raw.reason {
                    Some(node) => self.reason(node, scope)?,
                    None => {
                        let title = format!("the failure `{}` needs a reason", raw.name.value);
                        self.error(Diag::new(&raw.span, title).help("add reason = \"…\""));
                        return None;
                    }
                };
                Some(self.failure(id, class, reason, scope)?)
            }
            None => None,
        };
        let Some(target) = &raw.row else {
            return Some((None, failure));
        };
        let target_id = self.row_id(target)?;
        if depth > 4 {
            self.error(Diag::new(&target.span, "outcomes form a cycle"));
            return None;
        }
        let rows = &self.raw.rows;
        let target_row = &rows[target_id];
        let Some(default) = target_row.outcomes.iter().find(|o| &*o.name.value == "default") else {
            let title = format!("row `{}` has no outcome `default`", target.value);
            self.error(Diag::new(&target.span, title));
            return None;
        };
        let inner = self.entered(raw, target_id, scope)?;
        let (emission, inner_failure) = self.legacy_side(target_id, default, &inner, depth + 1)?;
        Some((emission, failure.or(inner_failure)))
    }

    /// Compiles a row that reports another row's failure, independent of the reason.
    pub fn row_as_failure(&mut self, target: &Spanned<Text>, scope: &Scope) -> Option<Failure> {
        let id = self.row_id(target)?;
        let row = &self.raw.rows[id];
        let default = row.outcomes.iter().find(|o| &*o.name.value == "default")?;
        let mut inner = Scope::default();
        for (name, _) in &row.params {
            match scope.get(&name.value) {
                Some((ty, expr)) => inner.add(name.value.clone(), ty, expr.clone()),
                None if &*name.value == "reason" => {
                    inner.add("reason", Ty::Sig(SigType::Text), Expr::Ambient(Ambient::Reason));
                }
                None => {
                    let title = format!(
                        "row `{}` needs `{}`, which is not available here",
                        target.value, name.value
                    );
                    self.error(Diag::new(&target.span, title));
                }
            }
        }
        let (_, failure) = self.legacy_side(id, default, &inner, 0)?;
        if failure.is_none() {
            self.error(Diag::new(
                &target.span,
                format!("row `{}` is not a failure", target.value),
            ));
        }
        failure
    }

    /// Returns the scope of a row that an outcome names: `with` first, then the same names of the
    /// outcome's row.
    fn entered(&mut self, raw: &RawOutcome, target: RowId, scope: &Scope) -> Option<Scope> {
        let row = &self.raw.rows[target];
        let mut wanted: Vec<(Text, Ty)> = Vec::new();
        for (name, ty) in &row.params {
            let sig = SigType::NAMES
                .iter()
                .find(|(known, _)| *known == &*ty.value)
                .map(|(_, ty)| Ty::Sig(*ty));
            let rtm = || {
                crate::ty::RTM_PARAM_TYPES
                    .iter()
                    .find(|(n, _)| *n == &*ty.value)
                    .map(|(_, ty)| Ty::Rtm(*ty))
            };
            wanted.push((name.value.clone(), sig.or_else(rtm)?));
        }
        for raw in &row.let_values {
            let sig = SigType::NAMES.iter().find(|(known, _)| *known == &*raw.ty.value)?;
            wanted.push((raw.name.value.clone(), Ty::Sig(sig.1)));
        }
        if row.by.is_some() {
            wanted.push(("reason".into(), Ty::Sig(SigType::Text)));
        }
        let with = raw.with.as_ref().and_then(Node::as_map).unwrap_or_default();
        for (name, _) in with {
            if !wanted.iter().any(|(known, _)| *known == name.value) {
                let title = format!("row `{}` takes no `{}`", row.id.value, name.value);
                self.error(Diag::new(&name.span, title).did_you_mean(&name.value, wanted.iter().map(|(n, _)| &**n)));
            }
        }
        let by = row.by.is_some();
        let mut inner = Scope::default();
        for (name, ty) in wanted {
            let given = raw.with.as_ref().and_then(|with| with.get(&name));
            let expr = match (given, scope.get(&name)) {
                (Some(node), _) if &*name == "reason" => self.reason(node, scope)?,
                (Some(node), _) => self.expr(node, ty, scope)?,
                (None, _) if by && &*name == "reason" => Expr::MemberReason(target),
                (None, Some((have, expr))) => match self.converted(expr.clone(), have, ty) {
                    Some(expr) => expr,
                    None => {
                        let title = format!("`{name}`: expected {ty}, got {have}");
                        self.error(Diag::new(&raw.span, title));
                        return None;
                    }
                },
                (None, None) => {
                    let title = format!(
                        "row `{}` needs `{name}`, which is not available here",
                        self.raw.rows[target].id.value
                    );
                    self.error(Diag::new(&raw.span, title).help(format!("set it in with = {{ {name} = … }}")));
                    return None;
                }
            };
            inner.add(name, ty, expr);
        }
        Some(inner)
    }

    /// Compiles a failure's text: a declared reason, or a path to one.
    fn reason(&mut self, node: &Node, scope: &Scope) -> Option<Expr> {
        if let NodeKind::Text(text) = &node.kind
            && !text.contains('$')
        {
            self.check_reason(&Spanned {
                value: text.clone(),
                span: node.span.clone(),
            });
        }
        let expr = self.expr(node, Ty::Sig(SigType::Text), scope)?;
        if reason_source(&expr).is_none() && !matches!(expr, Expr::Const(_)) {
            let title = format!("the reason `{}` is not a declared one", shown(node));
            self.error(Diag::new(&node.span, title).help(REASON_HELP));
            return Some(Expr::Ambient(Ambient::Reason));
        }
        Some(expr)
    }

    /// Compiles a failure of a class, with its event.
    pub fn failure(&mut self, id: RowId, class: &Spanned<Text>, reason: Expr, scope: &Scope) -> Option<Failure> {
        let fail = self.fail_id(class)?;
        let event = self.fails[fail].event;
        let args = self.raw.fails[fail].args.clone()?;
        let scope = with_failure(scope);
        let args = self.event_args(event, &args, &class.span, &scope)?;
        let emission = Emission {
            row: id,
            event,
            args,
            each: None,
            list: None,
        };
        Some(Failure {
            class: fail,
            reason: self.reason_source(&reason, class)?,
            emission,
        })
    }

    fn reason_source(&mut self, reason: &Expr, class: &Spanned<Text>) -> Option<ReasonSource> {
        if let Expr::Const(Value::Text(text)) = reason {
            return Some(ReasonSource::Fixed(self.reason_id(text)));
        }
        let source = reason_source(reason);
        if source.is_none() {
            let title = format!("the reason of `{}` is not a declared one", class.value);
            self.error(Diag::new(&class.span, title).help(REASON_HELP));
        }
        source
    }

    fn emission(
        &mut self,
        id: RowId,
        event: &Spanned<Text>,
        raw: &RawOutcome,
        inner: &Scope,
        outer: &Scope,
    ) -> Option<Emission> {
        let sig = self.sig(event)?;
        let Some(args) = &raw.args else {
            self.error(Diag::new(&raw.span, format!("the event `{}` needs args", event.value)));
            return None;
        };
        let args = self.event_args(sig, args, &event.span, inner)?;
        let each = match &raw.each {
            Some(node) => Some(self.infer(node, outer)?.0),
            None => None,
        };
        let list = match &raw.last {
            Some(last) => Some(self.list_rule(&args, last, raw)?),
            None => None,
        };
        Some(Emission {
            row: id,
            event: sig,
            args,
            each,
            list,
        })
    }

    /// Compiles the arguments of an event in their order; all are required.
    fn event_args(
        &mut self,
        sig: SigId,
        args: &Node,
        at: &crate::diagnostics::Span,
        scope: &Scope,
    ) -> Option<Vec<Expr>> {
        let signature = self.signatures.get(sig)?.clone();
        for (name, _) in args.as_map().unwrap_or_default() {
            if signature.arg(&name.value).is_none() {
                let names = signature.args.iter().map(|(n, _)| &**n);
                let title = format!("`{}` has no argument `{}`", signature.name, name.value);
                self.error(Diag::new(&name.span, title).did_you_mean(&name.value, names));
            }
        }
        let mut exprs = Vec::new();
        for (name, ty) in &signature.args {
            let Some(node) = args.get(name) else {
                self.error(Diag::new(
                    at,
                    format!("`{}` needs the argument `{name}`", signature.name),
                ));
                return None;
            };
            exprs.push(self.expr(node, Ty::Sig(*ty), scope)?);
        }
        Some(exprs)
    }

    /// Compiles `last` and `self`, which apply to the only slot of the list arguments.
    fn list_rule(&mut self, args: &[Expr], last: &Spanned<i64>, raw: &RawOutcome) -> Option<ListRule> {
        fn slot(expr: &Expr) -> Option<usize> {
            match expr {
                Expr::Slot(slot) => Some(*slot),
                Expr::Convert(_, of) => slot(of),
                Expr::Call(_, args) => args.iter().find_map(slot),
                _ => None,
            }
        }
        let slots: Vec<usize> = args.iter().filter_map(slot).collect();
        let Some(&slot) = slots.first() else {
            self.error(Diag::new(&last.span, "`last` needs arguments that come from one list"));
            return None;
        };
        if !raw.self_last {
            self.error(Diag::new(&raw.span, "a list of users needs a place for oneself").help("add self = \"last\""));
        }
        Some(ListRule {
            slot,
            last: usize::try_from(last.value).unwrap_or(usize::MAX),
        })
    }
}

/// Returns the source of a reason that is not a text.
fn reason_source(reason: &Expr) -> Option<ReasonSource> {
    match reason {
        Expr::MemberReason(row) => Some(ReasonSource::Member(*row)),
        Expr::Ambient(Ambient::Reason) => Some(ReasonSource::Given),
        Expr::Slot(_) => Some(ReasonSource::Parameter),
        _ => None,
    }
}

fn shown(node: &Node) -> Text {
    node.as_text()
        .cloned()
        .unwrap_or_else(|| node.to_value().to_json().into())
}
