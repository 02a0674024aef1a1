//! Two traces compared by session and cause.
//!
//! A cause is something that came into a session, and the outputs that followed it. Sessions are paired by account, in
//! the order in which they began; their causes are paired whatever the time and order in which they came, because both
//! come from outside. What differs are outputs: frames, pushed ones included, calls to RTM, timers, notes.

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
use timeline::{Cause, Said, Session, sessions};

/// What differs between two traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Sessions that differ.
    pub sessions: Vec<SessionDiff>,
    /// Sessions that were compared.
    pub compared: usize,
}

/// What of two traces is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that came out of sessions.
    All,
    /// What clients were told, socket by socket: one of the traces knows nothing else.
    Frames,
}

impl Scope {
    /// Of traces that are compared with each other: what all of them have.
    pub fn of<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> Self {
        let mut traces = traces.into_iter();
        match traces.all(|trace| trace.header.missing.is_empty()) {
            true => Self::All,
            false => Self::Frames,
        }
    }
}

/// Which of the traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first: what is expected.
    A,
    /// The second: what was got.
    B,
}

/// What differs in a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionDiff {
    /// The account.
    pub account: Text,
    /// Which of the account's sessions, from 1.
    pub nth: usize,
    /// Only this trace has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Side>,
    /// Causes whose outputs differ.
    pub causes: Vec<CauseDiff>,
}

/// A cause whose outputs differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CauseDiff {
    /// What it is, without what may differ: `legacy call2 f`, `rtm event X`.
    pub kind: String,
    /// The row that it enters, as far as its outputs say.
    pub row: Option<Text>,
    /// It in the first trace.
    pub a: Option<Place>,
    /// It in the second.
    pub b: Option<Place>,
    /// Outputs that differ.
    pub outputs: Vec<OutputDiff>,
}

/// A record and its line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// The line of the trace, from 1.
    pub line: usize,
    /// The record.
    pub record: Record,
}

/// An output that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputDiff {
    /// What it is, without what may differ.
    pub kind: String,
    /// The row that it is from.
    pub row: Option<Text>,
    /// What the first trace has; none where it has nothing.
    pub expected: Option<Place>,
    /// What the second has.
    pub got: Option<Place>,
    /// Where they differ, when both are there.
    pub changes: Vec<Change>,
    /// The output as it was compared: two that are the same have the same.
    #[serde(skip)]
    pub(super) key: String,
}

impl Diff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

/// Compares two traces.
pub fn diff(a: &Trace, b: &Trace, scope: Scope) -> Diff {
    // Numbers of accounts are the program's: those of another one may be others.
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

/// The order of causes is no output, so causes may be paired across others.
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
    let said = |cause: Option<&Cause>| cause.map_or(Vec::new(), |cause| cause.outs.clone());
    let (said_a, said_b) = (said(a), said(b));
    let outputs = outputs(&said_a, &said_b);
    if outputs.is_empty() {
        return None;
    }
    let row = said_a
        .iter()
        .chain(&said_b)
        .find_map(|said| said.place.record.row.clone());
    let place = |cause: &Cause| cause.place.clone();
    Some(CauseDiff {
        kind: a.or(b)?.kind.clone(),
        row,
        a: a.and_then(place),
        b: b.and_then(place),
        outputs,
    })
}

fn outputs(a: &[Said], b: &[Said]) -> Vec<OutputDiff> {
    let levels: [fn(&Said) -> &str; 2] = [|said| &said.key, |said| &said.kind];
    let one = |a: Option<&Said>, b: Option<&Said>| {
        if a.zip(b).is_some_and(|(a, b)| a.key == b.key) {
            return None;
        }
        let any = a.or(b)?;
        let row = |said: Option<&Said>| said.and_then(|said| said.place.record.row.clone());
        Some(OutputDiff {
            kind: any.kind.clone(),
            row: row(a).or_else(|| row(b)),
            expected: a.map(|said| said.place.clone()),
            got: b.map(|said| said.place.clone()),
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
