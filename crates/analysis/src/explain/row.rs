//! Explanation of a row for one call.

use protocol::args::read_args;
use rtm::AppId;
use rtm::value::Value;
use tables::Tables;
use tables::expr::Expr;
use tables::row::{AnswerAt, Let, LetDefault, Row};
use tables::scope::StateField;
use tables::wire::{RowCall, Wire};

use crate::explain::context::Context;
use crate::explain::frame::Frame;
use crate::explain::outcomes;
use crate::explain::show;
use crate::explain::steps;
use crate::explain::view::{AnswerView, Arg, Code, LetView, RowView};
use protocol::known_names::Known;

pub(super) fn explain(tables: &Tables, wire: &Wire, call: &RowCall, frame: &Frame<'_>, vid: Option<AppId>) -> RowView {
    let row = &tables.rows[call.row];
    let (mut known, refused) = known(row, call, frame, vid);
    let let_values = row
        .let_values
        .iter()
        .map(|item| explain_let(item, row, &mut known))
        .collect();
    let context = Context { tables, wire, call };
    let args = call.args.iter().map(|arg| Arg {
        name: arg.name.clone(),
        wire: arg.wire.as_ref().map(|wire| show::wire_name(wire, &arg.part)),
        value: arg.wire.as_ref().and_then(|wire| frame.args.get(wire)).cloned(),
    });
    RowView {
        id: row.id.clone(),
        place: row.place.clone(),
        status: row.status.name(),
        source: row.source.clone(),
        emulation: row.emulation.map(tables::condition::Emulation::name),
        call: signature(tables, call),
        codes: codes(tables, row),
        args: args.collect(),
        refused,
        let_values,
        steps: steps::explain(&context, row, &known),
        answer: answer(&context, row),
        outcomes: outcomes::explain(&context, row, &known),
        fail: row
            .fail
            .as_ref()
            .map(|failure| outcomes::failure(&context, row, failure, &known)),
    }
}

/// Returns the row's limitations, including those of some pages only.
fn codes(tables: &Tables, row: &Row) -> Vec<Code> {
    let mut all = row.codes.clone();
    all.extend(row.outcomes.iter().filter_map(|outcome| outcome.code));
    let mut seen = Vec::new();
    all.retain(|code| {
        !seen.contains(code) && {
            seen.push(*code);
            true
        }
    });
    let code = |code: &usize| Code {
        name: tables.codes[*code].name.clone(),
        cause: tables.codes[*code].cause.clone(),
    };
    all.iter().map(code).collect()
}

fn signature(tables: &Tables, call: &RowCall) -> String {
    let signature = &tables.signatures[call.sig];
    let args = signature.args.iter().map(|(name, _)| name.to_string());
    format!("{}({})", signature.name, show::joined(args))
}

/// Evaluates the frame's values and its possible refusal.
fn known(row: &Row, call: &RowCall, frame: &Frame<'_>, vid: Option<AppId>) -> (Known, Option<&'static str>) {
    let (values, refused) = match read_args(call, &frame.args) {
        Ok(values) => (values, None),
        Err(reason) => (Vec::new(), Some(reason.name())),
    };
    let mut slots: Vec<Option<Value>> = values.into_iter().map(Some).collect();
    slots.resize(row.slots.len(), None);
    let mut known = Known {
        slots,
        vid,
        ..Known::default()
    };
    // Only a login carries its account.
    if frame.id.is_none() {
        let by_wire = |name: &str| frame.args.get(name).and_then(Value::as_text).cloned();
        known.vid = by_wire("vid").and_then(|vid| AppId::new(vid).ok()).or(known.vid);
        if let Some(account) = row.account.and_then(|slot| known.slots[slot].clone()) {
            known.learn(StateField::Account, account);
        }
    }
    (known, refused)
}

fn explain_let(item: &Let, row: &Row, known: &mut Known) -> LetView {
    let from = known.value(&item.from);
    // The configured timeout is unknown; one second replaces it, and the value is not shown.
    let needs_config = item.otherwise == LetDefault::InviteTimeout;
    let value = from.and_then(|from| {
        let own = known
            .value(&Expr::State(StateField::Account))
            .map_or_else(|| "$self".into(), Value::into_text);
        let value = item.compute(from.clone(), 1, &own);
        (!needs_config || value == item.compute(from, 2, &own)).then_some(value)
    });
    known.slots[item.slot] = value.clone();
    LetView {
        name: show::slot_name(row, item.slot),
        from: show::expr(&item.from, row),
        json: item.json.clone(),
        ty: item.ty.name(),
        otherwise: match &item.otherwise {
            LetDefault::Value(value) => value.to_json(),
            LetDefault::InviteTimeout => "config.invite.timeout".into(),
            LetDefault::OwnAccount => "$self".into(),
        },
        clamp: item.clamp,
        positive: item.positive,
        value,
    }
}

fn answer(context: &Context<'_>, row: &Row) -> AnswerView {
    let at = match row.answer.at {
        AnswerAt::Accepted => "before the first step, if the arguments are valid",
        AnswerAt::First => "with RTM's first successful result",
        AnswerAt::Done => "after the last step",
    };
    let emit = row.answer.emit.iter().filter_map(|&at| row.outcomes.get(at));
    let fold = |fold| show::fold(fold, context.tables, context.call);
    AnswerView {
        at,
        emit: emit.map(|outcome| outcome.name.clone()).collect(),
        reply: context
            .call
            .reply
            .iter()
            .map(|(name, of)| (name.clone(), fold(of)))
            .collect(),
    }
}
