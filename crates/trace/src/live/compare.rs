//! Comparison of recorded frames with those of a live replay.
//!
//! Frames are normalized first ([`Normalizer`]). The order of independent events is up to RTM, so outputs are paired
//! out of order. Each output must occur by its recorded time, and not much earlier. Member lists have no order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::diff::Change;
use crate::diff::align::{Pair, align};
use crate::diff::changes::changes;
use crate::diff::normalize::Normalizer;
use crate::event::number;
use crate::frame;
use crate::reader::Trace;
use crate::record::{Dir, Leg, Record};
use crate::replay::{Difference, Outcome};
use crate::session_replay::Out;
use rtm::value::{Text, Value};

use crate::live::unordered::unordered;

/// Maximum lead over the recorded time in µs: RTM answers immediately.
const EARLIER_US: u64 = 5_000_000;
/// Frames sent this close to the end of a socket, in µs, may not have arrived when recorded.
const END_US: u64 = 200_000;

/// Output.
struct Output<'r> {
    line: usize,
    record: &'r Record,
    kind: String,
    /// Normalized data.
    key: String,
    /// Normalized data without mailbox lines, since timing decides whether a line is pushed or polled.
    bare: String,
    /// Mailbox lines in the output.
    lines: Vec<(i64, String)>,
    /// Normalized data.
    plain: Value,
}

type Level<'r> = for<'s> fn(&'s Output<'r>) -> &'s str;

/// One side of a session.
struct Side<'r> {
    sent: Vec<Output<'r>>,
    /// All mailbox lines sent.
    lines: BTreeSet<(i64, String)>,
    /// Mailbox lines sent in answers.
    polled: BTreeSet<(i64, String)>,
    /// Inputs.
    received: Vec<(usize, &'r Record)>,
}

impl Side<'_> {
    /// Returns true if this side polled the lines that the other side pushed.
    fn polls(&self, other: &Output<'_>) -> bool {
        !other.lines.is_empty() && other.lines.iter().all(|line| self.polled.contains(line))
    }
}

/// Compares replayed and recorded outputs by session; an output may be `later_us` late.
pub fn compare(trace: &Trace, played: &BTreeMap<u64, Vec<Record>>, later_us: u64) -> Outcome {
    let mut sessions: BTreeMap<u64, Vec<(usize, &Record)>> = BTreeMap::new();
    for (line, record) in &trace.records {
        sessions.entry(record.session).or_default().push((*line, record));
    }
    let accounts: HashSet<Text> = trace.records.iter().filter_map(|(_, r)| account(r)).collect();
    let imported = trace.header.missing.contains(&Leg::Rtm);
    let end_us = trace.records.last().map_or(0, |(_, record)| record.t_us);
    let mut outcome = Outcome {
        cut: trace.cut(),
        ..Outcome::default()
    };
    for (session, records) in &sessions {
        let is_login = |record: &Record| record.data.get("admitted").or(record.data.get("attached")).is_some();
        if !records.iter().any(|(_, record)| is_login(record)) {
            // The validity of the login's token is unknown here.
            continue;
        }
        let now: &[Record] = played.get(session).map_or(&[], |records| records);
        let expected = side(records.iter().copied(), records, imported);
        let got = side(now.iter().map(|record| (0, record)), records, imported);
        outcome.sessions += 1;
        outcome.records += expected.received.len() + expected.sent.len();
        let judge = SessionComparison {
            expected,
            got,
            accounts: &accounts,
            ends: ends(records, imported),
            end_us,
            later_us,
            codes: now.iter().filter_map(code).collect(),
            session: *session,
        };
        outcome.passed_over += judge.judge(&mut outcome.differences);
    }
    outcome
}

fn account(record: &Record) -> Option<Text> {
    record.data.get("begin")?.get("account")?.as_text().cloned()
}

fn code(record: &Record) -> Option<Text> {
    record.data.get("note")?.get("code")?.as_text().cloned()
}

fn side<'r>(records: impl Iterator<Item = (usize, &'r Record)>, all: &[(usize, &Record)], imported: bool) -> Side<'r> {
    let mut plain = Normalizer::default();
    all.iter().for_each(|(_, record)| plain.learn(record, true));
    let mut side = Side {
        sent: Vec::new(),
        lines: BTreeSet::new(),
        polled: BTreeSet::new(),
        received: Vec::new(),
    };
    for (line, record) in records.filter(|(_, record)| record.leg == Leg::Legacy) {
        // An archive has no socket ends.
        if imported && record.data.get("close").is_some() {
            continue;
        }
        let (kind, mut data) = plain.of(record);
        if record.dir == Dir::In {
            side.received.push((line, record));
            continue;
        }
        unordered(&mut data);
        let mut versions = Vec::new();
        frame::lines(&data, &mut |version, line| {
            versions.extend(version.map(|version| (version, line.to_json())));
        });
        let (key, plain) = (format!("{kind} {data}"), data.clone());
        let bare = if versions.is_empty() && !kind.contains("answer") {
            key.clone()
        } else {
            without_lines(&mut data);
            data.to_json()
        };
        side.lines.extend(versions.iter().cloned());
        if kind.contains("answer") {
            side.polled.extend(versions.iter().cloned());
        }
        side.sent.push(Output {
            line,
            record,
            kind,
            key,
            bare,
            lines: versions,
            plain,
        });
    }
    side
}

