//! A row's outcomes: events, refusals with their numbers, limitation codes.

use rtm::value::{Text, Value};
use tables::errors::FailClass;
use tables::reason::ReasonSource;
use tables::row::{Emission, Failure, Outcome, Row};
use tables::scope::Ambient;
use tables::wire::{Via, WireEvent};

use crate::explain::context::Context;
use crate::explain::show;
use crate::explain::steps::{call, shown};
use crate::explain::view::{EventView, FailureView, OutcomeView, Reason};
use protocol::known_names::Known;

/// Explains the outcomes, in order.
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

/// Explains a refusal.
pub(super) fn failure(context: &Context<'_>, row: &Row, failure: &Failure, known: &Known) -> FailureView {
    let class = &context.tables.fails[failure.class];
    let reasons: Vec<(Option<String>, Text)> = match failure.reason {
        ReasonSource::Fixed(reason) => vec![(None, context.tables.reason(reason))],
        ReasonSource::Member(of) => {
            let members = &context.tables.rows[of].members;
            members
                .iter()
                .map(|(error, reason)| (Some(error.name().into()), context.tables.reason(*reason)))
                .collect()
        }
        ReasonSource::Given | ReasonSource::Parameter => declared(class).into_iter().map(|text| (None, text)).collect(),
    };
    // With a single text, everything but the family's number is known.
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

/// Returns the texts that the class's number tables distinguish.
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

/// Returns each family's number; a family without its own table uses the first one.
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
        emitted: emitted(context, emission),
    }
}

/// Describes the form of an event on the wire.
fn emitted(context: &Context<'_>, emission: &Emission) -> String {
    if context.wire.documented {
        return "a notification with this name".into();
    }
    let made = context.call.made_by_client.contains(&emission.event);
    let form: Option<&WireEvent> = context.wire.events.get(emission.event).and_then(Option::as_ref);
    let line = |form: &WireEvent| match form.via {
        Via::Mailbox => format!("mailbox line of type {}", form.kind),
        Via::Channel => format!("channel line of type {}", form.kind),
        Via::Control => "control frames".into(),
        Via::Client => "none: the client detects it".into(),
    };
    match (made, form) {
        (true, Some(form)) if form.via != Via::Client => {
            format!("derived by the client from the answer; else {}", line(form))
        }
        (true, _) => "derived by the client from the answer".into(),
        (false, Some(form)) => line(form),
        (false, None) => "nothing".into(),
    }
}
