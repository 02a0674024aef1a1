//! Every scenario is recorded and replayed: a trace contains all inputs of a session.

use std::sync::Arc;

use engine::Input;
use parking_lot::Mutex;
use protocol::event::SocketId;
use trace::{Batch, Header, Policy, Record, Redaction, Redactor, Sink, Trace, TraceEvent, VERSION, read, replay};

use super::START;
use super::bridge::{Bridge, Seat};

/// Records in memory, and what a recording would write them from.
#[derive(Default)]
pub struct Records(Mutex<(Vec<Record>, Batch)>);

impl Sink for Records {
    fn take(&self, t_us: u64, session: u64, what: TraceEvent<'_>) {
        let (records, batch) = &mut *self.0.lock();
        batch.add(t_us, session, what.clone());
        records.push(what.record(t_us, session));
    }
}

impl Seat {
    /// What is fed to the session, and the frame that it comes from.
    pub(super) fn taped(&self, input: &Input, hearing: &mut Option<(SocketId, String)>) {
        let from_client = matches!(
            input,
            Input::Admitted { .. }
                | Input::Attached { .. }
                | Input::Call { .. }
                | Input::Refused { .. }
                | Input::Poll { .. }
                | Input::Subscribed { .. }
        );
        if let Some((socket, frame)) = hearing.take_if(|_| from_client) {
            self.tape.heard(socket, &frame);
        }
        self.tape.input(input);
    }

    /// Its outputs to one of its sockets.
    pub(super) fn taped_frames(&self, socket: SocketId, frames: &[String]) {
        if self.sockets.contains(&socket) {
            frames.iter().for_each(|frame| self.tape.said(socket, frame, None));
        }
    }
}

impl Bridge {
    /// Plays everything that has happened again.
    pub fn played_again(&self) -> Result<(), String> {
        let (records, mut batch) = std::mem::take(&mut *self.records.0.lock());
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
        let speeches = Arc::new(self.speeches.clone());
        for (what, trace) in [("as it is", &trace), ("redacted", &self.redacted(&trace, &mut batch))] {
            let outcome = replay(&self.tables, &speeches, trace);
            let outcome = outcome.map_err(|error| format!("not to be played {what}: {error}"))?;
            if let Some(difference) = outcome.differences.first() {
                return Err(format!("played again {what} it differs: {difference:#?}"));
            }
        }
        Ok(())
    }

    /// The same as a recording has it, without names and texts.
    fn redacted(&self, trace: &Trace, batch: &mut Batch) -> Trace {
        let redaction = Redaction::new(&self.tables, Policy::Placeholder, Policy::Placeholder).expect("random bytes");
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
}
