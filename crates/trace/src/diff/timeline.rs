//! Trace as sessions of causes.

use std::collections::BTreeMap;

use crate::reader::Trace;
use crate::record::{Dir, Leg};
use rtm::value::{Text, Value};

use crate::diff::Place;
use crate::diff::normalize::Normalizer;

/// Session.
pub(super) struct Session {
    pub account: Text,
    /// Index among the account's sessions, from 1.
    pub nth: usize,
    pub causes: Vec<Cause>,
}

/// Input with its outputs.
pub(super) struct Cause {
    /// `None` for outputs before the first input.
    pub place: Option<Place>,
    pub kind: String,
    /// Normalized data.
    pub key: String,
    /// Normalized data with outputs.
    pub full: String,
    pub outs: Vec<Output>,
}

impl Cause {
    pub(super) fn new(place: Option<Place>, kind: String, key: String) -> Self {
        Self {
            place,
            kind,
            full: key.clone(),
            key,
            outs: Vec::new(),
        }
    }

    /// Adds an output.
    pub(super) fn add(&mut self, output: Output) {
        self.full.push('\n');
        self.full.push_str(&output.key);
        self.outs.push(output);
    }
}

/// Output.
#[derive(Clone)]
pub(super) struct Output {
    pub place: Place,
    pub kind: String,
    pub key: String,
    /// Normalized data.
    pub plain: Value,
}

/// Returns the sessions in order of beginning; `uids` selects comparison of account numbers.
pub(super) fn sessions(trace: &Trace, uids: bool) -> Vec<Session> {
    let mut plains: BTreeMap<u64, Normalizer> = BTreeMap::new();
    for (_, record) in &trace.records {
        plains.entry(record.session).or_default().learn(record, uids);
    }
    let mut order: Vec<u64> = Vec::new();
    let mut found: BTreeMap<u64, Session> = BTreeMap::new();
    for (line, record) in &trace.records {
        let session = found.entry(record.session).or_insert_with(|| {
            order.push(record.session);
            Session {
                account: "".into(),
                nth: 0,
                causes: Vec::new(),
            }
        });
        let is_env_in = record.leg == Leg::Env && record.dir == Dir::In;
        if is_env_in && record.data.get("name").is_some() {
            // Name requests occur within a step; their results are in the outputs.
            continue;
        }
        if let Some(account) = record.data.get("begin").and_then(|begin| begin.get("account")) {
            session.account = account.clone().into_text();
        }
        let Some(plain) = plains.get_mut(&record.session) else {
            continue;
        };
        let (kind, data) = plain.of(record);
        let place = Place {
            line: *line,
            record: record.clone(),
        };
        let key = format!("{kind} {data}");
        if record.dir == Dir::In {
            session.causes.push(Cause::new(Some(place), kind, key));
            continue;
        }
        if session.causes.is_empty() {
            session
                .causes
                .push(Cause::new(None, "the beginning".into(), String::new()));
        }
        if let Some(cause) = session.causes.last_mut() {
            cause.add(Output {
                place,
                kind,
                key,
                plain: data,
            });
        }
    }
    let mut sessions: Vec<Session> = order.into_iter().filter_map(|number| found.remove(&number)).collect();
    number(&mut sessions);
    sessions
}

/// Numbers the sessions of each account.
pub(super) fn number(sessions: &mut [Session]) {
    let mut counts: BTreeMap<Text, usize> = BTreeMap::new();
    for session in sessions {
        let count = counts.entry(session.account.clone()).or_default();
        *count += 1;
        session.nth = *count;
    }
}
