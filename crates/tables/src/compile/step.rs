//! Compilation of steps: conditions, calls, results.

use rtm::value::{Text, Value};
use rtm::{CallKind, FieldType, RtmError};

use crate::ast::{RawRow, RawStep};
use crate::compile::Compiler;
use crate::compile::scope::Scope;
use crate::condition::{Cond, Condition};
use crate::diagnostics::Diag;
use crate::expr::Expr;
use crate::row::{CallTemplate, Expect, Gather, Handling, RtmStep, Step, StepKind};
use crate::spanned_toml::Spanned;
use crate::spanned_value::Node;
use crate::ty::{SigType, Ty};

type Slots = [(Text, Ty)];

impl Compiler<'_> {
    /// Compiles one step.
    pub fn step(&mut self, row: &RawRow, raw: &RawStep, slots: &Slots, scope: &Scope) -> Option<Step> {
        let conds = self.conds(&raw.conds, slots);
        let kind = match (&raw.rtm, &raw.row, &raw.outcome, &raw.value) {
            (Some(rtm), None, None, _) => StepKind::Rtm(Box::new(self.rtm_step(row, raw, rtm, slots, scope)?)),
            (None, Some(target), None, None) => {
                let id = self.row_id(target)?;
                StepKind::Row {
                    row: id,
                    args: self.row_args(id, raw, scope),
                }
            }
            (None, None, Some(outcome), None) => StepKind::Outcome(self.outcome_index(row, outcome)?),
            (None, None, None, Some(value)) => StepKind::Value {
                expr: self.infer(value, scope)?.0,
                expect: self.expect(row, raw, Ty::Any, scope)?,
            },
            _ => {
                let title = "a step does exactly one of: rtm, row, outcome, value";
                self.error(Diag::new(&raw.span, title));
                return None;
            }
        };
        Some(Step {
            conds,
            kind,
            together: raw.together,
        })
    }

    /// Compiles conditions by name, negated with `!`. A `let` of type flag is a condition of its
    /// row.
    pub fn conds(&mut self, names: &[Spanned<Text>], slots: &Slots) -> Vec<Cond> {
        let mut conds = Vec::new();
        for name in names {
            let (negated, plain) = match name.value.strip_prefix('!') {
                Some(plain) => (true, plain),
                None => (false, &*name.value),
            };
            let fixed = Condition::NAMES
                .iter()
                .find(|(known, _)| *known == plain)
                .map(|(_, condition)| *condition);
            let call = || CallKind::parse(plain).map(Condition::Can);
            let flag = || {
                slots
                    .iter()
                    .position(|(s, ty)| &**s == plain && *ty == Ty::Sig(SigType::Flag))
                    .map(Condition::Flag)
            };
            match fixed.or_else(call).or_else(flag) {
                Some(condition) => conds.push(Cond { condition, negated }),
                None => {
                    let known = Condition::NAMES
                        .iter()
                        .map(|(name, _)| *name)
                        .chain(CallKind::ALL.iter().map(|c| c.name()));
                    let title = format!("`{plain}` is not a condition");
                    self.error(Diag::new(&name.span, title).did_you_mean(plain, known));
                }
            }
        }
        conds
    }

    fn rtm_step(
        &mut self,
        row: &RawRow,
        raw: &RawStep,
        rtm: &Spanned<Text>,
        slots: &Slots,
        scope: &Scope,
    ) -> Option<RtmStep> {
        let kind = self.call_kind(rtm)?;
        let gathered = raw.gather.as_ref().map(|g| &*g.arg.value);
        let call = self.call_template(rtm, kind, raw.args.as_ref(), gathered, scope)?;
        let bind = raw
            .bind
            .as_ref()
            .and_then(|name| slots.iter().position(|(slot, _)| *slot == name.value));
        let expect = self.expect(row, raw, key_type(kind), scope)?;
        let via_member = self.via(raw);
        let value = match &raw.value {
            Some(node) => match node.get("at") {
                Some(at) => Some(Some(self.expr(at, key_type(kind), scope)?)),
                None => {
                    self.error(Diag::new(&node.span, "expected `value = { at = \"…\" }`"));
                    return None;
                }
            },
            None => None,
        };
        let mut waits = Vec::new();
        for (name, time) in &raw.waits {
            let error = self.error_member(kind.errors(), name)?;
            waits.push((error, time.value));
        }
        let gather = match &raw.gather {
            Some(raw) => {
                let field = kind.fields().iter().position(|f| f.name == &*raw.arg.value);
                let Some(arg) = field else {
                    self.error(Diag::new(
                        &raw.arg.span,
                        format!("`{}` has no argument `{}`", rtm.value, raw.arg.value),
                    ));
                    return None;
                };
                let max = usize::try_from(raw.max.value).unwrap_or(1).max(1);
                let item = self.expr(&raw.from, key_type(kind), scope)?;
                Some(Gather {
                    arg,
                    item,
                    max,
                    every: raw.every.value,
                })
            }
            None => None,
        };
        Some(RtmStep {
            call,
            bind,
            expect,
            value,
            waits,
            errors: self.handlings(row, raw, rtm, kind),
            gather,
            via_member,
            lane: self.step_lane(raw, scope)?,
        })
    }

    /// Compiles the expectation of a result; `None` if it is invalid.
    fn expect(&mut self, row: &RawRow, raw: &RawStep, key: Ty, scope: &Scope) -> Option<Option<Expect>> {
        let Some(expect) = &raw.expect else { return Some(None) };
        Some(Some(Expect {
            at: match &expect.at {
                Some(at) => Some(self.expr(at, key, scope)?),
                None => None,
            },
            is: expect.is.as_ref().map(Node::to_value),
            otherwise: self.outcome_index(row, &expect.otherwise)?,
        }))
    }

    /// Compiles the name of a step's lane; `None` if it is invalid.
    fn step_lane(&mut self, raw: &RawStep, scope: &Scope) -> Option<Option<Expr>> {
        let Some(lane) = &raw.lane else { return Some(None) };
        if raw.gather.is_some() {
            let title = "gathered calls cannot have a lane";
            self.error(Diag::new(&lane.span, title).help("they are merged into one call anyway"));
            return None;
        }
        Some(Some(self.expr(lane, Ty::Sig(SigType::Text), scope)?))
    }

    fn via(&mut self, raw: &RawStep) -> bool {
        let Some(via) = &raw.via else { return false };
        if &*via.value != "member" {
            let title = format!("a call cannot be made via `{}`", via.value);
            self.error(Diag::new(&via.span, title).help("the only value is via = \"member\""));
        }
        if raw
            .rtm
            .as_ref()
            .is_none_or(|rtm| &*rtm.value != CallKind::GetMembers.name())
        {
            let title = "only getMembers can be made via a member: other calls need no membership";
            self.error(Diag::new(&via.span, title));
        }
        true
    }

    /// Compiles the handling of every member of the call's enums.
    fn handlings(
        &mut self,
        row: &RawRow,
        raw: &RawStep,
        rtm: &Spanned<Text>,
        kind: CallKind,
    ) -> Vec<(RtmError, Handling)> {
        let mut named = Vec::new();
        let mut any = None;
        for (name, to) in &raw.errors {
            let handling = if &*to.value == "continue" {
                Some(Handling::Continue)
            } else {
                self.outcome_index(row, to).map(Handling::Outcome)
            };
            if &*name.value == "any" {
                any = handling;
            } else if let (Some(error), Some(handling)) = (self.error_member(kind.errors(), name), handling) {
                named.push((error, handling));
            }
        }
        let members: Vec<RtmError> = kind.errors().iter().flat_map(|e| e.members()).collect();
        let missing = members
            .iter()
            .find(|&&m| any.is_none() && !named.iter().any(|(e, _)| *e == m));
        if let (Some(missing), true) = (missing, raw.errors.iter().all(|(name, _)| &*name.value != "any")) {
            let title = format!("{} of `{}` leads nowhere", missing.name(), rtm.value);
            self.error(
                Diag::new(&rtm.span, title).help("add errors = { any = \"…\" } with an outcome or \"continue\""),
            );
        }
        let handling = |m: RtmError| named.iter().find(|(e, _)| *e == m).map(|(_, h)| *h).or(any);
        members.into_iter().filter_map(|m| Some((m, handling(m)?))).collect()
    }

    /// Returns a call by its canonical name.
    pub fn call_kind(&mut self, name: &Spanned<Text>) -> Option<CallKind> {
        let kind = CallKind::parse(&name.value);
        if kind.is_none() {
            let names = CallKind::ALL.iter().map(|c| c.name());
            let title = format!("RTM has no call `{}`", name.value);
            self.error(Diag::new(&name.span, title).did_you_mean(&name.value, names));
        }
        kind
    }

    /// Compiles a call's arguments by name; the invitation and optional arguments may be omitted.
    pub fn call_template(
        &mut self,
        name: &Spanned<Text>,
        kind: CallKind,
        args: Option<&Node>,
        gathered: Option<&str>,
        scope: &Scope,
    ) -> Option<CallTemplate> {
        let given = args.and_then(Node::as_map).unwrap_or_default();
        for (arg, _) in given.iter().filter(|(arg, _)| gathered == Some(&*arg.value)) {
            let title = format!("`{}` is filled by `gather`", arg.value);
            self.error(Diag::new(&arg.span, title));
        }
        for (arg, _) in given {
            if !kind.fields().iter().any(|f| f.name == &*arg.value) {
                let names = kind.fields().iter().map(|f| f.name);
                let title = format!("`{}` has no argument `{}`", kind.name(), arg.value);
                self.error(Diag::new(&arg.span, title).did_you_mean(&arg.value, names));
            }
        }
        let mut exprs = Vec::new();
        for field in kind.fields() {
            let node = args.and_then(|args| args.get(field.name));
            exprs.push(match (node, field.ty) {
                (Some(node), ty) => Some(self.expr(node, Ty::Rtm(ty), scope)?),
                (None, FieldType::Invitation) => None,
                (None, FieldType::OptionalText) => Some(Expr::Const(Value::Null)),
                (None, _) if gathered == Some(field.name) => Some(Expr::List(Vec::new())),
                (None, _) => {
                    let title = format!("`{}` needs the argument `{}`", kind.name(), field.name);
                    self.error(Diag::new(&name.span, title));
                    return None;
                }
            });
        }
        Some(CallTemplate { kind, args: exprs })
    }

    fn row_args(&mut self, id: usize, raw: &RawStep, scope: &Scope) -> Vec<Expr> {
        let target = &self.raw.rows[id];
        let sigs: Vec<_> = target
            .calls
            .iter()
            .filter(|c| !c.value.starts_with("invoke:"))
            .cloned()
            .collect();
        let mut wanted: Vec<(Text, SigType)> = Vec::new();
        for sig in &sigs {
            if let Some(sig) = self.sig(sig) {
                wanted.extend(self.signatures[sig].args.clone());
            }
        }
        let mut args = Vec::new();
        for (name, ty) in &wanted {
            let node = raw.args.as_ref().and_then(|args| args.get(name));
            args.push(match node {
                Some(node) => self.expr(node, Ty::Sig(*ty), scope).unwrap_or(Expr::Const(Value::Null)),
                None => Expr::Const(Value::Null),
            });
        }
        for (name, _) in raw.args.iter().flat_map(|a| a.as_map().unwrap_or_default()) {
            if !wanted.iter().any(|(known, _)| *known == name.value) {
                let title = format!("row `{}` has no argument `{}`", target.id.value, name.value);
                self.error(Diag::new(&name.span, title).did_you_mean(&name.value, wanted.iter().map(|(n, _)| &**n)));
            }
        }
        args
    }
}

/// Returns the type of the keys of a call's result.
fn key_type(kind: CallKind) -> Ty {
    match kind.reply().field_type() {
        FieldType::Counts => Ty::Rtm(FieldType::ChannelId),
        FieldType::Online => Ty::Rtm(FieldType::UserId),
        _ => Ty::Rtm(FieldType::Text),
    }
}
