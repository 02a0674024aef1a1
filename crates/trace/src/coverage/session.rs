//! Record-by-record counting of a session.

use std::collections::BTreeMap;

use crate::frame::{inner, lines, opened};
use crate::record::{Dir, Leg, Record};
use protocol::ClientFrame;
use protocol::decoder::Decoder;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::profile::Transport;
use tables::row::{RowId, RowKind, SigId};
use tables::wire::{Function, Target, Via, Wire};

use crate::coverage::{Coverage, Key};

/// Maximum of open calls; a truncated session may have some.
const MAX_OPEN: usize = 10_000;
/// Call number of a login's answer.
const LOGIN: &str = "login";

/// Session that is being counted.
pub(super) struct Counted<'t> {
    tables: &'t Tables,
    wire: &'t Wire,
    /// `None` for JSON-RPC, which is counted by its method names.
    decoder: Option<Decoder>,
    open: BTreeMap<(i64, Text), Key>,
    /// Last mailbox version sent; polls repeat unacknowledged messages.
    last_version: i64,
    /// Results of the last cause: refusals, and rows with limitations.
    refused: Vec<Key>,
    noted: Vec<RowId>,
    ended: Option<Key>,
}

impl<'t> Counted<'t> {
    /// Creates the counter of a session; `None` for an unknown profile.
    pub fn new(tables: &'t Tables, begin: &Value) -> Option<Self> {
        let name = begin.get("profile")?.as_text()?;
        let profile = tables.profiles.iter().find(|profile| profile.name == *name)?;
        Some(Self {
            tables,
            wire: tables.wire(&profile.family)?,
            decoder: match profile.transport {
                Transport::WebSocket => Some(Decoder::WebSocket),
                Transport::Tcp => Some(Decoder::Tcp),
                Transport::Api => None,
            },
            open: BTreeMap::new(),
            last_version: 0,
            refused: Vec::new(),
            noted: Vec::new(),
            ended: None,
        })
    }

    /// Counts a record.
    pub fn take(&mut self, coverage: &mut Coverage, record: &Record) {
        match (record.leg, record.dir) {
            (Leg::Env, Dir::In) if record.data.get("name").is_some() => {}
            (leg, Dir::In) => {
                self.settle(coverage);
                if leg == Leg::Legacy {
                    self.input(coverage, &record.data);
                }
            }
            (Leg::Legacy, Dir::Out) => self.output(coverage, record),
            (Leg::Env, Dir::Out) => self.note(coverage, &record.data),
            _ => {}
        }
    }

    /// Ends a cause: its refusals with a limitation are counted as limited.
    pub fn settle(&mut self, coverage: &mut Coverage) {
        for key in self.refused.drain(..) {
            if self.noted.contains(&key.1) {
                coverage.calls.entry(key).or_default().refused += 1;
            }
        }
        self.noted.clear();
        self.ended = None;
    }

    fn input(&mut self, coverage: &mut Coverage, data: &Value) {
        let Some(text) = data.get("frame").and_then(Value::as_text) else {
            return;
        };
        let socket = data.get("socket").and_then(Value::as_int).unwrap_or(0);
        let Some(decoder) = &self.decoder else {
            return self.requests(coverage, socket, &opened(text));
        };
        let Some(input) = decoder.decode(text) else {
            coverage.unreadable += 1;
            return;
        };
        for frame in input.frames {
            match frame {
                ClientFrame::Login(_) => self.called(coverage, &self.wire.login, (socket, LOGIN.into())),
                ClientFrame::Call { function, id, args } => match self.wire.find(&function, &args) {
                    Some((_, found)) => self.called(coverage, found, (socket, id.to_string().into())),
                    None => Coverage::function(&mut coverage.unknown, &function),
                },
                _ => {}
            }
        }
    }

    /// Reads JSON-RPC requests, single or batched.
    fn requests(&mut self, coverage: &mut Coverage, socket: i64, frame: &Value) {
        if let Value::List(batch) = frame {
            return batch.iter().for_each(|request| self.request(coverage, socket, request));
        }
        self.request(coverage, socket, frame);
    }

