//! Compilation of wire tables: functions, replies, notifications.

use foldhash::HashMap;

use rtm::value::{Text, Value};

use crate::ast::{RawEvent, RawFunction, RawWire};
use crate::compile::Compiler;
use crate::compile::scope::Scope;
use crate::diagnostics::Diag;
use crate::errors::FailClass;
use crate::expr::Expr;
use crate::row::{Outcome, Row, RowKind, SigId};
use crate::spanned_toml::Spanned;
use crate::spanned_value::Node;
use crate::ty::Ty;
use crate::wire::{Body, Fold, Function, RowCall, Target, Via, Wire, WireArg, WireEvent, WirePart};

impl Compiler<'_> {
    /// Compiles the wire of one family.
    pub fn wire(&mut self, raw: &RawWire, rows: &[Row]) -> Wire {
        let login = raw.login.as_ref().and_then(|login| self.function(login, rows));
        let functions: Vec<Function> = raw.functions.iter().filter_map(|f| self.function(f, rows)).collect();
        let mut by_name: HashMap<Text, Vec<usize>> = HashMap::default();
        for (at, function) in functions.iter().enumerate() {
            by_name.entry(function.name.clone()).or_default().push(at);
        }
        let mut events = vec![None; self.signatures.len()];
        for raw in &raw.events {
            if let Some(sig) = self.sig(&raw.name) {
                events[sig] = self.wire_event(sig, raw);
            }
        }
        // A wire that inherits has the forms of its base, or lacks them like it.
        if raw.like.is_none() {
            self.check_complete(raw, rows, &events);
        }
        let family = &raw.family.value;
        let numbers = |class: &FailClass| self.reasons.iter().map(|reason| class.ecode(family, reason)).collect();
        let ecodes = self.fails.iter().map(numbers).collect();
        Wire {
            ecodes,
            family: raw.family.value.clone(),
            documented: raw.documented,
            polls: raw.polls,
            resume_mode: raw.resume_mode,
            login: login.unwrap_or_else(Function::nothing),
            functions,
            by_name,
            events,
        }
    }

    /// Checks that every event of a row has a form on the wire, if only "the client makes it".
    fn check_complete(&mut self, raw: &RawWire, rows: &[Row], events: &[Option<WireEvent>]) {
        let of = |o: &Outcome| {
            let failure = o.failure.as_ref().map(|f| f.emission.event);
            o.emission
                .as_ref()
                .map(|e| e.event)
                .into_iter()
                .chain(failure)
                .collect::<Vec<_>>()
        };
        let mut missing: Vec<SigId> = rows
            .iter()
            .flat_map(|row| {
                row.outcomes
                    .iter()
                    .flat_map(of)
                    .chain(row.fail.iter().map(|f| f.emission.event))
            })
            .filter(|&event| events.get(event).is_none_or(Option::is_none))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        for event in missing {
            let name = &self.signatures[event].name;
            let title = format!("the {} wire has no form for `{name}`", raw.family.value);
            let help = format!("add [event.{name}] with via = \"…\"; \"client\" if the SDK generates it");
            self.diags.push(Diag::new(&raw.family.span, title).help(help));
        }
    }

    fn function(&mut self, raw: &RawFunction, rows: &[Row]) -> Option<Function> {
        let target = match (&raw.row, raw.local, &raw.result_event) {
            (Some(row), None, None) => {
                let id = self.row_id(row)?;
                Target::Row(self.row_call(raw, row, &rows[id], id)?)
            }
            (None, Some(local), None) => Target::Local(local),
            (None, None, Some(result_event)) => self.invoke(raw, result_event)?,
            _ => {
                self.error(Diag::new(
                    &raw.span,
                    format!("function `{}` needs one of row, local and result-event", raw.name.value),
                ));
                return None;
            }
        };
        Some(Function {
            name: raw.name.value.clone(),
            target,
            constants: constants(raw.constants.as_ref()),
            when: constants(raw.when.as_ref()),
            failure: raw.failure,
            ends: raw.ends,
            acknowledges: raw.acknowledges.clone(),
        })
    }

    fn row_call(&mut self, raw: &RawFunction, name: &Spanned<Text>, row: &Row, id: usize) -> Option<RowCall> {
        let RowKind::Call(sigs) = &row.kind else {
            self.error(Diag::new(
                &name.span,
                format!("row `{}` is not entered by a call", row.id),
            ));
            return None;
        };
        let sig = match &raw.call {
            Some(call) => self.sig(call)?,
            None => *sigs.first()?,
        };
        for (arg, _) in &raw.args {
            if !row.slots[..row.args].iter().any(|(slot, _)| *slot == arg.value) {
                let names = row.slots[..row.args].iter().map(|(n, _)| &**n);
                let title = format!("row `{}` has no argument `{}`", row.id, arg.value);
                self.error(Diag::new(&arg.span, title).did_you_mean(&arg.value, names));
            }
        }
        let args = row.slots[..row.args]
            .iter()
            .enumerate()
            .filter_map(|(slot, (name, ty))| {
                let Ty::Sig(ty) = ty else { return None };
                let wire = raw
                    .args
                    .iter()
                    .find(|(arg, _)| arg.value == *name)
                    .map(|(_, wire)| part_of(&wire.value));
                let (wire, part) = wire.unzip();
                Some(WireArg {
                    slot,
                    name: name.clone(),
                    ty: *ty,
                    wire,
                    part: part.unwrap_or_default(),
                })
            });
        let args = args.collect();
        let mut reply = Vec::new();
        for (member, fold) in &raw.reply {
            reply.extend(self.fold(fold, row).map(|f| (member.value.clone(), f)));
        }
        let whole = self.single_value_reply(raw, row);
        let made_by_client = raw.made_by_client.iter().filter_map(|event| self.sig(event)).collect();
        Some(RowCall {
            row: id,
            slots: row.slots.len(),
            sig,
            args,
            reply,
            whole,
            made_by_client,
        })
    }

    /// Compiles `Event[a,b]`, `Event{k:v}`, `Event.arg` or `$field`.
    pub(super) fn fold(&mut self, raw: &Spanned<Text>, row: &Row) -> Option<Fold> {
        let text = &*raw.value;
        if let Some(field) = text.strip_prefix('$') {
            let at = row.answer.fields.iter().position(|(name, _)| &**name == field);
            if at.is_none() {
                let names = row.answer.fields.iter().map(|(n, _)| &**n);
                let title = format!("the answer of row `{}` has no field `{field}`", row.id);
                self.error(Diag::new(&raw.span, title).did_you_mean(field, names));
            }
            return at.map(Fold::Field);
        }
        let split = text.find(['[', '{', '.']);
        let (event, rest) = text.split_at(split.unwrap_or(text.len()));
        let event = self.sig(&Spanned {
            value: event.into(),
            span: raw.span.clone(),
        })?;
        let mut arg = |name: &str| {
            let at = self.signatures[event].arg(name.trim());
            if at.is_none() {
                let title = format!("`{}` has no argument `{}`", self.signatures[event].name, name.trim());
                self.diags.push(Diag::new(&raw.span, title));
            }
            at
        };
        if let Some(arg_name) = rest.strip_prefix('.') {
            let (arg_name, as_int) = match arg_name.strip_suffix(":int") {
                Some(arg_name) => (arg_name, true),
                None => (arg_name, false),
            };
            let arg = arg(arg_name)?;
            return Some(Fold::Arg { event, arg, as_int });
        }
        if let Some(list) = rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')) {
            let args: Vec<_> = list.split(',').map(&mut arg).collect();
            return Some(Fold::Zip {
                event,
                args: args.into_iter().collect::<Option<_>>()?,
            });
        }
        if let Some((key, value)) = rest
            .strip_prefix('{')
            .and_then(|r| r.strip_suffix('}'))
            .and_then(|r| r.split_once(':'))
        {
            return Some(Fold::Object {
                event,
                key: arg(key)?,
                value: arg(value)?,
            });
        }
        let help = "write Event[a,b], Event{key:value}, Event.arg or $field";
        self.error(Diag::new(&raw.span, format!("`{text}` is not a fold")).help(help));
        None
    }

    fn wire_event(&mut self, sig: SigId, raw: &RawEvent) -> Option<WireEvent> {
        let mut scope = Scope::default();
        for (slot, (name, ty)) in self.signatures[sig].args.clone().into_iter().enumerate() {
            scope.add(name, Ty::Sig(ty), Expr::Slot(slot));
        }
        let is_line = matches!(raw.via, Via::Mailbox | Via::Channel);
        if is_line && (raw.kind.is_none() || raw.src.is_none() || (raw.text.is_none() == raw.content.is_none())) {
            let title = format!(
                "the line of `{}` needs type, src, and either text or content",
                raw.name.value
            );
            self.error(Diag::new(&raw.span, title));
            return None;
        }
        let src = match &raw.src {
            Some(node) => self.infer(node, &scope)?.0,
            None => Expr::Const(Value::Null),
        };
        let body = match (&raw.text, &raw.content) {
            (Some(text), _) => Body::Text(self.infer(text, &scope)?.0),
            (_, Some(content)) => {
                let mut entries = Vec::new();
                for (name, node) in content.as_map().unwrap_or_default() {
                    entries.push((name.value.clone(), self.infer(node, &scope)?.0));
                }
                Body::Content(entries)
            }
            _ => Body::None,
        };
        let mut frames = Vec::new();
        for (code, list) in &raw.frames {
            let number = match &*code.value {
                "any" => None,
                text => match text.parse() {
                    Ok(number) => Some(number),
                    Err(_) => {
                        self.error(
                            Diag::new(&code.span, format!("`{text}` is not a code")).help("write a number or any"),
                        );
                        continue;
                    }
                },
            };
            frames.push((number, list.clone()));
        }
        let kind = raw.kind.clone().unwrap_or_else(|| "".into());
        Some(WireEvent {
            via: raw.via,
            volatile: raw.volatile,
            missed: raw.missed.as_ref().and_then(|code| self.code_id(code)),
            kind,
            src,
            body,
            frames,
        })
    }
}

/// Splits `name`, `name#key` or `name~prefix`.
fn part_of(text: &str) -> (Text, WirePart) {
    if let Some((name, key)) = text.split_once('#') {
        return (name.into(), WirePart::Json(key.into()));
    }
    if let Some((name, prefix)) = text.split_once('~') {
        return (name.into(), WirePart::After(prefix.into()));
    }
    (text.into(), WirePart::Complete)
}

fn constants(node: Option<&Node>) -> Vec<(Text, Value)> {
    let entries = node.and_then(Node::as_map).unwrap_or_default();
    entries
        .iter()
        .map(|(name, node)| (name.value.clone(), node.to_value()))
        .collect()
}
