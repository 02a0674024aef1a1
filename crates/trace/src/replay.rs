//! Replay of a whole trace: outputs are compared by session, in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use protocol::encoder::Encoder;
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;

use crate::diff::Change;
use crate::diff::changes::changes;
use crate::frame::opened_data;
use crate::names::{ReadNames, TraceNames};
use crate::played_record::PlayedRecord;
use crate::reader::Trace;
use crate::record::{Dir, Leg, Record};
use crate::row_usage::Used;
use crate::session_context::Begin;
use crate::session_replay::{InvalidRecord, Out, SessionReplay};

/// Replay result.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Number of sessions.
    pub sessions: usize,
    /// Number of inputs and compared outputs.
    pub records: usize,
    /// Table usage of each session, by number.
    pub used: Vec<PlayedSession>,
    /// First difference of each session.
    pub differences: Vec<Difference>,
    /// Truncated sessions: outputs after their end are not compared.
    pub cut: BTreeSet<u64>,
    /// Tolerated one-sided outputs (docs/trace.md); 0 for a replay with recorded RTM events.
    pub passed_over: usize,
    /// Records after the replay: recorded inputs, replayed outputs.
    pub played: Vec<PlayedRecord>,
}

/// Replayed session.
#[derive(Clone, Debug)]
pub struct PlayedSession {
    /// Session number in the trace.
    pub session: u64,
    /// Client family.
    pub family: Text,
    /// Comparison page of the upstream's SDK.
    pub platform: Option<Text>,
    pub used: Used,
}

/// First difference of a session.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Line of the trace.
    pub line: usize,
    pub session: u64,
    /// Time in microseconds since the start of the trace.
    pub t_us: u64,
    /// Recorded output; `None` if the trace has no more.
    pub expected: Option<Record>,
    /// Replayed output; `None` if there was none.
    pub got: Option<Out>,
    /// Differences, if both exist.
    pub changes: Vec<Change>,
    /// Last input of the session before the difference.
    pub after: Option<Record>,
    /// Limitation codes noted by the session.
    pub codes: Vec<Text>,
}

/// Impossible record.
#[derive(Clone, Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct InconsistentRecord {
    pub line: usize,
    pub what: InvalidRecord,
}

/// Reason why an imported trace needs a live RTM.
const NO_RTM: &str = "the trace has no leg `rtm`, since it was imported; replay it with `--against embedded` or a URL";

/// Observer of a replay.
pub struct Watch<'w> {
    /// Requests [`Outcome::played`].
    pub keeps: bool,
    /// Called with the number of replayed records.
    pub progress: &'w mut dyn FnMut(usize),
}

/// Records between progress calls.
const EVERY: usize = 4096;

/// Replays a trace.
///
/// # Errors
/// The first impossible record, or the header if a leg is missing.
pub fn replay(
    tables: &Arc<Tables>,
    encoders: &Arc<Vec<Arc<dyn Encoder>>>,
    trace: &Trace,
) -> Result<Outcome, InconsistentRecord> {
    let watch = Watch {
        keeps: true,
        progress: &mut |_| {},
    };
    replay_watched(tables, encoders, trace, watch)
}

/// Replays a trace with an observer.
///
/// # Errors
/// As [`replay`].
pub fn replay_watched(
    tables: &Arc<Tables>,
    encoders: &Arc<Vec<Arc<dyn Encoder>>>,
    trace: &Trace,
    watch: Watch<'_>,
) -> Result<Outcome, InconsistentRecord> {
    if trace.header.missing.contains(&Leg::Rtm) {
        return Err(InconsistentRecord {
            line: 1,
            what: NO_RTM.to_owned().into(),
        });
    }
    let mut state = Harness {
        tables,
        encoders,
        started: trace.header.started_ms,
        names: names(trace),
        session_entries: BTreeMap::new(),
        outcome: Outcome {
            cut: trace.cut(),
            ..Outcome::default()
        },
        keeps: watch.keeps,
        played: Vec::new(),
    };
    for (line, record) in &trace.records {
        state
            .take(*line, record)
            .map_err(|what| InconsistentRecord { line: *line, what })?;
        if state.outcome.records.is_multiple_of(EVERY) {
            (watch.progress)(state.outcome.records);
        }
    }
    let end = trace.records.last().map_or(1, |(line, _)| *line);
    let sessions: Vec<u64> = state.session_entries.keys().copied().collect();
    for session in sessions {
        state.break_off(session);
        state.settle(end, session);
    }
    // A difference is known at the end of its step, and steps of sessions overlap.
    state.outcome.differences.sort_by_key(|difference| difference.line);
    state.outcome.played = state.played.into_iter().flatten().collect();
    let played = state.session_entries.into_iter().map(|(session, entry)| PlayedSession {
        session,
        family: entry.session_replay.family().clone(),
        platform: entry.platform,
        used: entry.session_replay.used().clone(),
    });
    state.outcome.used = played.collect();
    Ok(state.outcome)
}