    fn request(&mut self, coverage: &mut Coverage, socket: i64, request: &Value) {
        let Some(method) = request.get("method").and_then(Value::as_text) else {
            coverage.unreadable += 1;
            return;
        };
        let id = request.get("id").cloned().unwrap_or_default().into_text();
        let mut name = method.clone();
        let mut found = self.wire.find(&name, &Value::Null);
        if let Some((_, Target::Invoke(invoke))) = found.map(|(at, function)| (at, &function.target)) {
            // The first argument names a function with its package (signaling-api 7).
            let argument = self.tables.signatures[invoke.call].args.first();
            let named = match request.get("params") {
                Some(Value::List(values)) => values.first(),
                Some(params) => argument.and_then(|(argument, _)| params.get(argument)),
                None => None,
            };
            let named = named.cloned().unwrap_or_default().into_text();
            name = named.rsplit('.').next().unwrap_or_default().into();
            found = self.wire.find(&name, &Value::Null);
        }
        match found {
            Some((_, function)) => self.called(coverage, function, (socket, id)),
            None => Coverage::function(&mut coverage.unknown, &name),
        }
    }

    fn called(&mut self, coverage: &mut Coverage, function: &Function, call: (i64, Text)) {
        let of = match &function.target {
            Target::Row(of) => of,
            Target::Local(_) => return Coverage::function(&mut coverage.wire, &function.name),
            Target::Invoke(_) => return,
        };
        let key = (of.sig, of.row);
        coverage.calls.entry(key).or_default().count += 1;
        if self.open.len() < MAX_OPEN {
            self.open.insert(call, key);
        }
    }

    fn output(&mut self, coverage: &mut Coverage, record: &Record) {
        let Some(text) = record.data.get("frame").and_then(Value::as_text) else {
            return;
        };
        let socket = record.data.get("socket").and_then(Value::as_int).unwrap_or(0);
        let frame = opened(text);
        let row = record.row.as_ref().and_then(|row| self.tables.row_named(row));
        if self.decoder.is_none() {
            let batch = frame.as_list().unwrap_or(std::slice::from_ref(&frame));
            return batch
                .iter()
                .for_each(|output| self.response(coverage, socket, row, output));
        }
        if let Some((id, reply)) = answer(&frame) {
            if &*id == LOGIN {
                // Mailbox versions restart.
                self.last_version = 0;
            }
            if let Some(key) = self.open.remove(&(socket, id)) {
                let failed = reply.get("result").and_then(Value::as_text).map(|text| &**text) == Some("failed");
                self.answered(coverage, key, failed.then(|| reply.get("reason")));
            }
        }
        lines(&frame, &mut |version, line| {
            let again = version.is_some_and(|version| version <= self.last_version);
            self.last_version = version.map_or(self.last_version, |version| self.last_version.max(version));
            let kind = line.get("type").and_then(Value::as_text);
            if let Some(sig) = kind.filter(|_| !again).and_then(|kind| self.line_event(row, kind)) {
                self.event(coverage, sig, row);
            }
        });
        if let Some((name, row)) = control(&frame).zip(row)
            && let Some(sig) = self.control_event(name)
            // Several frames may carry one event.
            && self.ended.replace((sig, row)) != Some((sig, row))
        {
            self.event(coverage, sig, Some(row));
        }
    }

    /// Reads a JSON-RPC response or notification.
    fn response(&mut self, coverage: &mut Coverage, socket: i64, row: Option<RowId>, output: &Value) {
        if let Some(method) = output.get("method").and_then(Value::as_text) {
            if let Some(sig) = self.tables.signature_named(method) {
                self.event(coverage, sig, row);
            }
            return;
        }
        let id = output.get("id").cloned().unwrap_or_default().into_text();
        if let Some(key) = self.open.remove(&(socket, id)) {
            self.answered(coverage, key, output.get("error").map(|error| error.get("message")));
        }
    }

    fn event(&self, coverage: &mut Coverage, sig: SigId, row: Option<RowId>) {
        let row = row.unwrap_or_else(|| self.row_of(sig));
        *coverage.events.entry((sig, row)).or_default() += 1;
    }

