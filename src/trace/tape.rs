//! Where a session that is recorded puts what happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bridge::{CallRef, Effect, Input, SocketId};
use crate::mapping::Tables;
use crate::time::Time;
use crate::value::{Text, Value};

use super::record::{Dir, Leg, Record};
use super::{effect, env, keys, rtm};

/// Takes records; it must not block.
pub trait Sink: Send + Sync {
    /// Takes one.
    fn take(&self, record: Record);
}

/// The records of one session.
#[derive(Clone)]
pub struct Tape {
    sink: Arc<dyn Sink>,
    tables: Arc<Tables>,
    started: Time,
    session: u64,
    /// The moment of the step, milliseconds since the trace began: the engine's own clock.
    now: Arc<AtomicU64>,
}

impl Tape {
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

    /// Adds a record.
    pub fn push(&self, leg: Leg, dir: Dir, row: Option<Text>, data: Value) {
        self.sink.take(Record {
            t_us: self.now.load(Ordering::Relaxed).saturating_mul(1000),
            session: self.session,
            leg,
            dir,
            row,
            data,
        });
    }

    /// What the session is given.
    pub fn begin(&self, begin: &env::Begin) {
        self.push(Leg::Env, Dir::In, None, one("begin", begin.to_value()));
    }

    /// A frame of the client.
    pub fn heard(&self, socket: SocketId, frame: &str) {
        let data = vec![("socket".into(), number(socket.0)), ("frame".into(), frame.into())];
        self.push(Leg::Legacy, Dir::In, None, Value::Map(data));
    }

    /// What is behind the login in the text that was heard last.
    pub fn rest(&self, socket: SocketId) {
        self.push(Leg::Legacy, Dir::In, None, one("rest", number(socket.0)));
    }

    /// A frame for the client.
    pub fn said(&self, socket: SocketId, frame: &str, row: Option<usize>) {
        let data = vec![("socket".into(), number(socket.0)), ("frame".into(), frame.into())];
        let row = row.map(|row| self.tables.rows[row].id.clone());
        self.push(Leg::Legacy, Dir::Out, row, Value::Map(data));
    }

    /// An input, unless a frame that was heard says it all.
    pub fn input(&self, input: &Input) {
        let login = |call: &CallRef, line: &Text| {
            vec![
                ("socket".into(), number(call.socket.0)),
                ("line".into(), line.clone().into()),
            ]
        };
        let (leg, data) = match input {
            Input::Admitted { call, line, .. } => (Leg::Env, one("admitted", Value::Map(login(call, line)))),
            Input::Attached { call, how, line } => {
                let mut entries = login(call, line);
                let how = env::ATTACH.iter().find(|(_, attach)| attach == how);
                entries.push(("how".into(), how.map_or(Value::Null, |(name, _)| (*name).into())));
                (Leg::Env, one("attached", Value::Map(entries)))
            }
            Input::RtmReply { request, result } => {
                let (key, value) = rtm::result(result);
                let entries = vec![("request".into(), number(*request)), (key.into(), value)];
                (Leg::Rtm, Value::Map(entries))
            }
            Input::RtmEvent(event) => (Leg::Rtm, one("event", rtm::event(event))),
            Input::Upstream(up) => (Leg::Rtm, one("up", (*up).into())),
            Input::Lacks(lacks) => {
                let names = lacks.iter().map(|kind| kind.name().into()).collect();
                (Leg::Rtm, one("lacks", Value::List(names)))
            }
            Input::Kept(lines) => (Leg::Env, one("kept", env::lines(&self.tables, lines))),
            Input::Timer(key) => (Leg::Timer, one("due", keys::name(*key).into())),
            Input::FrontClosed(socket) => (Leg::Legacy, one("closed", number(socket.0))),
            Input::Call { .. } | Input::Refused { .. } | Input::Poll { .. } | Input::Subscribed { .. } => return,
        };
        self.push(leg, Dir::In, None, data);
    }

    /// An effect, unless the frames that it becomes say it all.
    pub fn effect(&self, effect: &Effect) {
        if let Some((leg, data)) = effect::data(&self.tables, effect) {
            self.push(leg, Dir::Out, None, data);
        }
    }
}

pub(super) fn one(name: &str, value: Value) -> Value {
    Value::Map(vec![(name.into(), value)])
}

pub(super) fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}
