//! Recording and replay of all scenarios: a trace contains all inputs of a session.

use std::sync::Arc;

use parking_lot::Mutex;

use engine::Input;
use protocol::event::SocketId;
use trace::{Batch, Header, Policy, Record, Redaction, Redactor, Sink, Trace, TraceEvent, VERSION, read, replay};

use super::START;
use super::bridge::{Bridge, SimSession};

/// Records in memory, and the buffer of a recording.
#[derive(Default)]
pub struct Records(Mutex<(Vec<Record>, Batch)>);

impl Sink for Records {
    fn take(&self, t_us: u64, session: u64, what: TraceEvent<'_>) {
        let (records, batch) = &mut *self.0.lock();
        batch.add(t_us, session, what.clone());
        records.push(what.record(t_us, session));
    }
}

impl SimSession {
    /// Records an input of the session, and its frame.
    pub(super) fn record_input(&self, input: &Input, current_frame: &mut Option<(SocketId, String)>) {
        let from_client = matches!(
            input,
            Input::Admitted { .. }
                | Input::Attached { .. }
                | Input::Call { .. }
                | Input::Refused { .. }
                | Input::Poll { .. }
                | Input::Subscribed { .. }
        );
        if let Some((socket, frame)) = current_frame.take_if(|_| from_client) {
            self.recorder.frame_in(socket, &frame);
        }
        self.recorder.input(input);
    }

    /// Records the frames to the session's own sockets.
    pub(super) fn record_frames(&self, socket: SocketId, frames: &[String]) {
        if self.sockets.contains(&socket) {
            frames
                .iter()
                .for_each(|frame| self.recorder.frame_out(socket, frame, None));
        }
    }
}

impl Bridge {
    /// Replays all records.
    pub fn check_replay(&self) -> Result<(), String> {
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
        let encoders = Arc::new(self.encoders.clone());
        for (what, trace) in [("as it is", &trace), ("redacted", &self.redacted(&trace, &mut batch))] {
            let outcome = replay(&self.tables, &encoders, trace);
            let outcome = outcome.map_err(|error| format!("not to be played {what}: {error}"))?;
            if let Some(difference) = outcome.differences.first() {
                return Err(format!("played again {what} it differs: {difference:#?}"));
            }
        }
        Ok(())
    }

    /// Redacts the trace like a recording without names and texts.
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
