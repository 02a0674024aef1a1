//! The wire tables from the client's side: calls to frames, frames to events.

use std::sync::Arc;

use rtm::value::Value;
use tables::Tables;
use tables::expr::Expr;
use tables::row::RowKind;
use tables::wire::{Body, Fold, Function, RowCall, Target, Via, Wire, WireEvent, WirePart};

/// Event arguments that the SDK itself provides.
const OWN: &[(&str, &str, &str)] = &[
    ("onLogout", "ecode", "101"),
    ("onChannelAttrUpdated", "type", "update"),
    ("onMessageInstantReceive", "uid", "0"),
];

/// The event whose `ecode` differs by family (signaling-api 3).
const LEFT: &str = "onChannelLeaved";

/// An event as words: its name, and the arguments of this wire.
pub type EventWords = Vec<String>;

/// Returns the function of a documented call, and the wire names of its arguments, in order.
pub fn function(tables: &Tables, wire: &Wire, name: &str) -> Option<(usize, Vec<String>)> {
    let sig = tables.signature_named(name)?;
    let mut by_row = None;
    for (at, function) in wire.functions.iter().enumerate() {
        let Target::Row(call) = &function.target else { continue };
        let carried = || {
            let args = tables.signatures[sig].args.iter().map(|(arg, _)| arg.to_string());
            args.filter(|arg| call.args.iter().any(|a| *a.name == **arg && a.wire.is_some()))
                .collect()
        };
        if call.sig == sig {
            return Some((at, carried()));
        }
        let shares = matches!(&tables.rows[call.row].kind, RowKind::Call(sigs) if sigs.contains(&sig));
        if shares && by_row.is_none() {
            by_row = Some((at, carried()));
        }
    }
    by_row
}

/// Returns the wire's fields of a call: its arguments by wire names, and the SDK's own ones.
pub fn fields(function: &Function, args: &[(String, Value)]) -> Vec<(Arc<str>, Value)> {
    let mut fields = Vec::new();
    if let Target::Row(call) = &function.target {
        for arg in &call.args {
            let given = args
                .iter()
                .find(|(name, _)| **name == *arg.name)
                .map(|(_, value)| value.clone());
            // The SDK's default value applies unless the app gives another one.
            let own = |wire: &Arc<str>| function.constants.iter().any(|(name, _)| name == wire);
            let value = given.filter(|value| *value != Value::text("") || !arg.wire.as_ref().is_some_and(own));
            if let (Some(wire), Some(value)) = (&arg.wire, value) {
                fields.push((wire.clone(), on_wire(&arg.part, value)));
            }
        }
    }
    for (name, value) in function.when.iter().chain(&function.constants) {
        if !fields.iter().any(|(known, _)| known == name) {
            fields.push((name.clone(), value.clone()));
        }
    }
    fields
}

/// Returns a value in the form of its part of a wire argument; the SDK writes only digits into one.
fn on_wire(part: &WirePart, value: Value) -> Value {
    match part {
        WirePart::Complete => value,
        WirePart::Json(key) => {
            let entries = vec![("msgtype".into(), "dtmf".into()), (key.clone(), value)];
            Value::text(Value::Map(entries).to_json())
        }
        WirePart::After(prefix) => Value::text(format!("{prefix}{}", value.into_text())),
    }
}

/// Returns the events that the SDK generates from a successful reply.
pub fn events_of_reply(
    tables: &Tables,
    wire: &Wire,
    call: &RowCall,
    args: &[(String, Value)],
    json: &Value,
) -> Vec<EventWords> {
    let row = &tables.rows[call.row];
    let answers = row
        .answer
        .emit
        .iter()
        .filter_map(|&at| row.outcomes[at].emission.as_ref());
    let answers: Vec<usize> = answers.map(|emission| emission.event).collect();
    let failure = row.fail.as_ref().map(|f| tables.fails[f.class].event);
    let failure = failure.filter(|event| !answers.contains(event));
    let mut events = Vec::new();
    for &sig in call.made_by_client.iter().filter(|sig| Some(**sig) != failure) {
        let folded = call.reply.iter().filter(|(_, fold)| fold_event(fold) == Some(sig));
        let mut rows: Vec<Vec<(usize, Value)>> = vec![Vec::new()];
        for (name, fold) in folded {
            let value = json.get(name).cloned().unwrap_or_default();
            match fold {
                Fold::Arg { arg, .. } => rows[0].push((*arg, value)),
                Fold::Zip { args, .. } => {
                    let items = value.as_list().unwrap_or_default();
                    for (column, arg) in args.iter().enumerate() {
                        let cell = |item: &Value| item.as_list().and_then(|row| row.get(column).cloned());
                        let list = items.iter().map(|item| cell(item).unwrap_or_default()).collect();
                        rows[0].push((*arg, Value::List(list)));
                    }
                }
                Fold::Object { key, value: at, .. } => {
                    let entries = value.as_map().unwrap_or_default().iter();
                    rows = entries
                        .map(|(k, v)| vec![(*key, Value::Text(k.clone())), (*at, v.clone())])
                        .collect();
                }
                Fold::Field(_) => {}
            }
        }
        for known in rows {
            events.push(words(tables, wire, sig, |at, name| {
                let folded = known.iter().find(|(arg, _)| *arg == at).map(|(_, value)| value.clone());
                folded.or_else(|| args.iter().find(|(arg, _)| arg == name).map(|(_, value)| value.clone()))
            }));
        }
    }
    events
}

