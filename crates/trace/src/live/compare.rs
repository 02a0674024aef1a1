//! What clients were told then, and what they are told now, by a live RTM.
//!
//! Frames are compared without what never is (times, ids of calls, lines: [`Plain`]). Which of two events that know nothing
//! of each other comes first is RTM's affair, so outputs are paired across others; each has to come by the moment at which it
//! came then, and not much earlier. The rows of a list of members have no order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::diff::Change;
use crate::diff::align::{Pair, align};
use crate::diff::changes::changes;
use crate::diff::normalize::Plain;
use crate::event::number;
use crate::frame;
use crate::reader::Trace;
use crate::record::{Dir, Leg, Record};
use crate::replay::{Difference, Outcome};
use crate::session_replay::Out;
use rtm::value::{Text, Value};

use crate::live::unordered::unordered;

/// How much earlier an output may come than it did, µs: RTM has answered at once.
const EARLIER_US: u64 = 5_000_000;
/// What is said so long before the end of a socket, µs, may not have reached it then.
const END_US: u64 = 200_000;

/// An output.
struct Said<'r> {
    line: usize,
    record: &'r Record,
    /// What it is.
    kind: String,
    /// It, without what is not compared.
    key: String,
    /// The same, without the lines of the mailbox: whether one is pushed or polled is a matter of moments.
    bare: String,
    /// Lines of the mailbox that it tells.
    lines: Vec<(i64, String)>,
    /// Its data, without what is not compared.
    plain: Value,
}

type Level<'r> = for<'s> fn(&'s Said<'r>) -> &'s str;

/// One side of a session.
struct Side<'r> {
    said: Vec<Said<'r>>,
    /// All lines of the mailbox that were told.
    lines: BTreeSet<(i64, String)>,
    /// Those that were told in answers.
    polled: BTreeSet<(i64, String)>,
    /// What has come in.
    heard: Vec<(usize, &'r Record)>,
}

impl Side<'_> {
    /// What the other side was told without asking, this one was when it asked.
    fn polls(&self, other: &Said<'_>) -> bool {
        !other.lines.is_empty() && other.lines.iter().all(|line| self.polled.contains(line))
    }
}

/// Compares what was played with what was recorded, session by session; an output may come `later_us` after its moment.
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
            // What the token of its login is worth is not known here.
            continue;
        }
        let now: &[Record] = played.get(session).map_or(&[], |records| records);
        let expected = side(records.iter().copied(), records, imported);
        let got = side(now.iter().map(|record| (0, record)), records, imported);
        outcome.sessions += 1;
        outcome.records += expected.heard.len() + expected.said.len();
        let judge = Judge {
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
    let mut plain = Plain::default();
    all.iter().for_each(|(_, record)| plain.learn(record, true));
    let mut side = Side {
        said: Vec::new(),
        lines: BTreeSet::new(),
        polled: BTreeSet::new(),
        heard: Vec::new(),
    };
    for (line, record) in records.filter(|(_, record)| record.leg == Leg::Legacy) {
        // An archive has no ends of sockets.
        if imported && record.data.get("close").is_some() {
            continue;
        }
        let (kind, mut data) = plain.of(record);
        if record.dir == Dir::In {
            side.heard.push((line, record));
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
        side.said.push(Said {
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

/// When sockets ended; of an archive's only their last message is known.
fn ends(records: &[(usize, &Record)], imported: bool) -> HashMap<i64, u64> {
    let mut ends = HashMap::new();
    for (_, record) in records {
        let data = &record.data;
        let said = data.get("socket").filter(|_| imported && record.leg == Leg::Legacy);
        if let Some(socket) = said.and_then(Value::as_int) {
            ends.insert(socket, record.t_us);
        } else if let Some(socket) = data.get("closed").or(data.get("close")).and_then(Value::as_int) {
            ends.entry(socket).or_insert(record.t_us);
        }
    }
    ends
}

struct Judge<'r> {
    session: u64,
    expected: Side<'r>,
    got: Side<'r>,
    /// The accounts of the trace's sessions.
    accounts: &'r HashSet<Text>,
    ends: HashMap<i64, u64>,
    end_us: u64,
    later_us: u64,
    codes: Vec<Text>,
}

impl Judge<'_> {
    /// Finds the first difference; how many outputs are on one side only and may be so.
    fn judge(&self, differences: &mut Vec<Difference>) -> usize {
        let (a, b) = (&self.expected.said, &self.got.said);
        let levels: [Level<'_>; 3] = [|said| &said.key, |said| &said.bare, |said| &said.kind];
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

    /// It tells only of users who are not in the trace: nobody plays them.
    fn is_of_others(&self, said: &Said<'_>) -> bool {
        let Some(text) = said.record.data.get("frame").and_then(Value::as_text) else {
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

    /// It may have been on its way when the socket, or the trace, ended.
    fn is_at_the_end(&self, said: &Said<'_>) -> bool {
        let socket = said.record.data.get("socket").and_then(Value::as_int);
        let end = socket.and_then(|socket| self.ends.get(&socket).copied());
        said.record.t_us.saturating_add(END_US) >= end.unwrap_or(self.end_us)
    }

    fn difference(&self, expected: Option<&Said<'_>>, got: Option<&Said<'_>>) -> Difference {
        let heard = &self.expected.heard;
        let after = match (expected, got) {
            (Some(expected), _) => heard.iter().rev().find(|(line, _)| *line < expected.line),
            (None, Some(got)) => heard.iter().rev().find(|(_, heard)| heard.t_us <= got.record.t_us),
            (None, None) => None,
        };
        let both = expected.zip(got);
        let line = expected.map(|said| said.line).or(after.map(|(line, _)| *line));
        let at = expected.or(got).map_or(0, |said| said.record.t_us);
        Difference {
            line: line.unwrap_or(1),
            session: self.session,
            t_us: at,
            expected: expected.map(|said| said.record.clone()),
            got: got.map(|said| Out {
                leg: said.record.leg,
                row: said.record.row.clone(),
                data: said.record.data.clone(),
            }),
            after: after.map(|(_, record)| (*record).clone()),
            changes: both.map_or(Vec::new(), |(expected, got)| places(expected, got)),
            codes: self.codes.clone(),
        }
    }
}

/// Where two outputs differ; those that do not have come at different times.
fn places(expected: &Said<'_>, got: &Said<'_>) -> Vec<Change> {
    let places = changes(&expected.plain, &got.plain);
    if !places.is_empty() {
        return places;
    }
    let moment = |said: &Said<'_>| Some(number(said.record.t_us));
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
