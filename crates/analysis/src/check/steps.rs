//! Steps of an example.

use engine::{Attach, Effect, Input};
use protocol::event::{CallRef, Form, LOGIN};
use rtm::value::Value;
use rtm::{CallKind, EventKind, RtmError};
use tables::diagnostics::Diag;
use tables::duration::parse_duration;
use tables::reason::Reason;
use tables::row::RowKind;
use tables::spanned_value::{Node, NodeKind};

use crate::check::bench::{Bench, NO_FUNCTION, SOCKET};

/// Kinds of steps by their key, with the other allowed keys.
const STEPS: &[(&str, &[&str])] = &[
    ("call", &["of"]),
    ("refuse", &[]),
    ("upstream", &[]),
    ("client", &[]),
    ("on", &["args"]),
    ("rtm", &["args", "reply", "error", "via"]),
    ("reply-to", &["reply", "error"]),
    ("answer", &[]),
    (
        "fail",
        &["reason", "ecode", "event", "args", "web", "javasdk", "native"],
    ),
    ("repeat", &["steps"]),
    ("event", &["args", "count"]),
    ("code", &[]),
    ("after", &[]),
    ("quiet", &[]),
];

impl Bench {
    /// Runs a step.
    pub(super) fn example_step(&mut self, step: &Node) -> Result<(), Diag> {
        let entries = step.as_map().unwrap_or_default();
        let kind = STEPS.iter().find(|(key, _)| step.get(key).is_some());
        let Some((kind, others)) = kind else {
            let known: Vec<&str> = STEPS.iter().map(|(key, _)| *key).collect();
            return Err(Diag::new(
                &step.span,
                format!("a step needs one of: {}", known.join(", ")),
            ));
        };
        for (key, _) in entries {
            if &*key.value != *kind && !others.contains(&&*key.value) {
                let title = format!("a step `{kind}` needs `{}`", key.value);
                return Err(Diag::new(&key.span, title).did_you_mean(&key.value, others.iter().copied()));
            }
        }
        let Some(subject) = step.get(kind) else { return Ok(()) };
        if matches!(
            *kind,
            "call" | "refuse" | "upstream" | "client" | "on" | "after" | "quiet"
        ) {
            self.expect_nothing(step)?;
        }
        match *kind {
            "call" => self.do_call(step, subject),
            "refuse" => self.do_refuse(subject),
            "upstream" => {
                self.feed(Input::Upstream(subject.to_value() == Value::Bool(true)));
                Ok(())
            }
            "client" => {
                self.do_client(subject.to_value() == Value::Bool(true));
                Ok(())
            }
            "on" => self.do_event(step, subject),
            "rtm" => self.expect_rtm(step, subject),
            "reply-to" => {
                let kind = call_kind(subject)?;
                self.reply(step, kind)
            }
            "answer" => self.expect_answer(step, subject),
            "fail" => self.expect_failure(step, subject),
            "event" => self.expect_event(step, subject),
            "code" => self.expect_code(step, subject),
            "repeat" => self.repeat(step, subject),
            _ => {
                let text = subject
                    .as_text()
                    .ok_or_else(|| Diag::new(&subject.span, "expected a duration"))?;
                let time = parse_duration(text).map_err(|e| Diag::new(&subject.span, e.to_string()))?;
                self.pass(time);
                if *kind == "quiet" {
                    self.expect_nothing(step)
                } else {
                    Ok(())
                }
            }
        }
    }

    fn do_call(&mut self, step: &Node, args: &Node) -> Result<(), Diag> {
        let row = match step.get("of").and_then(Node::as_text) {
            Some(id) => self
                .tables
                .row_named(id)
                .ok_or_else(|| Diag::new(&step.span, format!("unknown row `{id}`")))?,
            None => self.row,
        };
        let tables = self.tables.clone();
        let row_ref = &tables.rows[row];
        if !matches!(row_ref.kind, RowKind::Call(_)) {
            return Err(Diag::new(&args.span, format!("no call enters row `{}`", row_ref.id)));
        }
        let names: Vec<&str> = row_ref.slots[..row_ref.args].iter().map(|(name, _)| &**name).collect();
        let values = in_order(args, &names)?;
        self.next_call += 1;
        let call = CallRef {
            socket: SOCKET,
            id: self.next_call,
            function: NO_FUNCTION,
        };
        if &*row_ref.id == "login.login" {
            self.session.assume_logged_out();
            let call = CallRef {
                function: LOGIN,
                ..call
            };
            self.feed(Input::Admitted {
                call,
                verdict: Ok(()),
                line: "line-1".into(),
                args: values,
            });
        } else {
            self.feed(Input::Call {
                call,
                row,
                args: values,
                acknowledges: None,
            });
        }
        Ok(())
    }

    /// Closes the connection, or logs the client in again.
    fn do_client(&mut self, is_there: bool) {
        if !is_there {
            return self.feed(Input::FrontClosed(SOCKET));
        }
        self.next_call += 1;
        let call = CallRef {
            socket: SOCKET,
            id: self.next_call,
            function: LOGIN,
        };
        self.feed(Input::Attached {
            call,
            how: Attach::Resume,
            line: "line-1".into(),
        });
    }

