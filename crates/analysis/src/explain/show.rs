//! Expressions, conditions and folds in table syntax.

use rtm::value::{Text, Value};
use tables::Tables;
use tables::condition::{Cond, Condition};
use tables::expr::{Expr, Part};
use tables::row::Row;
use tables::scope::{Ambient, StateField};
use tables::wire::{Fold, RowCall, WirePart};

/// Formats an expression of a row.
pub(super) fn expr(of: &Expr, row: &Row) -> String {
    let write = |inner: &Expr| expr(inner, row);
    match of {
        Expr::Const(value) => literal(value),
        Expr::Slot(slot) => format!("${}", slot_name(row, *slot)),
        Expr::Member(of, name) => format!("{}.{name}", write(of)),
        // Conversions follow from the types; tables omit them.
        Expr::Convert(_, inner) => write(inner),
        Expr::Call(func, args) => format!("{}({})", func.name(), joined(args.iter().map(write))),
        // JSON follows from the types as well.
        Expr::Json(inner) => write(inner),
        Expr::Template { parts, .. } => template(parts, row),
        Expr::State(field) => state(*field).into(),
        Expr::Ambient(ambient) => name_of(*ambient).into(),
        Expr::MemberReason(_) => "$reason".into(),
        Expr::List(items) => format!("[{}]", joined(items.iter().map(write))),
        Expr::Map(entries) if entries.is_empty() => "{}".into(),
        Expr::Map(entries) => {
            let entries = entries.iter().map(|(key, item)| format!("{key} = {}", write(item)));
            format!("{{ {} }}", joined(entries))
        }
    }
}

/// Formats conditions as in `if`.
pub(super) fn conds(conds: &[Cond], row: &Row) -> Vec<String> {
    let cond = |cond: &Cond| {
        format!(
            "{}{}",
            if cond.negated { "!" } else { "" },
            condition(cond.condition, row)
        )
    };
    conds.iter().map(cond).collect()
}

/// Formats a wire argument as functions write it.
pub(super) fn wire_name(name: &Text, part: &WirePart) -> Text {
    match part {
        WirePart::Complete => name.clone(),
        WirePart::Json(key) => format!("{name}#{key}").into(),
        WirePart::After(prefix) => format!("{name}~{prefix}").into(),
    }
}

/// Formats a fold of a reply.
pub(super) fn fold(of: &Fold, tables: &Tables, call: &RowCall) -> String {
    let arg = |event: usize, at: usize| &*tables.signatures[event].args[at].0;
    match of {
        Fold::Zip { event, args } => {
            let args = joined(args.iter().map(|&at| arg(*event, at).to_string()));
            format!("{}[{args}]", tables.signatures[*event].name)
        }
        Fold::Object { event, key, value } => {
            let (name, key, value) = (&tables.signatures[*event].name, arg(*event, *key), arg(*event, *value));
            format!("{name}{{{key}:{value}}}")
        }
        Fold::Arg { event, arg: at, as_int } => {
            let number = if *as_int { ":int" } else { "" };
            format!("{}.{}{number}", tables.signatures[*event].name, arg(*event, *at))
        }
        Fold::Field(at) => format!("${}", tables.rows[call.row].answer.fields[*at].0),
    }
}

pub(super) fn slot_name(row: &Row, slot: usize) -> Text {
    row.slots.get(slot).map_or_else(|| "?".into(), |(name, _)| name.clone())
}

pub(super) fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn condition(of: Condition, row: &Row) -> String {
    match of {
        Condition::Can(kind) => kind.name().into(),
        Condition::Flag(slot) => slot_name(row, slot).to_string(),
        of => {
            let named = Condition::NAMES.iter().find(|(_, known)| *known == of);
            named.map_or("?", |(name, _)| name).into()
        }
    }
}

/// Quotes text; with single quotes if it contains `"`.
fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) if text.contains('"') && !text.contains('\'') => format!("'{text}'"),
        value => value.to_json(),
    }
}

fn template(parts: &[Part], row: &Row) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Expr(of) => expr(of, row),
    };
    literal(&Value::text(parts.iter().map(part).collect::<String>()))
}

fn state(field: StateField) -> &'static str {
    match field {
        StateField::Account => "$self",
        StateField::Line => "$state.line",
        StateField::Channel => "$state.channel",
        StateField::Cid => "$state.cid",
        StateField::MemberCount => "$state.memberCount",
        StateField::Status => "$state.status",
        StateField::Online => "$state.online",
    }
}

fn name_of(ambient: Ambient) -> &'static str {
    match ambient {
        Ambient::Reason => "$reason",
        Ambient::Ecode => "$ecode",
        Ambient::Key => "$key",
        Ambient::Value => "$value",
    }
}
