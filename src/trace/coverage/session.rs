//! A session of a trace, counted record by record.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::front::ClientFrame;
use crate::front::hearing::Hearing;
use crate::mapping::Tables;
use crate::mapping::profile::Transport;
use crate::mapping::row::{RowId, RowKind, SigId};
use crate::mapping::wire::{Target, Via, Wire};
use crate::trace::frame::{inner, lines, opened};
use crate::trace::record::{Dir, Leg, Record};
use crate::value::{Text, Value};

use super::{Coverage, Key};

/// Calls that wait for their answers; a session that was cut off may have some.
const MAX_OPEN: usize = 10_000;
/// The number by which a login is answered.
const LOGIN: i64 = i64::MIN;

/// A session that is being counted.
pub(super) struct Counted<'t> {
    tables: &'t Arc<Tables>,
    wire: &'t Wire,
    transport: Transport,
    hearings: BTreeMap<i64, Hearing>,
    open: BTreeMap<(i64, i64), Key>,
    /// The last line of the mailbox that was told: polls tell what is not acknowledged again.
    told: i64,
    /// What the last cause has led to: refusals, and the rows with limitations.
    refused: Vec<Key>,
    noted: Vec<RowId>,
    ended: Option<Key>,
}

impl<'t> Counted<'t> {
    /// A session that begins; none when the tables do not have its profile.
    pub fn new(tables: &'t Arc<Tables>, begin: &Value) -> Option<Self> {
        let name = begin.get("profile")?.as_text()?;
        let profile = tables.profiles.iter().find(|profile| profile.name == *name)?;
        Some(Self {
            tables,
            wire: tables.wire(&profile.family)?,
            transport: profile.transport,
            hearings: BTreeMap::new(),
            open: BTreeMap::new(),
            told: 0,
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
                    self.heard(coverage, &record.data);
                }
            }
            (Leg::Legacy, Dir::Out) => self.said(coverage, record),
            (Leg::Env, Dir::Out) => self.note(coverage, &record.data),
            _ => {}
        }
    }

    /// A cause is over: refusals that came with a limitation are counted as its.
    pub fn settle(&mut self, coverage: &mut Coverage) {
        for key in self.refused.drain(..) {
            if self.noted.contains(&key.1) {
                coverage.calls.entry(key).or_default().refused += 1;
            }
        }
        self.noted.clear();
        self.ended = None;
    }

    fn heard(&mut self, coverage: &mut Coverage, data: &Value) {
        let Some(text) = data.get("frame").and_then(Value::as_text) else {
            return;
        };
        let socket = data.get("socket").and_then(Value::as_int).unwrap_or(0);
        let (transport, tables) = (self.transport, self.tables);
        let hearing = self.hearings.entry(socket);
        let hearing = hearing.or_insert_with(|| Hearing::new(transport, tables));
        match hearing.hear(text) {
            Some(heard) => heard
                .frames
                .into_iter()
                .for_each(|frame| self.asked(coverage, socket, frame)),
            None => coverage.unreadable += 1,
        }
    }

    fn asked(&mut self, coverage: &mut Coverage, socket: i64, frame: ClientFrame) {
        let (target, id) = match frame {
            ClientFrame::Login(_) => (&self.wire.login.target, LOGIN),
            ClientFrame::Call { function, id, args } => match self.wire.find(&function, &args) {
                Some((_, found)) => {
                    if let Target::Local(_) = found.target {
                        Coverage::function(&mut coverage.wire, &found.name);
                    }
                    (&found.target, id)
                }
                None => return Coverage::function(&mut coverage.unknown, &function),
            },
            _ => return,
        };
        let Target::Row(call) = target else { return };
        let key = (call.sig, call.row);
        coverage.calls.entry(key).or_default().count += 1;
        if self.open.len() < MAX_OPEN {
            self.open.insert((socket, id), key);
        }
    }

    fn said(&mut self, coverage: &mut Coverage, record: &Record) {
        let Some(text) = record.data.get("frame").and_then(Value::as_text) else {
            return;
        };
        let socket = record.data.get("socket").and_then(Value::as_int).unwrap_or(0);
        let frame = opened(text);
        if let Some((id, reply)) = answer(&frame) {
            if id == LOGIN {
                // Versions of the mailbox begin anew.
                self.told = 0;
            }
            if let Some(key) = self.open.remove(&(socket, id)) {
                self.answered(coverage, key, reply);
            }
        }
        let row = record.row.as_ref().and_then(|row| self.tables.row_named(row));
        lines(&frame, &mut |version, line| {
            let again = version.is_some_and(|version| version <= self.told);
            self.told = version.map_or(self.told, |version| self.told.max(version));
            let kind = line.get("type").and_then(Value::as_text);
            if let Some(sig) = kind.filter(|_| !again).and_then(|kind| self.line_event(row, kind)) {
                *coverage
                    .events
                    .entry((sig, row.unwrap_or(self.row_of(sig))))
                    .or_default() += 1;
            }
        });
        if let Some((name, row)) = control(&frame).zip(row)
            && let Some(sig) = self.control_event(name)
            // Several frames may tell one event.
            && self.ended.replace((sig, row)) != Some((sig, row))
        {
            *coverage.events.entry((sig, row)).or_default() += 1;
        }
    }

    fn answered(&mut self, coverage: &mut Coverage, key: Key, reply: &Value) {
        if reply.get("result").and_then(Value::as_text).map(|text| &**text) != Some("failed") {
            return;
        }
        let reason = reply.get("reason").cloned().map_or("?".into(), Value::into_text);
        // Whether a limitation is the cause shows when all of the step's outputs are known.
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

    /// The event of a line: of those that its row tells, where the type alone is not enough.
    fn line_event(&self, row: Option<RowId>, kind: &Text) -> Option<SigId> {
        let all = self.wire.events.iter().enumerate();
        let mut fitting = all.filter(|(_, form)| form.as_ref().is_some_and(|form| form.kind == *kind));
        let first = fitting.next()?.0;
        let told = |sig: SigId| row.is_some_and(|row| tells(self.tables, row, sig));
        if told(first) {
            return Some(first);
        }
        Some(fitting.map(|(sig, _)| sig).find(|&sig| told(sig)).unwrap_or(first))
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

    /// A row that tells the event: mailbox replies hold lines of several, and name none. One that an RTM event enters, if
    /// there is one: calls tell their events in their answers.
    fn row_of(&self, sig: SigId) -> RowId {
        let rows = &self.tables.rows;
        let mut telling = (0..rows.len()).filter(|&row| tells(self.tables, row, sig));
        let pushed = |row: &RowId| matches!(rows[*row].kind, RowKind::Event(_));
        telling.clone().find(pushed).or_else(|| telling.next()).unwrap_or(0)
    }
}

fn tells(tables: &Tables, row: RowId, sig: SigId) -> bool {
    let emissions = tables.rows[row]
        .outcomes
        .iter()
        .filter_map(|outcome| outcome.emission.as_ref());
    let mut emissions = emissions;
    emissions.any(|emission| emission.event == sig)
}

/// The number and the JSON of an answer: `["call2-ret",[id,err,json]]`, `["login_ret",[err,json]]`, `call_ret f id 0
/// json`, `login_res … json` (signaling-wire 4, 10).
fn answer(frame: &Value) -> Option<(i64, &Value)> {
    let items = frame.as_list()?;
    Some(match (&**items.first()?.as_text()?, items) {
        ("call2-ret", [_, Value::List(answer)]) => (answer.first()?.as_int()?, inner(answer.get(2)?)?),
        ("login_ret", [_, Value::List(answer)]) => (LOGIN, inner(answer.get(1)?)?),
        ("call_ret", [_, _, id, _, json]) => (id.as_text()?.parse().ok()?, inner(json)?),
        ("login_res", [.., json]) => (LOGIN, inner(json)?),
        _ => return None,
    })
}

/// The name of a control frame: `["close",""]`, `notify kick`.
fn control(frame: &Value) -> Option<&Text> {
    match frame.as_list()? {
        [Value::Text(notify), Value::Text(name)] if &**notify == "notify" => Some(name),
        [Value::Text(name), Value::Text(empty)] if empty.is_empty() => Some(name),
        _ => None,
    }
}
