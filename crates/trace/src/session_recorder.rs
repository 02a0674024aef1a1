//! Where a session that is recorded puts what happens.

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

/// Takes what happens; it must not block.
pub trait Sink: Send + Sync {
    /// Takes what happens in a session, microseconds after the trace began.
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

    /// The moment of what follows.
    pub fn at(&self, now: Time) {
        let ms = u64::try_from(now.since(self.started).as_millis()).unwrap_or(u64::MAX);
        self.now.store(ms, Ordering::Relaxed);
    }

    /// Adds what is no frame and nothing of RTM's.
    pub fn push(&self, leg: Leg, dir: Dir, data: Value) {
        self.add(TraceEvent::Other(leg, dir, data));
    }

    /// What the session is given.
    pub fn begin(&self, begin: &session_context::Begin) {
        self.push(Leg::Env, Dir::In, one("begin", begin.to_value()));
    }

    /// A frame of the client.
    pub fn frame_in(&self, socket: SocketId, frame: &str) {
        self.add(TraceEvent::Decoded { socket, frame });
    }

    /// What is behind the login in the text that was heard last.
    pub fn rest(&self, socket: SocketId) {
        self.push(Leg::Legacy, Dir::In, one("rest", number(socket.0)));
    }

    /// A frame for the client.
    pub fn frame_out(&self, socket: SocketId, frame: &str, row: Option<usize>) {
        let row = row.map(|row| &self.tables.rows[row].id);
        self.add(TraceEvent::Sent { socket, frame, row });
    }

    /// The session ends because its server does, or cannot keep it: it has not said so itself.
    pub fn cut(&self, now: Time) {
        self.at(now);
        self.push(Leg::Env, Dir::In, one("cut", true.into()));
    }

    /// An input, unless a frame that was heard says it all.
    pub fn input(&self, input: &Input) {
        if let Some(what) = TraceEvent::input(&self.tables, input) {
            self.add(what);
        }
    }

    /// An effect, unless the frames that it becomes say it all.
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
