//! Recorder of a session's inputs and outputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::{Effect, Input};
use protocol::event::SocketId;
use rtm::time::Time;
use rtm::value::Value;
use tables::Tables;

use crate::event::{TraceEvent, number, one};
use crate::record::{Dir, Leg};
use crate::{effect, session_context};

/// Sink of trace events; it must not block.
pub trait Sink: Send + Sync {
    /// Takes an event of a session, microseconds after the trace began.
    fn take(&self, t_us: u64, session: u64, what: TraceEvent<'_>);
}

/// The recording of one session.
#[derive(Clone)]
pub struct SessionRecorder {
    sink: Arc<dyn Sink>,
    tables: Arc<Tables>,
    started: Time,
    session: u64,
    /// The moment of the step, milliseconds since the trace began: the engine's own clock.
    now: Arc<AtomicU64>,
}

impl SessionRecorder {
    /// A session's, in a trace that began at `started`.
    pub fn new(sink: Arc<dyn Sink>, tables: Arc<Tables>, started: Time, session: u64) -> Self {
        Self {
            sink,
            tables,
            started,
            session,
            now: Arc::default(),
        }
    }

    /// Sets the time of the next records.
    pub fn at(&self, now: Time) {
        let ms = u64::try_from(now.since(self.started).as_millis()).unwrap_or(u64::MAX);
        self.now.store(ms, Ordering::Relaxed);
    }

    /// Adds a record of the environment.
    pub fn push(&self, leg: Leg, dir: Dir, data: Value) {
        self.add(TraceEvent::Other(leg, dir, data));
    }

    /// Context of the session.
    pub fn begin(&self, begin: &session_context::Begin) {
        self.push(Leg::Env, Dir::In, one("begin", begin.to_value()));
    }

    /// A frame of the client.
    pub fn frame_in(&self, socket: SocketId, frame: &str) {
        self.add(TraceEvent::Decoded { socket, frame });
    }

    /// Further calls behind the login in the last received text.
    pub fn rest(&self, socket: SocketId) {
        self.push(Leg::Legacy, Dir::In, one("rest", number(socket.0)));
    }

    /// A frame for the client.
    pub fn frame_out(&self, socket: SocketId, frame: &str, row: Option<usize>) {
        let row = row.map(|row| &self.tables.rows[row].id);
        self.add(TraceEvent::Sent { socket, frame, row });
    }

    /// An end by the server, without an effect of the session.
    pub fn cut(&self, now: Time) {
        self.at(now);
        self.push(Leg::Env, Dir::In, one("cut", true.into()));
    }

    /// An input, unless the received frame contains all of it.
    pub fn input(&self, input: &Input) {
        if let Some(what) = TraceEvent::input(&self.tables, input) {
            self.add(what);
        }
    }

    /// An effect, unless its frames contain all of it.
    pub fn effect(&self, effect: &Effect) {
        if let Effect::Rtm { request, call } = effect {
            let request = *request;
            self.add(TraceEvent::Call { request, call });
        } else if let Some((leg, data)) = effect::data(&self.tables, effect) {
            self.push(leg, Dir::Out, data);
        }
    }

    fn add(&self, what: TraceEvent<'_>) {
        let t_us = self.now.load(Ordering::Relaxed).saturating_mul(1000);
        self.sink.take(t_us, self.session, what);
    }
}
