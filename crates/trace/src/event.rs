//! Events of a session as its task records them; borrowed, since most are copied once and written later.

use engine::Input;
use protocol::event::SocketId;
use rtm::json::shared_texts;
use rtm::value::{Text, Value};
use rtm::{RtmCall, RtmError, RtmEvent, RtmReply};
use tables::Tables;

use crate::record::{Dir, Leg, Record};
use crate::{rtm_records, session_context, timer_name};

/// Member of `closed`: maximum time in milliseconds that the session is kept.
pub(super) const GRACE: &str = "grace_ms";

/// Recorded event of a session.
#[derive(Clone, Debug)]
pub enum TraceEvent<'h> {
    /// Frame of the client.
    Decoded { socket: SocketId, frame: &'h str },
    /// Frame for the client.
    Sent {
        socket: SocketId,
        frame: &'h str,
        /// ID of the row that produced it.
        row: Option<&'h Text>,
    },
    /// RTM call of the session.
    Call { request: u64, call: &'h RtmCall },
    /// Result of a call.
    Reply {
        request: u64,
        result: &'h Result<RtmReply, RtmError>,
    },
    /// RTM event.
    Event(&'h RtmEvent),
    /// Any other event, in trace form.
    Other(Leg, Dir, Value),
}

impl<'h> TraceEvent<'h> {
    /// Converts an input; `None` if a recorded frame already implies it.
    pub fn input(tables: &Tables, input: &'h Input) -> Option<Self> {
        let login = |socket: SocketId, line: &Text| {
            vec![
                (name_of("socket"), number(socket.0)),
                (name_of("line"), line.clone().into()),
            ]
        };
        let (leg, data) = match input {
            Input::RtmReply { request, result } => {
                let request = *request;
                return Some(Self::Reply { request, result });
            }
            Input::RtmEvent(event) => return Some(Self::Event(event)),
            Input::Admitted { call, line, .. } => (Leg::Env, one("admitted", Value::Map(login(call.socket, line)))),
            Input::Attached { call, how, line } => {
                let mut entries = login(call.socket, line);
                let how = session_context::ATTACH.iter().find(|(_, attach)| attach == how);
                entries.push((name_of("how"), how.map_or(Value::Null, |(name, _)| (*name).into())));
                (Leg::Env, one("attached", Value::Map(entries)))
            }
            Input::Upstream(up) => (Leg::Rtm, one("up", (*up).into())),
            Input::Unsupported(lacks) => {
                let names = lacks.iter().map(|kind| kind.name().into()).collect();
                (Leg::Rtm, one("lacks", Value::List(names)))
            }
            Input::OverRate { socket, id } => {
                let call = vec![
                    (name_of("socket"), number(socket.0)),
                    (name_of("call"), Value::Int(*id)),
                ];
                (Leg::Env, one("over_rate", Value::Map(call)))
            }
            Input::Pressed(pressed) => (Leg::Env, one("pressed", (*pressed).into())),
            Input::OfflineLines(lines) => (Leg::Env, one("kept", session_context::lines(tables, lines))),
            Input::Timer(key) => (Leg::Timer, one("due", timer_name::name(*key).into())),
            Input::FrontClosed(socket) => (Leg::Legacy, one("closed", number(socket.0))),
            Input::FrontClosedByClient { socket, grace } => {
                let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
                let entries = vec![(name_of("closed"), number(socket.0)), (name_of(GRACE), number(grace))];
                (Leg::Legacy, Value::Map(entries))
            }
            Input::Call { .. } | Input::Refused { .. } | Input::Poll { .. } | Input::Subscribed { .. } => return None,
        };
        Some(Self::Other(leg, Dir::In, data))
    }

    /// Converts to a trace record.
    pub fn record(self, t_us: u64, session: u64) -> Record {
        let frame = |socket: SocketId, frame: &str| {
            Value::Map(vec![
                (name_of("socket"), number(socket.0)),
                (name_of("frame"), frame.into()),
            ])
        };
        let (leg, dir, row, data) = match self {
            Self::Decoded { socket, frame: text } => (Leg::Legacy, Dir::In, None, frame(socket, text)),
            Self::Sent {
                socket,
                frame: text,
                row,
            } => (Leg::Legacy, Dir::Out, row.cloned(), frame(socket, text)),
            Self::Call { request, call } => {
                let entries = vec![
                    (name_of("request"), number(request)),
                    (name_of("call"), rtm_records::call(call)),
                ];
                (Leg::Rtm, Dir::Out, None, Value::Map(entries))
            }
            Self::Reply { request, result } => {
                let (key, value) = rtm_records::result(result);
                let entries = vec![(name_of("request"), number(request)), (name_of(key), value)];
                (Leg::Rtm, Dir::In, None, Value::Map(entries))
            }
            Self::Event(event) => (Leg::Rtm, Dir::In, None, one("event", rtm_records::event(event))),
            Self::Other(leg, dir, data) => (leg, dir, None, data),
        };
        Record {
            t_us,
            session,
            leg,
            dir,
            row,
            data,
        }
    }
}

pub(super) fn one(name: &str, value: Value) -> Value {
    Value::Map(vec![(name_of(name), value)])
}

/// Returns the name of a member. Names share their memory, because most records have the same few.
pub(super) fn name_of(name: &str) -> Text {
    shared_texts::text(name)
}

pub(super) fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}
