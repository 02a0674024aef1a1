//! Outputs of a session as JSON, for recording and replay.

use engine::Effect;
use rtm::value::Value;
use tables::Tables;

use crate::event::{number, one};
use crate::record::Leg;
use crate::{rtm_records, session_context, timer_name};

/// Returns the data of an effect; `None` for effects that become frames.
pub fn data(tables: &Tables, effect: &Effect) -> Option<(Leg, Value)> {
    Some(match effect {
        Effect::Rtm { request, call } => {
            let entries = vec![
                ("request".into(), number(*request)),
                ("call".into(), rtm_records::call(call)),
            ];
            (Leg::Rtm, Value::Map(entries))
        }
        Effect::RtmVia { request, channel, call } => {
            let entries = vec![
                ("request".into(), number(*request)),
                ("call".into(), rtm_records::call(call)),
                ("via".into(), channel.text().clone().into()),
            ];
            (Leg::Rtm, Value::Map(entries))
        }
        Effect::SetTimer { key, at } => {
            let entries = vec![
                ("set".into(), timer_name::name(*key).into()),
                ("at_ms".into(), number(at.as_millis())),
            ];
            (Leg::Timer, Value::Map(entries))
        }
        Effect::Note { row, code, .. } => {
            let entries = vec![
                ("row".into(), tables.rows[*row].id.clone().into()),
                ("code".into(), tables.code_name(*code).clone().into()),
            ];
            (Leg::Env, one("note", Value::Map(entries)))
        }
        Effect::Dropped(what) => (Leg::Env, one("dropped", what.name().into())),
        Effect::StoreLines(lines) => (Leg::Env, one("keep", session_context::lines(tables, lines))),
        Effect::Close(socket) => (Leg::Legacy, one("close", number(socket.0))),
        Effect::End => (Leg::Env, one("end", true.into())),
        Effect::Answer { .. }
        | Effect::Mailbox { .. }
        | Effect::Notify { .. }
        | Effect::Hint { .. }
        | Effect::Resumed(_) => return None,
    })
}