    /// Counts an answer; a failure may have a reason.
    fn answered(&mut self, coverage: &mut Coverage, key: Key, failure: Option<Option<&Value>>) {
        let Some(reason) = failure else { return };
        let reason = reason.cloned().map_or("?".into(), Value::into_text);
        // All outputs of the step must be known to decide whether a limitation is the cause.
        coverage.calls.entry(key).or_default().fail(&reason, false);
        self.refused.push(key);
    }

    fn note(&mut self, coverage: &mut Coverage, data: &Value) {
        let Some(note) = data.get("note") else { return };
        let text = |name: &str| note.get(name).and_then(Value::as_text);
        let row = text("row").and_then(|row| self.tables.row_named(row));
        let code = text("code").and_then(|code| self.tables.codes.iter().position(|known| known.name == *code));
        if let (Some(row), Some(code)) = (row, code) {
            *coverage.notes.entry((row, code)).or_default() += 1;
            self.noted.push(row);
        }
    }

    /// Returns the event of a line among those of its row, if the type is ambiguous.
    fn line_event(&self, row: Option<RowId>, kind: &Text) -> Option<SigId> {
        let all = self.wire.events.iter().enumerate();
        let mut fitting = all.filter(|(_, form)| form.as_ref().is_some_and(|form| form.kind == *kind));
        let first = fitting.next()?.0;
        let last_version = |sig: SigId| row.is_some_and(|row| reports(self.tables, row, sig));
        if last_version(first) {
            return Some(first);
        }
        Some(
            fitting
                .map(|(sig, _)| sig)
                .find(|&sig| last_version(sig))
                .unwrap_or(first),
        )
    }

    fn control_event(&self, frame: &str) -> Option<SigId> {
        self.wire.events.iter().position(|form| {
            let form = form.as_ref().filter(|form| form.via == Via::Control);
            form.is_some_and(|form| {
                form.frames
                    .iter()
                    .flat_map(|(_, names)| names)
                    .any(|name| &**name == frame)
            })
        })
    }

    /// Returns the row of an event, since mailbox replies contain lines of several rows without naming them. Prefers a
    /// row that an RTM event enters: calls report their events in answers.
    fn row_of(&self, sig: SigId) -> RowId {
        let rows = &self.tables.rows;
        let mut reporting = (0..rows.len()).filter(|&row| reports(self.tables, row, sig));
        let pushed = |row: &RowId| matches!(rows[*row].kind, RowKind::Event(_));
        reporting.clone().find(pushed).or_else(|| reporting.next()).unwrap_or(0)
    }
}

fn reports(tables: &Tables, row: RowId, sig: SigId) -> bool {
    tables.rows[row].outcomes.iter().any(|outcome| {
        let failure = outcome.failure.as_ref().map(|failure| &failure.emission);
        let emissions = outcome.emission.iter().chain(failure);
        emissions.into_iter().any(|emission| emission.event == sig)
    })
}

/// Reads number and JSON of an answer: `["call2-ret",[id,err,json]]`, `["login_ret",[err,json]]`, `call_ret f id 0
/// json`, `login_res … json` (signaling-wire 4, 10).
fn answer(frame: &Value) -> Option<(Text, &Value)> {
    let items = frame.as_list()?;
    Some(match (&**items.first()?.as_text()?, items) {
        ("call2-ret", [_, Value::List(answer)]) => (answer.first()?.clone().into_text(), inner(answer.get(2)?)?),
        ("login_ret", [_, Value::List(answer)]) => (LOGIN.into(), inner(answer.get(1)?)?),
        ("call_ret", [_, _, id, _, json]) => (id.as_text()?.clone(), inner(json)?),
        ("login_res", [.., json]) => (LOGIN.into(), inner(json)?),
        _ => return None,
    })
}

/// Returns the name of a control frame: `["close",""]`, `notify kick`.
fn control(frame: &Value) -> Option<&Text> {
    match frame.as_list()? {
        [Value::Text(notify), Value::Text(name)] if &**notify == "notify" => Some(name),
        [Value::Text(name), Value::Text(empty)] if empty.is_empty() => Some(name),
        _ => None,
    }
}