    /// Repeats steps.
    fn repeat(&mut self, step: &Node, times: &Node) -> Result<(), Diag> {
        let Some(times) = times.to_value().as_int() else {
            return Err(Diag::new(&times.span, "expected a number"));
        };
        let Some(NodeKind::List(steps)) = step.get("steps").map(|steps| &steps.kind) else {
            return Err(Diag::new(&step.span, "expected the `steps` to repeat"));
        };
        for _ in 0..times {
            for step in steps {
                self.example_step(step)?;
            }
        }
        Ok(())
    }

    /// Refuses the call for invalid arguments.
    fn do_refuse(&mut self, reason: &Node) -> Result<(), Diag> {
        let text = reason
            .as_text()
            .ok_or_else(|| Diag::new(&reason.span, "expected a reason"))?;
        let known = Reason::parse(text).ok_or_else(|| {
            let names = Reason::ALL.iter().map(|reason| reason.name());
            let title = format!("the bridge refuses no call for the reason `{text}`");
            Diag::new(&reason.span, title).did_you_mean(text, names)
        })?;
        self.next_call += 1;
        let call = CallRef {
            socket: SOCKET,
            id: self.next_call,
            function: NO_FUNCTION,
        };
        self.feed(Input::Refused {
            call,
            row: self.row,
            args: Vec::new(),
            reason: known,
        });
        Ok(())
    }

    fn do_event(&mut self, step: &Node, name: &Node) -> Result<(), Diag> {
        let text = name
            .as_text()
            .ok_or_else(|| Diag::new(&name.span, "expected an event's name"))?;
        let kind =
            EventKind::parse(text).ok_or_else(|| Diag::new(&name.span, format!("unknown RTM event `{text}`")))?;
        let names: Vec<&str> = kind.fields().iter().map(|f| f.name).collect();
        let values = match step.get("args") {
            Some(args) => in_order(args, &names)?,
            None => Vec::new(),
        };
        let event = kind.build(&values).map_err(|e| Diag::new(&step.span, e.to_string()))?;
        self.traffic.events.push(event.clone());
        self.feed(Input::RtmEvent(event));
        Ok(())
    }

    fn expect_rtm(&mut self, step: &Node, name: &Node) -> Result<(), Diag> {
        let kind = call_kind(name)?;
        let got = self.next_effect();
        let (request, call) = match (&got, step.get("via").is_some()) {
            (Some(Effect::Rtm { request, call }), false) | (Some(Effect::RtmVia { request, call, .. }), true) => {
                (request, call)
            }
            _ => return Err(self.unmet(step, &format!("the call {}", kind.name()), got.as_ref())),
        };
        if call.kind() != kind {
            return Err(self.unmet(step, &format!("the call {}", kind.name()), got.as_ref()));
        }
        if let Some(args) = step.get("args") {
            let want = args.to_value();
            let given = |value: &Value| match value {
                Value::Map(entries) => Value::Map(entries.iter().filter(|(_, v)| !v.is_null()).cloned().collect()),
                other => other.clone(),
            };
            let have = given(&call.args());
            if !same(&want, &have) {
                return Err(differs(args, &want, &have));
            }
        }
        let request = *request;
        if step.get("reply").is_some() || step.get("error").is_some() {
            self.answer_request(step, request, kind)?;
        }
        Ok(())
    }

    fn reply(&mut self, step: &Node, kind: CallKind) -> Result<(), Diag> {
        let open = self.open.iter().find(|(_, k)| *k == kind).map(|(request, _)| *request);
        let Some(request) = open else {
            return Err(Diag::new(&step.span, format!("no call {} is open", kind.name())));
        };
        self.answer_request(step, request, kind)
    }

    fn answer_request(&mut self, step: &Node, request: u64, kind: CallKind) -> Result<(), Diag> {
        self.open.retain(|(number, _)| *number != request);
        let result = match (step.get("reply"), step.get("error")) {
            (Some(reply), None) => {
                let value = reply.to_value();
                Ok(kind
                    .reply()
                    .read(&value)
                    .map_err(|e| Diag::new(&reply.span, format!("expected {e}")))?)
            }
            (None, Some(error)) => {
                let name = error
                    .as_text()
                    .ok_or_else(|| Diag::new(&error.span, "expected an error's name"))?;
                let member: Option<RtmError> = kind.errors().iter().find_map(|e| e.member(name));
                let error =
                    member.ok_or_else(|| Diag::new(&error.span, format!("{} has no error `{name}`", kind.name())))?;
                self.traffic.errors.push(error);
                Err(error)
            }
            _ => return Err(Diag::new(&step.span, "expected either a reply or an error")),
        };
        self.feed(Input::RtmReply { request, result });
        Ok(())
    }

