//! From notifications back to documented events: the wire tables in reverse.

use rtm::value::{Text, Value};
use tables::Tables;
use tables::coerce::typed;
use tables::expr::Expr;
use tables::row::{Emission, SigId};
use tables::ty::SigType;
use tables::wire::{Body, Via, Wire, WireEvent};

use crate::client::fmt::json_words;

/// A documented event, as the application of a legacy client receives it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientEvent {
    pub name: Text,
    /// The arguments, in order; one that is neither on the wire nor fixed by the tables is omitted.
    pub args: Vec<(Text, Value)>,
}

impl ClientEvent {
    /// Returns the argument of that name.
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args.iter().find(|(arg, _)| &**arg == name).map(|(_, value)| value)
    }
}

/// `onMessageInstantReceive account="bob" uid=0 msg="hi"`.
impl std::fmt::Display for ClientEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name, json_words(&self.args))
    }
}

/// The events of a wire.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    lines: Vec<LineForm>,
    controls: Vec<ControlForm>,
}

#[derive(Clone, Debug)]
struct LineForm {
    kind: Text,
    name: Text,
    args: Vec<(Text, SigType, From)>,
}

/// The source of an event argument.
#[derive(Clone, Debug, PartialEq)]
enum From {
    Source,
    Content,
    Member(Text),
    /// Not in the line, but constant in all rows of the event.
    Always(Value),
}

#[derive(Clone, Debug)]
struct ControlForm {
    name: Text,
    /// The argument that distinguishes the frames.
    code: Option<Text>,
    frames: Vec<(Option<i64>, Vec<Text>)>,
}

impl Events {
    /// Builds the reverse index of the wire's notifications.
    pub fn new(tables: &Tables, wire: &Wire) -> Self {
        let mut events = Self::default();
        for (sig, form) in wire.events.iter().enumerate() {
            let Some(form) = form else { continue };
            match form.via {
                Via::Mailbox | Via::Channel => events.lines.push(line_form(tables, sig, form)),
                Via::Control => events.controls.push(control_form(tables, sig, form)),
                Via::Client => {}
            }
        }
        events
    }

    /// Returns the event of a line; `None` if the tables have none of its type.
    pub fn of_line(&self, line: &str) -> Option<ClientEvent> {
        let mut words = line.splitn(7, ' ');
        let (version, source) = (words.next()?, words.next()?);
        let kind = words.nth(2)?;
        let content = words.nth(1)?;
        if version != "msg-v2" {
            return None;
        }
        let form = self.lines.iter().find(|form| &*form.kind == kind)?;
        let json = Value::from_json(content).unwrap_or_default();
        let args = form.args.iter().filter_map(|(name, ty, from)| {
            let value = match from {
                From::Source => source.into(),
                From::Content => content.into(),
                From::Member(key) => json.get(key)?.clone(),
                From::Always(value) => value.clone(),
            };
            Some((name.clone(), typed(value, *ty)?))
        });
        Some(ClientEvent {
            name: form.name.clone(),
            args: args.collect(),
        })
    }

    /// Returns true if control frames of that name form events.
    pub fn is_control(&self, frame: &str) -> bool {
        let mut all = self.controls.iter().flat_map(|form| &form.frames);
        all.any(|(_, frames)| frames.iter().any(|name| &**name == frame))
    }

    /// Returns the event of exactly these control frames.
    pub fn of_control(&self, seen: &[Text]) -> Option<ClientEvent> {
        self.controls.iter().find_map(|form| {
            let (code, _) = form.frames.iter().find(|(_, frames)| frames == seen)?;
            let code = code.and_then(|code| Some((form.code.clone()?, Value::Int(code))));
            Some(ClientEvent {
                name: form.name.clone(),
                args: code.into_iter().collect(),
            })
        })
    }
}

fn line_form(tables: &Tables, sig: SigId, form: &WireEvent) -> LineForm {
    let signature = &tables.signatures[sig];
    let args = signature.args.iter().enumerate().filter_map(|(at, (name, ty))| {
        let from = found_in(form, at).or_else(|| always(tables, sig, at).map(From::Always))?;
        Some((name.clone(), *ty, from))
    });
    LineForm {
        kind: form.kind.clone(),
        name: signature.name.clone(),
        args: args.collect(),
    }
}

fn found_in(form: &WireEvent, arg: usize) -> Option<From> {
    let is_arg = |expr: &Expr| *expr == Expr::Slot(arg);
    match &form.body {
        Body::Text(expr) if is_arg(expr) => return Some(From::Content),
        Body::Content(entries) => {
            if let Some((key, _)) = entries.iter().find(|(_, expr)| is_arg(expr)) {
                return Some(From::Member(key.clone()));
            }
        }
        _ => {}
    }
    is_arg(&form.src).then_some(From::Source)
}

/// Returns the constant that all rows give to this argument of the event.
fn always(tables: &Tables, sig: SigId, arg: usize) -> Option<Value> {
    let outcomes = tables.rows.iter().flat_map(|row| &row.outcomes);
    let failures = outcomes.clone().filter_map(|o| o.failure.as_ref()).map(|f| &f.emission);
    let emissions = outcomes.filter_map(|o| o.emission.as_ref()).chain(failures);
    let mut values = emissions
        .filter(|emission| emission.event == sig)
        .map(|emission: &Emission| match emission.args.get(arg) {
            Some(Expr::Const(value)) => Some(value),
            _ => None,
        });
    let first = values.next()??;
    values.all(|value| value == Some(first)).then(|| first.clone())
}

fn control_form(tables: &Tables, sig: SigId, form: &WireEvent) -> ControlForm {
    let signature = &tables.signatures[sig];
    let code = signature.args.iter().find(|(_, ty)| *ty == SigType::Int);
    ControlForm {
        name: signature.name.clone(),
        code: code.map(|(name, _)| name.clone()),
        frames: form.frames.clone(),
    }
}
