//! Outputs of a session as JSON, for recording and replay.

use engine::Effect;
use rtm::value::Value;
use tables::Tables;

use crate::event::{name_of, number, one};
use crate::record::Leg;
use crate::{rtm_records, session_context, timer_name};

/// Returns the data of an effect; `None` for effects that become frames.
pub fn data(tables: &Tables, effect: &Effect) -> Option<(Leg, Value)> {
    Some(match effect {
        Effect::Rtm { request, call } => {
            let entries = vec![
                (name_of("request"), number(*request)),
                (name_of("call"), rtm_records::call(call)),
            ];
            (Leg::Rtm, Value::Map(entries))
        }
        Effect::RtmVia { request, channel, call } => {
            let entries = vec![
                (name_of("request"), number(*request)),
                (name_of("call"), rtm_records::call(call)),
                (name_of("via"), channel.text().clone().into()),
            ];
            (Leg::Rtm, Value::Map(entries))
        }
        Effect::SetTimer { key, at } => {
            let entries = vec![
                (name_of("set"), timer_name::name(*key).into()),
                (name_of("at_ms"), number(at.as_millis())),
            ];
            (Leg::Timer, Value::Map(entries))
        }
        Effect::Note { row, code, .. } => {
            let entries = vec![
                (name_of("row"), tables.rows[*row].id.clone().into()),
                (name_of("code"), tables.code_name(*code).clone().into()),
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