    fn expect_answer(&mut self, step: &Node, fields: &Node) -> Result<(), Diag> {
        let got = self.next_effect();
        let Some(Effect::Answer { row, answer, .. }) = &got else {
            return Err(self.unmet(step, "an answer", got.as_ref()));
        };
        if answer.failure.is_some() {
            return Err(self.unmet(step, "an answer", got.as_ref()));
        }
        let names = self.tables.rows[*row]
            .answer
            .fields
            .iter()
            .map(|(name, _)| name.clone());
        let have = Value::Map(names.zip(answer.fields.iter().cloned()).collect());
        let want = fields.to_value();
        if same(&want, &have) {
            Ok(())
        } else {
            Err(differs(fields, &want, &have))
        }
    }

    fn expect_event(&mut self, step: &Node, name: &Node) -> Result<(), Diag> {
        let got = self.next_effect();
        let Some(Effect::Notify {
            form: Form::Direct,
            event,
            ..
        }) = &got
        else {
            return Err(self.unmet(step, "an event", got.as_ref()));
        };
        let tables = self.tables.clone();
        let sig = &tables.signatures[event.sig];
        if name.as_text() != Some(&sig.name) {
            return Err(self.unmet(
                step,
                &format!("the event {}", name.to_value().into_text()),
                got.as_ref(),
            ));
        }
        let have = Value::Map(
            sig.args
                .iter()
                .map(|(n, _)| n.clone())
                .zip(event.args.iter().cloned())
                .collect(),
        );
        if let Some(args) = step.get("args") {
            let want = args.to_value();
            return if same(&want, &have) {
                Ok(())
            } else {
                Err(differs(args, &want, &have))
            };
        }
        let Some(count) = step.get("count") else {
            return Err(Diag::new(&step.span, "an event step needs all args of the event"));
        };
        for (arg, number) in count.as_map().unwrap_or_default() {
            let length = have
                .get(&arg.value)
                .and_then(Value::as_list)
                .map(|l| Value::Int(l.len() as i64));
            if length.as_ref() != Some(&number.to_value()) {
                return Err(differs(number, &number.to_value(), &length.unwrap_or_default()));
            }
        }
        Ok(())
    }

    fn expect_code(&mut self, step: &Node, code: &Node) -> Result<(), Diag> {
        let got = self.next_effect();
        let Some(Effect::Note { code: have, .. }) = &got else {
            return Err(self.unmet(step, "a limitation code", got.as_ref()));
        };
        let have = Value::Text(self.tables.code_name(*have).clone());
        if code.to_value() == have {
            Ok(())
        } else {
            Err(differs(code, &code.to_value(), &have))
        }
    }

    fn expect_nothing(&mut self, step: &Node) -> Result<(), Diag> {
        match self.next_effect() {
            None => Ok(()),
            Some(effect) => {
                let title = format!("expected nothing here, got {}", self.shown(&effect));
                Err(Diag::new(&step.span, title))
            }
        }
    }

    pub(super) fn unmet(&self, step: &Node, want: &str, got: Option<&Effect>) -> Diag {
        let got = got.map_or_else(|| "nothing".to_owned(), |effect| self.shown(effect));
        Diag::new(&step.span, format!("expected {want}, got {got}"))
    }

    /// Describes an effect.
    pub(super) fn shown(&self, effect: &Effect) -> String {
        match effect {
            Effect::Rtm { call, .. } => format!("the call {} {}", call.kind().name(), call.args()),
            Effect::RtmVia { call, .. } => format!("the call {} {} via a member", call.kind().name(), call.args()),
            Effect::Answer { answer, .. } => match &answer.failure {
                Some(refusal) => {
                    let class = &self.tables.fails[refusal.class].name;
                    format!("the failure {class} \"{}\" ({})", refusal.reason, refusal.ecode)
                }
                None => "an answer".to_owned(),
            },
            Effect::Notify { event, .. } => {
                let args = Value::List(event.args.clone());
                format!("the event {} {args}", self.tables.signatures[event.sig].name)
            }
            Effect::Note { code, .. } => format!("the code {}", self.tables.code_name(*code)),
            other => format!("{other:?}"),
        }
    }
}

fn call_kind(name: &Node) -> Result<CallKind, Diag> {
    let text = name
        .as_text()
        .ok_or_else(|| Diag::new(&name.span, "expected a call's name"))?;
    CallKind::parse(text).ok_or_else(|| {
        let names = CallKind::ALL.iter().map(|c| c.name());
        Diag::new(&name.span, format!("unknown RTM call `{text}`")).did_you_mean(text, names)
    })
}

/// Returns values in the order of `names`.
fn in_order(args: &Node, names: &[&str]) -> Result<Vec<Value>, Diag> {
    for (name, _) in args.as_map().unwrap_or_default() {
        if !names.contains(&&*name.value) {
            let title = format!("unknown key `{}`", name.value);
            return Err(Diag::new(&name.span, title).did_you_mean(&name.value, names.iter().copied()));
        }
    }
    Ok(names
        .iter()
        .map(|name| args.get(name).map(Node::to_value).unwrap_or_default())
        .collect())
}

/// Compares values; the order of object keys is irrelevant.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Map(x), Value::Map(y)) => {
            x.len() == y.len()
                && x.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::List(x), Value::List(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}

pub(super) fn differs(at: &Node, want: &Value, have: &Value) -> Diag {
    Diag::new(&at.span, format!("expected {want}, got {have}"))
}
