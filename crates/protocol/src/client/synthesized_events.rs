//! Events that a legacy SDK generates from the answer to a call.
//!
//! The tables define them (`row_call-by-client`) and their arguments in the reply (the folds). The
//! other arguments are those of the row's own outcomes, as far as their inputs are known.

use rtm::EventKind;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::coerce::typed;
use tables::expr::Expr;
use tables::row::{Emission, Failure, RowKind};
use tables::scope::Ambient;
use tables::wire::{Fold, RowCall};

use crate::client::events::ClientEvent;
use crate::known_names::Known;

/// Learns state fields from the answer's fields that copy them.
pub(super) fn learn(tables: &Tables, call: &RowCall, reply: &Value, known: &mut Known) {
    for (member, fold) in &call.reply {
        let Fold::Field(field) = fold else { continue };
        if let Some((_, Expr::State(state))) = tables.rows[call.row].answer.fields.get(*field)
            && let Some(value) = reply.get(member)
        {
            known.learn(*state, value.clone());
        }
    }
}

/// Returns the events of a success, in the order of the row's answer.
pub(super) fn of_success(tables: &Tables, call: &RowCall, reply: &Value, known: &Known) -> Vec<ClientEvent> {
    let row = &tables.rows[call.row];
    let outcomes = row.answer.emit.iter().filter_map(|&at| row.outcomes.get(at));
    let mut emitted = Vec::new();
    for emission in outcomes.filter_map(|outcome| outcome.emission.as_ref()) {
        if call.made_by_client.contains(&emission.event) {
            emitted.extend(of_emission(tables, call, emission, reply, known));
        }
    }
    emitted
}

/// Returns the event of a refusal.
pub(super) fn of_failure(
    tables: &Tables,
    family: &str,
    call: &RowCall,
    reason: &Text,
    known: &Known,
) -> Option<ClientEvent> {
    let row = &tables.rows[call.row];
    let own = row.outcomes.iter().filter_map(|outcome| outcome.failure.as_ref());
    let mut all = row.fail.iter().chain(own);
    let failure: &Failure = all.find(|f| call.made_by_client.contains(&f.emission.event))?;
    let class = &tables.fails[failure.class];
    let mut known = known.clone().with(Ambient::Reason, reason.clone().into());
    // A family that shows the text has no number.
    if class.text_arg(family).is_none() {
        known = known.with(Ambient::Ecode, class.ecode(family, reason).into());
    }
    Some(build_event(tables, &failure.emission, &known, &[]))
}

/// Returns the event of an outcome of RTM's connection states. A client reports changes of its own
/// connection with the same event.
pub(super) fn of_connection(tables: &Tables, outcome: &str, known: &Known) -> Option<ClientEvent> {
    let is_meant = |kind: &RowKind| *kind == RowKind::Event(EventKind::ConnectionStateChanged);
    let row = tables.rows.iter().find(|row| is_meant(&row.kind))?;
    Some(build_event(
        tables,
        row.outcome(outcome)?.emission.as_ref()?,
        known,
        &[],
    ))
}

fn of_emission(tables: &Tables, call: &RowCall, emission: &Emission, reply: &Value, known: &Known) -> Vec<ClientEvent> {
    let mut found: Vec<(usize, Value)> = Vec::new();
    if let Some(Fold::Arg { event, arg, .. }) = &call.whole
        && *event == emission.event
    {
        found.push((*arg, Value::text(reply.to_json())));
    }
    for (member, fold) in &call.reply {
        let Some(value) = reply.get(member) else { continue };
        match fold {
            Fold::Object { event, key, value: at } if *event == emission.event => {
                let entries = value.as_map().unwrap_or_default().iter();
                let entry = |(name, value): &(Text, Value)| {
                    let args = [(*key, Value::Text(name.clone())), (*at, value.clone())];
                    build_event(tables, emission, known, &args)
                };
                return entries.map(entry).collect();
            }
            Fold::Zip { event, args } if *event == emission.event => found.extend(columns(value, args)),
            Fold::Arg { event, arg, .. } if *event == emission.event => found.push((*arg, value.clone())),
            _ => {}
        }
    }
    // Events for each entry of a list need the list in the reply; with the list they become one
    // event.
    if emission.each.is_some() && found.is_empty() {
        return Vec::new();
    }
    vec![build_event(tables, emission, known, &found)]
}

/// Converts `[[a0,b0],…]` to the lists of the a and the b.
fn columns(rows: &Value, args: &[usize]) -> Vec<(usize, Value)> {
    let rows = rows.as_list().unwrap_or_default();
    let cell = |row: &Value, at: usize| row.as_list().and_then(|row| row.get(at)).cloned().unwrap_or_default();
    let column = |(at, &arg): (usize, &usize)| (arg, Value::List(rows.iter().map(|row| cell(row, at)).collect()));
    args.iter().enumerate().map(column).collect()
}

fn build_event(tables: &Tables, emission: &Emission, known: &Known, found: &[(usize, Value)]) -> ClientEvent {
    let signature = &tables.signatures[emission.event];
    let args = signature.args.iter().zip(&emission.args).enumerate();
    let args = args.filter_map(|(at, ((name, ty), expr))| {
        // The wire type of a value may differ from the documented one.
        let documented = |value: &Value| typed(value.clone(), *ty).unwrap_or_else(|| value.clone());
        let carried = found
            .iter()
            .find(|(arg, _)| *arg == at)
            .map(|(_, value)| documented(value));
        Some((name.clone(), carried.or_else(|| known.value(expr))?))
    });
    ClientEvent {
        name: signature.name.clone(),
        args: args.collect(),
    }
}
