//! A row's outcomes: events, refusals with their numbers, limitation codes.

use rtm::value::{Text, Value};
use tables::errors::FailClass;
use tables::expr::{Ambient, Expr};
use tables::row::{Emission, Failure, Outcome, Row};
use tables::wire::{Via, WireEvent};

use crate::explain::row::Context;
use crate::explain::show;
use crate::explain::steps::{call, shown};
use crate::explain::view::{EventView, FailureView, OutcomeView, Reason};
use protocol::known_names::Known;

/// The outcomes, in order.
pub(super) fn explain(context: &Context<'_>, row: &Row, known: &Known) -> Vec<OutcomeView> {
    let view = |outcome: &Outcome| OutcomeView {
        name: outcome.name.clone(),
        conds: show::conds(&outcome.conds, row),
        rtm: outcome.rtm.as_ref().map(|template| call(template, row, known)),
        hold: outcome.hold,
        code: outcome.code.map(|code| context.tables.code_name(code).clone()),
        failure: outcome.failure.as_ref().map(|f| failure(context, row, f, known)),
        event: outcome
            .emission
            .as_ref()
            .map(|emission| event(context, row, emission, known)),
    };
    row.outcomes.iter().map(view).collect()
}

/// A refusal.
pub(super) fn failure(context: &Context<'_>, row: &Row, failure: &Failure, known: &Known) -> FailureView {
    let class = &context.tables.fails[failure.class];
    let reasons: Vec<(Option<String>, Text)> = match (&failure.reason, known.value(&failure.reason)) {
        (Expr::MemberReason(of), _) => {
            let members = &context.tables.rows[*of].members;
            members
                .iter()
                .map(|(error, text)| (Some(error.name().into()), text.clone()))
                .collect()
        }
        (_, Some(value)) => vec![(None, value.into_text())],
        (_, None) => declared(class).into_iter().map(|text| (None, text)).collect(),
    };
    // With one text all is known that the event says, but for the family's number.
    let known = match &reasons[..] {
        [(_, text)] => known.clone().with(Ambient::Reason, Value::Text(text.clone())),
        _ => known.clone(),
    };
    let reasons = reasons.into_iter().map(|(error, text)| Reason {
        error,
        codes: codes(context, class, &text),
        text,
    });
    FailureView {
        class: class.name.clone(),
        reasons: reasons.collect(),
        event: event(context, row, &failure.emission, &known),
    }
}

/// The texts that the class's number tables tell apart.
fn declared(class: &FailClass) -> Vec<Text> {
    let mut texts: Vec<Text> = Vec::new();
    for (text, _) in class.families.iter().flat_map(|(_, codes)| &codes.numbers) {
        if !texts.contains(text) {
            texts.push(text.clone());
        }
    }
    texts.push("any other".into());
    texts
}

/// What each family ends up with; one without a table of its own goes by the first.
fn codes(context: &Context<'_>, class: &FailClass, reason: &str) -> Vec<(Text, String)> {
    let mut families: Vec<Text> = class.families.iter().map(|(family, _)| family.clone()).collect();
    if !families.contains(&context.wire.family) {
        families.push(context.wire.family.clone());
    }
    let code = |family: Text| {
        let shown = match class.text_arg(&family) {
            Some(arg) => format!("the text, as {arg}"),
            None => class.ecode(&family, reason).to_string(),
        };
        (family, shown)
    };
    families.into_iter().map(code).collect()
}

fn event(context: &Context<'_>, row: &Row, emission: &Emission, known: &Known) -> EventView {
    let signature = &context.tables.signatures[emission.event];
    let names = signature.args.iter().map(|(name, _)| name.clone());
    EventView {
        name: signature.name.clone(),
        args: names
            .zip(emission.args.iter().map(|arg| shown(arg, row, known)))
            .collect(),
        each: emission.each.as_ref().map(|each| show::expr(each, row)),
        last: emission.list.map(|list| list.last),
        told: told(context, emission),
    }
}

/// How the family hears of an event.
fn told(context: &Context<'_>, emission: &Emission) -> String {
    if context.wire.documented {
        return "a notification of that name".into();
    }
    let made = context.call.made_by_client.contains(&emission.event);
    let form: Option<&WireEvent> = context.wire.events.get(emission.event).and_then(Option::as_ref);
    let line = |form: &WireEvent| match form.via {
        Via::Mailbox => format!("a mailbox line of type {}", form.kind),
        Via::Channel => format!("a channel line of type {}", form.kind),
        Via::Control => "control frames".into(),
        Via::Client => "nothing: the client finds out by itself".into(),
    };
    match (made, form) {
        (true, Some(form)) if form.via != Via::Client => {
            format!("made by the client out of the answer; else {}", line(form))
        }
        (true, _) => "made by the client out of the answer".into(),
        (false, Some(form)) => line(form),
        (false, None) => "nothing".into(),
    }
}
