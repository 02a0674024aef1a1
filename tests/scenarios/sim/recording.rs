//! Recording and replay of all scenarios: a trace contains all inputs of a session.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use rtm::value::{Text, Value};
use sigbridge::server::TableSet;
use tables::Tables;
use trace::{Batch, Header, Leg, Policy, Record, Redaction, Redactor, Sink, Trace, TraceEvent, VERSION, read, replay};

use super::START;
use super::network::{Item, Network};
use super::observed::Observed;

/// Records of a sidecar in memory. Notes and drops of its sessions are also events of a scenario.
pub(super) struct Records {
    recorded: Mutex<Recorded>,
    network: Arc<Network>,
}

#[derive(Default)]
struct Recorded {
    records: Vec<Record>,
    /// The buffer of a recording.
    batch: Batch,
    accounts: HashMap<u64, Text>,
}

impl Recorded {
    /// Returns the note or the drop in a record.
    fn noted(&mut self, session: u64, what: &TraceEvent<'_>) -> Option<Observed> {
        let TraceEvent::Other(Leg::Env, _, data) = what else {
            return None;
        };
        let text = |value: &Value| value.clone().into_text();
        if let Some(account) = data.get("begin").and_then(|begin| begin.get("account")) {
            self.accounts.insert(session, text(account));
        }
        let note = data.get("note").and_then(|note| note.get("code"));
        let (kind, what) = match (note, data.get("dropped")) {
            (Some(code), _) => ("note", code),
            (None, what) => ("dropped", what?),
        };
        Some(Observed::new(self.accounts.get(&session)?, [kind, &*text(what)]))
    }
}

impl Sink for Records {
    fn take(&self, t_us: u64, session: u64, what: TraceEvent<'_>) {
        let recorded = &mut *self.recorded.lock();
        if let Some(noted) = recorded.noted(session, &what) {
            self.network.push(Item::Noted(noted));
        }
        recorded.batch.add(t_us, session, what.clone());
        recorded.records.push(what.record(t_us, session));
    }
}

impl Records {
    /// Creates an empty recording.
    pub fn new(network: &Arc<Network>) -> Arc<Self> {
        Arc::new(Self {
            recorded: Mutex::default(),
            network: network.clone(),
        })
    }

    /// Replays all records.
    pub fn check_replay(&self, set: &TableSet) -> Result<(), String> {
        let Recorded { records, mut batch, .. } = std::mem::take(&mut *self.recorded.lock());
        let trace = Trace {
            header: Header {
                sigbridge_trace: VERSION,
                started_ms: START.as_millis(),
                program: "".into(),
                redaction: "none".into(),
                source: None,
                missing: Vec::new(),
            },
            records: records.into_iter().enumerate().map(|(at, r)| (at + 2, r)).collect(),
            unfinished: false,
        };
        let encoders = Arc::new(set.encoders.clone());
        let redacted = redacted(&set.tables, &trace, &mut batch);
        for (what, trace) in [("as it is", &trace), ("redacted", &redacted)] {
            let outcome = replay(&set.tables, &encoders, trace);
            let outcome = outcome.map_err(|error| format!("not to be played {what}: {error}"))?;
            if let Some(difference) = outcome.differences.first() {
                return Err(format!("played again {what} it differs: {difference:#?}"));
            }
        }
        Ok(())
    }
}

/// Redacts the trace like a recording without names and texts.
fn redacted(tables: &Arc<Tables>, trace: &Trace, batch: &mut Batch) -> Trace {
    let redaction = Redaction::new(tables, Policy::Placeholder, Policy::Placeholder).expect("random bytes");
    let header = Header {
        redaction: redaction.header(),
        ..trace.header.clone()
    };
    let (mut redactor, mut at_once) = (Redactor::new(redaction.clone()), Redactor::new(redaction));
    let mut text = serde_json::to_string(&header).expect("JSON") + "\n";
    for (_, record) in &trace.records {
        let record = redactor.redact(record.clone());
        text += &(serde_json::to_string(&record).expect("JSON") + "\n");
    }
    let mut lines = serde_json::to_string(&header).expect("JSON") + "\n";
    for (t_us, session, what) in batch.drain() {
        at_once.write(t_us, session, what, &mut lines);
    }
    assert_eq!(lines, text, "what a recording writes is what becomes of its records");
    read(text.as_bytes()).expect("a trace")
}
