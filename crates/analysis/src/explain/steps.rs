//! Explanation of a row's steps and RTM calls.

use std::time::Duration;

use rtm::RtmError;
use rtm::value::{Text, Value};
use tables::condition::{Cond, Condition};
use tables::expr::Expr;
use tables::row::{CallTemplate, Expect, Handling, Row, RtmStep, Step, StepKind};

use crate::explain::context::Context;
use crate::explain::show;
use crate::explain::view::{CallView, ExprView, RtmView, StepEffect, StepView};
use protocol::known_names::Known;

/// Explains the steps, in order.
pub(super) fn explain(context: &Context<'_>, row: &Row, known: &Known) -> Vec<StepView> {
    row.steps
        .iter()
        .map(|step| explain_step(context, row, step, known))
        .collect()
}

/// Formats an expression and its value, if known.
pub(super) fn shown(of: &Expr, row: &Row, known: &Known) -> ExprView {
    ExprView {
        path: show::expr(of, row),
        value: known.value(of),
    }
}

/// Formats an RTM call with its arguments.
pub(super) fn call(template: &CallTemplate, row: &Row, known: &Known) -> CallView {
    let fields = template.kind.fields();
    let mut args: Vec<(&'static str, ExprView)> = Vec::new();
    for (field, arg) in fields.iter().zip(&template.args) {
        let shown = match arg {
            Some(expr) => shown(expr, row, known),
            None => ExprView {
                path: "the number of the invitation".into(),
                value: None,
            },
        };
        args.push((field.name, shown));
    }
    let mut problem = None;
    // The number replaces the invitation, so that the rest can be built.
    let values: Option<Vec<Value>> = template
        .args
        .iter()
        .map(|arg| arg.as_ref().map_or(Some(Value::Int(0)), |expr| known.value(expr)))
        .collect();
    if let Some(values) = values {
        match template.kind.build(&values) {
            // As passed to RTM: text becomes a message.
            Ok(call) => {
                for ((name, shown), expr) in args.iter_mut().zip(&template.args) {
                    if expr.is_some() {
                        shown.value = call.args().get(name).cloned();
                    }
                }
            }
            Err(error) => problem = Some(error.to_string()),
        }
    }
    // Arguments missing in both the tables and the call are not shown.
    args.retain(|(_, shown)| shown.path != "null");
    CallView {
        name: template.kind.name(),
        args,
        problem,
    }
}

fn explain_step(context: &Context<'_>, row: &Row, step: &Step, known: &Known) -> StepView {
    let does = match &step.kind {
        StepKind::Rtm(rtm) => StepEffect::Rtm(Box::new(explain_rtm(rtm, row, known))),
        StepKind::Row { row: inner, args } => {
            let target = &context.tables.rows[*inner];
            let values = args.iter().map(|arg| known.value(arg));
            let inside = Known {
                slots: values.chain(std::iter::repeat(None)).take(target.slots.len()).collect(),
                ..known.clone()
            };
            let names = target.slots.iter().map(|(name, _)| name.clone());
            StepEffect::Row {
                id: target.id.clone(),
                place: target.place.clone(),
                args: names.zip(args.iter().map(|arg| shown(arg, row, known))).collect(),
                steps: explain(context, target, &inside),
            }
        }
        StepKind::Value { expr, expect } => StepEffect::Value {
            value: shown(expr, row, known),
            expect: expect.as_ref().map(|expect| expected(expect, row)),
        },
        StepKind::Outcome(at) => StepEffect::Outcome(outcome_name(row, *at)),
    };
    StepView {
        conds: show::conds(&step.conds, row),
        passed_over: step.conds.iter().any(|cond| is_false(cond, known)),
        together: step.together,
        does,
    }
}

/// Only flags are known before a run.
fn is_false(cond: &Cond, known: &Known) -> bool {
    let Condition::Flag(slot) = cond.condition else {
        return false;
    };
    known
        .value(&Expr::Slot(slot))
        .is_some_and(|flag| (flag == Value::Bool(true)) == cond.negated)
}

/// Describes the expected result, and the outcome of a mismatch.
fn expected(expect: &Expect, row: &Row) -> String {
    let otherwise = outcome_name(row, expect.otherwise);
    let must = expect.is.as_ref().map_or_else(|| "there".to_owned(), Value::to_json);
    format!("{} is {must}, else {otherwise}", part(&expect.at, row))
}

/// Describes the part of a result that a step reads.
fn part(at: &Option<Expr>, row: &Row) -> String {
    match at {
        Some(at) => format!("the result's [{}]", show::expr(at, row)),
        None => "the result".into(),
    }
}

fn explain_rtm(rtm: &RtmStep, row: &Row, known: &Known) -> RtmView {
    let expect = rtm.expect.as_ref().map(|expect| expected(expect, row));
    let gather = rtm.gather.as_ref().map(|gather| {
        let arg = rtm.call.kind.fields()[gather.arg].name;
        let (item, every) = (show::expr(&gather.item, row), time(gather.every));
        format!(
            "{item} is batched in {arg}, at most {} per call, one call per {every}",
            gather.max
        )
    });
    let mut template = rtm.call.clone();
    if let Some(gather) = &rtm.gather {
        // Without a batch, the call carries this run's item only.
        template.args[gather.arg] = Some(Expr::List(vec![gather.item.clone()]));
    }
    RtmView {
        call: call(&template, row, known),
        bind: rtm.bind.map(|slot| show::slot_name(row, slot)),
        expect,
        value: rtm.value.as_ref().map(|at| part(at, row)),
        via_member: rtm.via_member,
        waits: rtm
            .waits
            .iter()
            .map(|(error, after)| (error.name(), time(*after)))
            .collect(),
        errors: errors(rtm, row),
        gather,
        lane: rtm.lane.as_ref().map(|lane| shown(lane, row, known)),
    }
}

/// Groups errors by their outcome; the most frequent one is "any other".
fn errors(rtm: &RtmStep, row: &Row) -> Vec<(String, Text)> {
    let name = |handling: Handling| match handling {
        Handling::Continue => "continue".into(),
        Handling::Outcome(at) => outcome_name(row, at),
    };
    let mut groups: Vec<(Handling, Vec<RtmError>)> = Vec::new();
    for (error, handling) in &rtm.errors {
        match groups.iter_mut().find(|(known, _)| known == handling) {
            Some((_, members)) => members.push(*error),
            None => groups.push((*handling, vec![*error])),
        }
    }
    groups.sort_by_key(|(_, members)| members.len());
    let last = groups.len().saturating_sub(1);
    let label = |at: usize, members: &[RtmError]| match (at == last, last) {
        (true, 0) => "any".into(),
        (true, _) => "any other".into(),
        _ => show::joined(members.iter().map(|e| e.name().to_string())),
    };
    let groups = groups.iter().enumerate();
    groups
        .map(|(at, (handling, members))| (label(at, members), name(*handling)))
        .collect()
}

fn outcome_name(row: &Row, at: usize) -> Text {
    row.outcomes
        .get(at)
        .map_or_else(|| "?".into(), |outcome| outcome.name.clone())
}

fn time(of: Duration) -> String {
    match of.as_millis() {
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}
