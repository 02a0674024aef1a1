//! Comparison by socket of calls and answers, for traces with frames only.
//!
//! Pushed frames then have no cause. An archive has one session per socket, a recording one session per client, so
//! sockets are compared. Ends of sockets are ignored, since an archive does not record them.

use std::collections::{BTreeMap, HashMap};

use crate::reader::Trace;
use crate::record::{Dir, Leg, Record};
use rtm::value::{Text, Value};

use crate::diff::Place;
use crate::diff::normalize::Normalizer;
use crate::diff::timeline::{Cause, Output, Session, number};

/// Returns the sockets of both traces, in order of their beginning.
pub(super) fn sockets(a: &Trace, b: &Trace) -> (Vec<Session>, Vec<Session>) {
    // An archive contains only its own account's number, and another server may have assigned it.
    let mut names = Normalizer::default();
    for (_, record) in a.records.iter().chain(&b.records) {
        if record.data.get("name").is_some() {
            names.learn(record, false);
        }
    }
    (of(a, &names), of(b, &names))
}

/// Socket during reading.
struct Socket {
    session: Session,
    plain: Normalizer,
    /// Causes of open calls, by call number.
    calls: HashMap<Text, usize>,
}

fn of(trace: &Trace, names: &Normalizer) -> Vec<Session> {
    let mut plains: BTreeMap<u64, Normalizer> = BTreeMap::new();
    let mut accounts: BTreeMap<u64, Text> = BTreeMap::new();
    for (_, record) in trace.records.iter().filter(|(_, record)| record.leg == Leg::Env) {
        plains
            .entry(record.session)
            .or_insert_with(|| names.clone())
            .learn(record, true);
        if let Some(account) = record.data.get("begin").and_then(|begin| begin.get("account")) {
            accounts.insert(record.session, account.clone().into_text());
        }
    }
    let mut order: Vec<(u64, i64)> = Vec::new();
    let mut found: HashMap<(u64, i64), Socket> = HashMap::new();
    for (line, record) in &trace.records {
        let Some(number) = socket(record) else { continue };
        let key = (record.session, number);
        let socket = found.entry(key).or_insert_with(|| {
            order.push(key);
            Socket {
                session: Session {
                    account: accounts.get(&record.session).cloned().unwrap_or_default(),
                    nth: 0,
                    causes: vec![Cause::new(None, "pushed".into(), "pushed".into())],
                },
                plain: plains.get(&record.session).unwrap_or(names).clone(),
                calls: HashMap::new(),
            }
        });
        socket.take(*line, record);
    }
    let mut sessions: Vec<Session> = order
        .iter()
        .filter_map(|key| found.remove(key))
        .map(|socket| socket.session)
        .collect();
    number(&mut sessions);
    sessions
}

/// Returns the socket of a frame.
fn socket(record: &Record) -> Option<i64> {
    record.data.get("frame").filter(|_| record.leg == Leg::Legacy)?;
    record.data.get("socket").and_then(Value::as_int)
}

impl Socket {
    fn take(&mut self, line: usize, record: &Record) {
        let (kind, plain) = self.plain.of(record);
        let place = Place {
            line,
            record: record.clone(),
        };
        let key = format!("{kind} {plain}");
        let call = self.plain.call_number();
        if record.dir == Dir::In {
            if let Some(call) = call {
                self.calls.insert(call.clone(), self.session.causes.len());
            }
            self.session.causes.push(Cause::new(Some(place), kind, key));
            return;
        }
        let cause = call.and_then(|call| self.calls.remove(call)).unwrap_or(0);
        self.session.causes[cause].add(Output {
            place,
            kind,
            key,
            plain,
        });
    }
}
