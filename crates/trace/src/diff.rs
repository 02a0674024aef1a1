//! Comparison of two traces by session and cause.
//!
//! A cause is an input of a session with the outputs that follow it. Sessions are paired by account, in order of their
//! beginning. Their causes are paired regardless of time and order, since inputs are external. Differences are outputs:
//! frames, including pushed ones, RTM calls, timers, notes.

pub(super) mod align;
pub(super) mod changes;
mod frames;
mod noise;
pub(super) mod normalize;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

pub use changes::Change;
pub use noise::Noise;

use serde::Serialize;

use rtm::value::Text;

use crate::reader::Trace;
use crate::record::Record;
use align::{Pair, align};
use changes::changes;
use timeline::{Cause, Output, Session, sessions};

/// Differences between two traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Sessions with differences.
    pub sessions: Vec<SessionDiff>,
    /// Number of compared sessions.
    pub compared: usize,
}

/// Scope of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All outputs.
    All,
    /// Frames to clients, by socket, since one trace has no other records.
    Frames,
}

impl Scope {
    /// Returns the common scope of traces.
    pub fn of<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> Self {
        let mut traces = traces.into_iter();
        match traces.all(|trace| trace.header.missing.is_empty()) {
            true => Self::All,
            false => Self::Frames,
        }
    }
}

/// Side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// First trace: expected.
    A,
    /// Second trace: actual.
    B,
}

/// Differences of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionDiff {
    pub account: Text,
    /// Index among the account's sessions, from 1.
    pub nth: usize,
    /// The only trace with this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Side>,
    /// Causes with different outputs.
    pub causes: Vec<CauseDiff>,
}

/// Cause with different outputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CauseDiff {
    /// Kind, without variable parts: `legacy call2 f`, `rtm event X`.
    pub kind: String,
    /// Row, if its outputs name one.
    pub row: Option<Text>,
    /// Place in the first trace.
    pub a: Option<Place>,
    /// Place in the second trace.
    pub b: Option<Place>,
    /// Different outputs.
    pub outputs: Vec<OutputDiff>,
}

/// Record with its line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Line number, from 1.
    pub line: usize,
    pub record: Record,
}

/// Different output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputDiff {
    /// Kind, without variable parts.
    pub kind: String,
    /// Row of the output.
    pub row: Option<Text>,
    /// Output in the first trace.
    pub expected: Option<Place>,
    /// Output in the second trace.
    pub got: Option<Place>,
    /// Differences, if both exist.
    pub changes: Vec<Change>,
    /// Comparison key: equal outputs have equal keys.
    #[serde(skip)]
    pub(super) key: String,
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

/// Compares two traces.
pub fn diff(a: &Trace, b: &Trace, scope: Scope) -> Diff {
    // Account numbers depend on the program, so another program may have others.
    let same_build = a.header.program == b.header.program;
    let (a, b) = match scope {
        Scope::All => (sessions(a, same_build), sessions(b, same_build)),
        Scope::Frames => frames::sockets(a, b),
    };
    let mut diff = Diff {
        sessions: Vec::new(),
        compared: 0,
    };
    let same = |x: &Session, y: &Session| (&x.account, x.nth) == (&y.account, y.nth);
    for session in &a {
        match b.iter().find(|other| same(session, other)) {
            Some(other) => {
                diff.compared += 1;
                let causes = compare(&session.causes, &other.causes);
                diff.add(session, None, causes);
            }
            None => diff.add(session, Some(Side::A), compare(&session.causes, &[])),
        }
    }
    for session in b.iter().filter(|session| !a.iter().any(|other| same(other, session))) {
        diff.add(session, Some(Side::B), compare(&[], &session.causes));
    }
    diff
}

impl Diff {
    fn add(&mut self, session: &Session, only: Option<Side>, causes: Vec<CauseDiff>) {
        if !causes.is_empty() {
            self.sessions.push(SessionDiff {
                account: session.account.clone(),
                nth: session.nth,
                only,
                causes,
            });
        }
    }
}

/// The order of causes is not an output, so causes may be paired out of order.
fn compare(a: &[Cause], b: &[Cause]) -> Vec<CauseDiff> {
    let levels: [fn(&Cause) -> &str; 3] = [|cause| &cause.full, |cause| &cause.key, |cause| &cause.kind];
    let pairs = align(a, b, &levels, true);
    let pairs = pairs.into_iter().map(|pair| match pair {
        Pair::Both(i, j) => (Some(&a[i]), Some(&b[j])),
        Pair::Left(i) => (Some(&a[i]), None),
        Pair::Right(j) => (None, Some(&b[j])),
    });
    pairs.filter_map(|(a, b)| cause_diff(a, b)).collect()
}

fn cause_diff(a: Option<&Cause>, b: Option<&Cause>) -> Option<CauseDiff> {
    let outs = |cause: Option<&'_ Cause>| cause.map_or(0, |cause| cause.outs.len());
    if outs(a) + outs(b) == 0 || a.zip(b).is_some_and(|(a, b)| a.full == b.full) {
        return None;
    }
    let output = |cause: Option<&Cause>| cause.map_or(Vec::new(), |cause| cause.outs.clone());
    let (outputs_a, outputs_b) = (output(a), output(b));
    let changed = outputs(&outputs_a, &outputs_b);
    if changed.is_empty() {
        return None;
    }
    let row = outputs_a
        .iter()
        .chain(&outputs_b)
        .find_map(|output| output.place.record.row.clone());
    let place = |cause: &Cause| cause.place.clone();
    Some(CauseDiff {
        kind: a.or(b)?.kind.clone(),
        row,
        a: a.and_then(place),
        b: b.and_then(place),
        outputs: changed,
    })
}

fn outputs(a: &[Output], b: &[Output]) -> Vec<OutputDiff> {
    let levels: [fn(&Output) -> &str; 2] = [|output| &output.key, |output| &output.kind];
    let one = |a: Option<&Output>, b: Option<&Output>| {
        if a.zip(b).is_some_and(|(a, b)| a.key == b.key) {
            return None;
        }
        let any = a.or(b)?;
        let row = |output: Option<&Output>| output.and_then(|output| output.place.record.row.clone());
        Some(OutputDiff {
            kind: any.kind.clone(),
            row: row(a).or_else(|| row(b)),
            expected: a.map(|output| output.place.clone()),
            got: b.map(|output| output.place.clone()),
            changes: a.zip(b).map_or(Vec::new(), |(a, b)| changes(&a.plain, &b.plain)),
            key: any.key.clone(),
        })
    };
    let pairs = align(a, b, &levels, false).into_iter();
    pairs
        .filter_map(|pair| match pair {
            Pair::Both(i, j) => one(Some(&a[i]), Some(&b[j])),
            Pair::Left(i) => one(Some(&a[i]), None),
            Pair::Right(j) => one(None, Some(&b[j])),
        })
        .collect()
}