/// Returns the recorded name translations by session.
fn names(trace: &Trace) -> BTreeMap<u64, Arc<ReadNames>> {
    let mut names: BTreeMap<u64, ReadNames> = BTreeMap::new();
    for (_, record) in &trace.records {
        if record.leg == Leg::Env && record.dir == Dir::In {
            names.entry(record.session).or_default().learn(&record.data);
        }
    }
    names
        .into_iter()
        .map(|(session, names)| (session, Arc::new(names)))
        .collect()
}

struct Harness<'s> {
    tables: &'s Arc<Tables>,
    encoders: &'s Arc<Vec<Arc<dyn Encoder>>>,
    started: u64,
    names: BTreeMap<u64, Arc<ReadNames>>,
    session_entries: BTreeMap<u64, ReplaySession<'s>>,
    outcome: Outcome,
    keeps: bool,
    /// Records after the replay, by line of the trace.
    played: Vec<Vec<PlayedRecord>>,
}

struct ReplaySession<'s> {
    session_replay: SessionReplay,
    platform: Option<Text>,
    pending: VecDeque<Out>,
    /// Recorded outputs from the step's first difference on.
    expected: Vec<Expected<'s>>,
    last: Option<&'s Record>,
    codes: Vec<Text>,
    /// Set after a difference, which later differences may follow from.
    lost: bool,
}

/// Recorded output that is not compared yet.
struct Expected<'s> {
    line: usize,
    record: &'s Record,
    /// Index among the replayed records.
    place: usize,
}

impl<'s> Harness<'s> {
    fn take(&mut self, line: usize, record: &'s Record) -> Result<(), InvalidRecord> {
        self.outcome.records += 1;
        if record.session == 0 || record.leg == Leg::Http {
            self.keep(line);
            return Ok(());
        }
        if record.dir == Dir::Out {
            return self.compare(line, record);
        }
        if record.data.get("name").is_some() {
            // Collect all first: name requests occur within a step.
            self.keep(line);
            return Ok(());
        }
        if record.env("lost") {
            self.entry(record.session)?;
            self.keep(line);
            self.break_off(record.session);
            return Ok(());
        }
        self.settle(line, record.session);
        self.keep(line);
        if let Some(begin) = record.data.get("begin") {
            let read = self.names.get(&record.session).cloned().unwrap_or_default();
            let names = Arc::new(TraceNames { read, app: None });
            if self.session_entries.contains_key(&record.session) {
                return Err(format!("session {} began already", record.session).into());
            }
            let begin = Begin::read(begin)?;
            let session_replay = SessionReplay::new(self.tables.clone(), self.encoders.clone(), &begin, names)?;
            self.outcome.sessions += 1;
            let entry = ReplaySession {
                session_replay,
                platform: begin.platform,
                pending: VecDeque::new(),
                expected: Vec::new(),
                last: None,
                codes: Vec::new(),
                lost: false,
            };
            self.session_entries.insert(record.session, entry);
            return Ok(());
        }
        let now = Time::from_millis(self.started.saturating_add(record.t_us / 1000));
        let entry = self.session_entries.get_mut(&record.session);
        let entry = entry.ok_or_else(|| not_begun(record.session))?;
        let outs = match entry.session_replay.feed(now, record) {
            Ok(outs) => outs,
            // The session diverged; later inputs may not apply to it.
            Err(_) if entry.lost => Vec::new(),
            Err(impossible) => return Err(impossible),
        };
        entry.last = Some(record);
        for out in &outs {
            let note = out.data.get("note");
            let code = note.and_then(|note| note.get("code")).and_then(Value::as_text);
            entry
                .codes
                .extend(code.filter(|code| !entry.codes.contains(code)).cloned());
        }
        entry.pending.extend(outs);
        Ok(())
    }

