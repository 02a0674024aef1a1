//! RTM calls, replies, errors and events as JSON, by canonical name.

use rtm::json::shared_texts;
use rtm::value::Value;
use rtm::{CallKind, ErrorEnum, EventKind, RtmCall, RtmError, RtmEvent, RtmReply};

/// Encodes `{"name": {…arguments}}`.
pub fn call(call: &RtmCall) -> Value {
    named(call.kind().name(), call.args())
}

/// Encodes `{"reply": …}` or `{"error": "ENUM.MEMBER"}`.
pub fn result(result: &Result<RtmReply, RtmError>) -> (&'static str, Value) {
    match result {
        Ok(reply) => ("reply", reply.to_value()),
        Err(error) => {
            let name = format!("{}.{}", error.error_enum().name(), error.name());
            ("error", Value::Text(name.into()))
        }
    }
}

/// Encodes `{"name": {…fields}}`.
pub fn event(event: &RtmEvent) -> Value {
    let kind = event.kind();
    let names = kind.fields().iter().map(|field| shared_texts::text(field.name));
    named(kind.name(), Value::Map(names.zip(event.values()).collect()))
}

/// Decodes a result of a call kind.
pub fn read_result(kind: CallKind, data: &Value) -> Result<Result<RtmReply, RtmError>, String> {
    if let Some(reply) = data.get("reply") {
        return kind.reply().read(reply).map(Ok);
    }
    let name = data
        .get("error")
        .and_then(Value::as_text)
        .ok_or("a reply or an error")?;
    let error = name
        .split_once('.')
        .and_then(|(of, member)| ErrorEnum::parse(of)?.member(member));
    error
        .map(Err)
        .ok_or_else(|| format!("a member of an RTM error enum, not {name}"))
}

/// Decodes an event.
pub fn read_event(data: &Value) -> Result<RtmEvent, String> {
    let [(name, fields)] = data.as_map().unwrap_or_default() else {
        return Err("an RTM event by its name".into());
    };
    let kind = EventKind::parse(name).ok_or_else(|| format!("an RTM event, not {name}"))?;
    let names = kind.fields().iter().map(|field| field.name);
    kind.build(names.map(|name| fields.get(name).unwrap_or(&Value::Null)))
        .map_err(|error| error.to_string())
}

fn named(name: &str, of: Value) -> Value {
    Value::Map(vec![(shared_texts::text(name), of)])
}