fn without_lines(value: &mut Value) {
    match value {
        Value::List(items) => {
            let is_line = |item: &Value| match item.as_list() {
                Some([Value::Int(_), line]) => line.get("line").is_some(),
                _ => false,
            };
            items.retain(|item| !is_line(item));
            items.iter_mut().for_each(without_lines);
        }
        Value::Map(entries) => entries.iter_mut().for_each(|(_, item)| without_lines(item)),
        _ => {}
    }
}

/// Returns the end times of sockets; for an archive, the time of the last message.
fn ends(records: &[(usize, &Record)], imported: bool) -> HashMap<i64, u64> {
    let mut ends = HashMap::new();
    for (_, record) in records {
        let data = &record.data;
        let archived = data.get("socket").filter(|_| imported && record.leg == Leg::Legacy);
        if let Some(socket) = archived.and_then(Value::as_int) {
            ends.insert(socket, record.t_us);
        } else if let Some(socket) = data.get("closed").or(data.get("close")).and_then(Value::as_int) {
            ends.entry(socket).or_insert(record.t_us);
        }
    }
    ends
}

struct SessionComparison<'r> {
    session: u64,
    expected: Side<'r>,
    got: Side<'r>,
    accounts: &'r HashSet<Text>,
    ends: HashMap<i64, u64>,
    end_us: u64,
    later_us: u64,
    codes: Vec<Text>,
}

impl SessionComparison<'_> {
    /// Finds the first difference; returns the number of tolerated one-sided outputs.
    fn judge(&self, differences: &mut Vec<Difference>) -> usize {
        let (a, b) = (&self.expected.sent, &self.got.sent);
        let levels: [Level<'_>; 3] = [|sent| &sent.key, |sent| &sent.bare, |sent| &sent.kind];
        let same_lines = self.expected.lines == self.got.lines;
        let mut first: Option<Difference> = None;
        let mut passed_over = 0;
        for pair in align(a, b, &levels, true) {
            let (expected, got) = match pair {
                Pair::Both(i, j) => (Some(&a[i]), Some(&b[j])),
                Pair::Left(i) => (Some(&a[i]), None),
                Pair::Right(j) => (None, Some(&b[j])),
            };
            let verdict = match (expected, got) {
                (Some(expected), Some(got)) => {
                    let same = expected.key == got.key || same_lines && expected.bare == got.bare;
                    passed_over += usize::from(same && expected.key != got.key);
                    same && in_time(expected.record, got.record, self.later_us)
                }
                (Some(expected), None) => same_lines && self.got.polls(expected) || self.is_of_others(expected),
                (None, Some(got)) => same_lines && self.expected.polls(got) || self.is_at_the_end(got),
                (None, None) => true,
            };
            if verdict {
                passed_over += usize::from(expected.is_none() || got.is_none());
                continue;
            }
            let difference = self.difference(expected, got);
            if first.as_ref().is_none_or(|first| difference.line < first.line) {
                first = Some(difference);
            }
        }
        differences.extend(first);
        passed_over
    }

    /// Returns true for an output about users outside the trace, who are not replayed.
    fn is_of_others(&self, sent: &Output<'_>) -> bool {
        let Some(text) = sent.record.data.get("frame").and_then(Value::as_text) else {
            return false;
        };
        let (mut some, mut all) = (false, true);
        frame::lines(&frame::opened(text), &mut |_, line| {
            some = true;
            let from = line.get("src").and_then(Value::as_text);
            all &= from.is_some_and(|from| !self.accounts.contains(from));
        });
        some && all
    }

    /// Returns true for an output in transit at the end of the socket or trace.
    fn is_at_the_end(&self, sent: &Output<'_>) -> bool {
        let socket = sent.record.data.get("socket").and_then(Value::as_int);
        let end = socket.and_then(|socket| self.ends.get(&socket).copied());
        sent.record.t_us.saturating_add(END_US) >= end.unwrap_or(self.end_us)
    }

    fn difference(&self, expected: Option<&Output<'_>>, got: Option<&Output<'_>>) -> Difference {
        let received = &self.expected.received;
        let after = match (expected, got) {
            (Some(expected), _) => received.iter().rev().find(|(line, _)| *line < expected.line),
            (None, Some(got)) => received
                .iter()
                .rev()
                .find(|(_, received)| received.t_us <= got.record.t_us),
            (None, None) => None,
        };
        let both = expected.zip(got);
        let line = expected.map(|sent| sent.line).or(after.map(|(line, _)| *line));
        let at = expected.or(got).map_or(0, |sent| sent.record.t_us);
        Difference {
            line: line.unwrap_or(1),
            session: self.session,
            t_us: at,
            expected: expected.map(|sent| sent.record.clone()),
            got: got.map(|sent| Out {
                leg: sent.record.leg,
                row: sent.record.row.clone(),
                data: sent.record.data.clone(),
            }),
            after: after.map(|(_, record)| (*record).clone()),
            changes: both.map_or(Vec::new(), |(expected, got)| places(expected, got)),
            codes: self.codes.clone(),
        }
    }
}

/// Returns the differences of two outputs; equal outputs differ in time.
fn places(expected: &Output<'_>, got: &Output<'_>) -> Vec<Change> {
    let places = changes(&expected.plain, &got.plain);
    if !places.is_empty() {
        return places;
    }
    let moment = |sent: &Output<'_>| Some(number(sent.record.t_us));
    vec![Change {
        path: "t_us".into(),
        expected: moment(expected),
        got: moment(got),
    }]
}

fn in_time(expected: &Record, got: &Record, later_us: u64) -> bool {
    let earliest = expected.t_us.saturating_sub(EARLIER_US);
    (earliest..=expected.t_us.saturating_add(later_us)).contains(&got.t_us)
}