    fn entry(&mut self, session: u64) -> Result<&mut ReplaySession<'s>, InvalidRecord> {
        let entry = self.session_entries.get_mut(&session);
        Ok(entry.ok_or_else(|| not_begun(session))?)
    }

    fn keep(&mut self, line: usize) {
        if self.keeps {
            self.played.push(vec![PlayedRecord::AsRecorded(line)]);
        }
    }

    /// Reserves an index among the replayed records.
    fn place(&mut self) -> usize {
        self.played.push(Vec::new());
        self.played.len() - 1
    }

    fn compare(&mut self, line: usize, record: &'s Record) -> Result<(), InvalidRecord> {
        let entry = self.entry(record.session)?;
        if entry.expected.is_empty()
            && let Some(got) = entry.pending.front()
            && is_same(got, record)
        {
            entry.pending.pop_front();
            self.keep(line);
            return Ok(());
        }
        let place = self.place();
        let expected = Expected { line, record, place };
        self.entry(record.session)?.expected.push(expected);
        Ok(())
    }

    /// Discards outputs after a session's truncation, which are not recorded.
    fn break_off(&mut self, session: u64) {
        if self.outcome.cut.contains(&session)
            && let Some(entry) = self.session_entries.get_mut(&session)
        {
            // Recorded outputs differ.
            if entry.expected.is_empty() {
                entry.pending.clear();
            }
        }
    }

    /// Ends a step: from its first difference on, outputs common to both sides keep their record.
    fn settle(&mut self, line: usize, session: u64) {
        let Some(entry) = self.session_entries.get_mut(&session) else {
            return;
        };
        let (pending, expected) = (std::mem::take(&mut entry.pending), std::mem::take(&mut entry.expected));
        let t_us = entry.last.map_or(0, |record| record.t_us);
        if self.keeps && !pending.is_empty() {
            let mut left = &expected[..];
            let mut place = expected.first().map_or_else(|| self.place(), |expected| expected.place);
            for got in &pending {
                let record = if let Some(at) = left.iter().position(|expected| is_same(got, expected.record)) {
                    place = left[at].place;
                    let line = left[at].line;
                    left = &left[at + 1..];
                    PlayedRecord::AsRecorded(line)
                } else {
                    PlayedRecord::New(new_record(t_us, session, got))
                };
                self.played[place].push(record);
                place = left.first().map_or(place, |expected| expected.place);
            }
        }
        match (expected.first(), pending.into_iter().next()) {
            (Some(expected), got) => self.differs(expected.line, session, Some(expected.record.clone()), got),
            (None, Some(got)) => self.differs(line, session, None, Some(got)),
            (None, None) => {}
        }
    }

    fn differs(&mut self, line: usize, session: u64, expected: Option<Record>, got: Option<Out>) {
        let Some(entry) = self.session_entries.get_mut(&session) else {
            return;
        };
        if std::mem::replace(&mut entry.lost, true) {
            return;
        }
        let t_us = expected.as_ref().or(entry.last).map_or(0, |record| record.t_us);
        let both = expected.as_ref().zip(got.as_ref());
        let changes = both.map_or(Vec::new(), |(expected, got)| places(expected, got));
        self.outcome.differences.push(Difference {
            line,
            session,
            t_us,
            changes,
            expected,
            got,
            after: entry.last.cloned(),
            codes: entry.codes.clone(),
        });
    }
}

/// Returns the differences of two outputs of the same leg.
fn places(expected: &Record, got: &Out) -> Vec<Change> {
    if expected.leg != got.leg {
        return Vec::new();
    }
    let places = changes(&opened_data(&expected.data), &opened_data(&got.data));
    // Equal except for formatting.
    match places.is_empty() {
        true => changes(&expected.data, &got.data),
        false => places,
    }
}

fn new_record(t_us: u64, session: u64, out: &Out) -> Record {
    Record {
        t_us,
        session,
        leg: out.leg,
        dir: Dir::Out,
        row: out.row.clone(),
        data: out.data.clone(),
    }
}

fn is_same(got: &Out, record: &Record) -> bool {
    got.leg == record.leg && got.data == record.data
}

fn not_begun(session: u64) -> String {
    format!("session {session} did not begin")
}