/// Returns the app's result of a failed call: the failure's event, or `None` if the SDK has none.
pub fn event_of_failure(
    tables: &Tables,
    wire: &Wire,
    call: &RowCall,
    args: &[(String, Value)],
    err: &str,
) -> Option<EventWords> {
    let failure = tables.rows[call.row].fail.as_ref()?;
    let class = &tables.fails[failure.class];
    if !call.made_by_client.contains(&class.event) {
        return None;
    }
    let codes = class
        .families
        .iter()
        .find(|(family, _)| *family == wire.family)
        .map(|(_, codes)| codes);
    let number = codes.and_then(|codes| codes.number(err));
    let text = class.text_arg(&wire.family);
    let mut all = words(tables, wire, class.event, |_, name| match name {
        "ecode" => number.map(Value::Int),
        _ if text.is_some_and(|arg| **arg == *name) => Some(Value::text(err)),
        "name" | "desc" => None,
        _ => args.iter().find(|(arg, _)| arg == name).map(|(_, value)| value.clone()),
    });
    if number.is_none() && text.is_none() {
        all.push(err.into());
    }
    Some(all)
}

/// Returns the event of a line of that type, with the line's values; `Err` is the fault.
/// `repaired`: for a build that ignores numbers.
pub fn event_of_line(
    tables: &Tables,
    wire: &Wire,
    kind: &str,
    src: &str,
    content: &str,
    via: Via,
    repaired: bool,
) -> Result<EventWords, String> {
    let form = |form: &Option<WireEvent>| form.as_ref().is_some_and(|form| form.via == via && *form.kind == *kind);
    let sig = wire
        .events
        .iter()
        .position(form)
        .ok_or_else(|| format!("a line of type {kind}"))?;
    let Some(form) = &wire.events[sig] else {
        return Err(kind.into());
    };
    let mut found: Vec<(usize, Value)> = Vec::new();
    if let Expr::Slot(slot) = &form.src {
        found.push((*slot, Value::text(src)));
    }
    match &form.body {
        Body::Text(Expr::Slot(slot)) => found.push((*slot, Value::text(content))),
        Body::Text(_) | Body::None => {}
        Body::Content(entries) => {
            let json = Value::from_json(content).map_err(|_| format!("content {content}"))?;
            for key in mandatory(via) {
                let value = json.get(key).ok_or_else(|| format!("no {key} in {content}"))?;
                if key.ends_with("uid") && value.as_int().is_none() && !repaired {
                    return Err(format!("{key} is no number in {content}"));
                }
            }
            for (key, expr) in entries {
                let value = json.get(key).cloned().ok_or_else(|| format!("no {key} in {content}"))?;
                if let Expr::Slot(slot) = expr {
                    if found.iter().any(|(at, known)| at == slot && *known != value) {
                        return Err(format!("src {src} with {content}"));
                    }
                    found.push((*slot, value));
                }
            }
        }
    }
    Ok(words(tables, wire, sig, |at, _| {
        found
            .iter()
            .find(|(slot, _)| *slot == at)
            .map(|(_, value)| value.clone())
    }))
}

/// Returns the keys that some SDK reads without a check (signaling-wire 6).
fn mandatory(via: Via) -> &'static [&'static str] {
    match via {
        Via::Channel => &["channel", "account", "uid"],
        _ => &["channel", "peer", "extra", "peeruid"],
    }
}

fn fold_event(fold: &Fold) -> Option<usize> {
    match fold {
        Fold::Zip { event, .. } | Fold::Object { event, .. } | Fold::Arg { event, .. } => Some(*event),
        Fold::Field(_) => None,
    }
}

fn words(tables: &Tables, wire: &Wire, sig: usize, value: impl Fn(usize, &str) -> Option<Value>) -> EventWords {
    let signature = &tables.signatures[sig];
    let web = &*wire.family == "web";
    let mut words = vec![signature.name.to_string()];
    for (at, (arg, _)) in signature.args.iter().enumerate() {
        let own = || {
            let own = OWN
                .iter()
                .find(|(event, name, _)| *event == &*signature.name && *name == &**arg);
            let value = own.map(|(_, _, value)| *value);
            let left = || (*signature.name == *LEFT && &**arg == "ecode").then_some(if web { "0" } else { "602" });
            value.or_else(left).map(Value::text)
        };
        if let Some(value) = value(at, arg).or_else(own).filter(|value| !value.is_null()) {
            words.push(value.into_text().to_string());
        }
    }
    words
}
