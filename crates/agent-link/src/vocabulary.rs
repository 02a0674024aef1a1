//! Calls, events and errors in the vocabulary of the SDK behind a link (`mappings/platforms/`).

use std::collections::{HashMap, HashSet};

use rtm::json::shared_texts;
use rtm::rejection::{Refusal, refusal};
use rtm::value::{Text, Value};
use rtm::{CallKind, ErrorEnum, EventKind, RtmCall, RtmError, RtmEvent, RtmReply};
use tables::platform::Platform;

use crate::frame::{ErrorBody, RTM_ERROR};

/// Bidirectional name lookup of a platform.
#[derive(Debug)]
pub struct Vocabulary {
    platform: Text,
    call_names: Vec<(CallKind, Text)>,
    calls: HashMap<Text, CallKind>,
    event_names: Vec<(EventKind, Text)>,
    events: HashMap<Text, EventKind>,
    errors: Vec<(RtmError, Text)>,
    lacks: HashSet<CallKind>,
}

impl Vocabulary {
    pub fn new(platform: &Platform) -> Self {
        let call_names: Vec<(CallKind, Text)> = CallKind::ALL
            .iter()
            .map(|&kind| (kind, platform.call_name(kind).into()))
            .collect();
        let event_names: Vec<(EventKind, Text)> = EventKind::ALL
            .iter()
            .map(|&kind| (kind, platform.event_name(kind).into()))
            .collect();
        Self {
            platform: platform.name.clone(),
            calls: call_names.iter().map(|(kind, name)| (name.clone(), *kind)).collect(),
            call_names,
            events: event_names.iter().map(|(kind, name)| (name.clone(), *kind)).collect(),
            event_names,
            errors: platform.errors.clone(),
            lacks: platform.lacks.clone(),
        }
    }

    pub fn platform(&self) -> &Text {
        &self.platform
    }

    /// Returns true if the SDK has the call.
    pub fn has(&self, kind: CallKind) -> bool {
        !self.lacks.contains(&kind)
    }

    /// Returns the SDK's name of a call.
    pub fn call_name(&self, kind: CallKind) -> &Text {
        // Built from ALL, in the enum's order.
        &self.call_names[kind as usize].1
    }

    /// Returns the SDK's name of an event.
    pub fn event_name(&self, kind: EventKind) -> &Text {
        &self.event_names[kind as usize].1
    }

    /// Encodes a call's parameters, with the session first.
    pub fn call_params(session: &Text, call: &RtmCall) -> Value {
        with_session(session, call.args())
    }

    /// Decodes a request; `None` if the SDK lacks the call.
    pub fn read_call(&self, method: &str, params: &Value) -> Option<Result<RtmCall, String>> {
        let kind = *self.calls.get(method)?;
        if self.lacks.contains(&kind) {
            return None;
        }
        let fields = kind.fields().iter().map(|field| params.get(field.name));
        let call = kind.build(fields.map(|field| field.unwrap_or(&Value::Null)));
        Some(call.map_err(|error| error.to_string()))
    }

    /// Encodes an event: the SDK's name, and its fields with the session first.
    pub fn write_event(&self, session: &Text, event: &RtmEvent) -> (Text, Value) {
        let kind = event.kind();
        let names = kind.fields().iter().map(|field| shared_texts::text(field.name));
        let fields = Value::Map(names.zip(event.values()).collect());
        (self.event_names[kind as usize].1.clone(), with_session(session, fields))
    }

    /// Decodes a notification; `None` for an unknown name.
    pub fn read_event(&self, method: &str, params: &Value) -> Option<Result<RtmEvent, String>> {
        let kind = *self.events.get(method)?;
        let fields = kind.fields().iter().map(|field| params.get(field.name));
        let event = kind.build(fields.map(|field| field.unwrap_or(&Value::Null)));
        Some(event.map_err(|error| error.to_string()))
    }

    /// Encodes an RTM error.
    pub fn write_error(&self, error: RtmError) -> ErrorBody {
        let named = self.errors.iter().find(|(of, _)| *of == error);
        let name: Text = named.map_or_else(|| error.name().into(), |(_, name)| name.clone());
        let operation = error.error_enum().name();
        ErrorBody {
            code: RTM_ERROR,
            message: format!("{operation}.{name}").into(),
            data: Value::Map(vec![
                ("operation".into(), operation.into()),
                ("errorCode".into(), i64::from(error.number()).into()),
                ("name".into(), name.into()),
            ]),
        }
    }

    /// Decodes a failure of a call; unknown errors become the call's general failure.
    pub fn read_error(&self, kind: CallKind, error: &ErrorBody) -> RtmError {
        let general = refusal(kind, Refusal::Abandoned);
        if error.code != RTM_ERROR {
            return general;
        }
        let text = |key: &str| error.data.get(key).and_then(Value::as_text);
        let of = text("operation").and_then(|name| ErrorEnum::parse(name));
        // An error enum that is unknown for the call is more specific than the general failure, but rows cannot name
        // it.
        let Some(of) = of.filter(|of| kind.errors().contains(of)) else {
            return general;
        };
        let members = of.members();
        let number = error.data.get("errorCode").and_then(Value::as_int);
        let by_name = text("name").and_then(|name| {
            let own = self.errors.iter().find(|(e, own)| e.error_enum() == of && own == name);
            own.map(|(e, _)| *e).or_else(|| of.member(name))
        });
        let by_number = || members.iter().find(|e| Some(i64::from(e.number())) == number).copied();
        by_name.or_else(by_number).unwrap_or(general)
    }
}

/// Decodes a call's result.
///
/// # Errors
/// The expected form of the result.
pub fn read_result(kind: CallKind, result: &Value) -> Result<RtmReply, String> {
    match result {
        // A promise without a value resolves to `undefined`.
        Value::Null => kind.reply().read(&Value::Map(Vec::new())),
        result => kind.reply().read(result),
    }
}

fn with_session(session: &Text, fields: Value) -> Value {
    let Value::Map(fields) = fields else { return fields };
    let mut entries = Vec::with_capacity(1 + fields.len());
    entries.push((shared_texts::text("sessionId"), Value::Text(session.clone())));
    entries.extend(fields);
    Value::Map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtm::{JoinChannelErr, LocalInvitationErr, PeerMessageErr};
    use tables::Tables;

    fn vocabulary(platform: &str) -> Vocabulary {
        let tables = Tables::built_in().expect("the tables are right");
        let platform = tables.platforms.iter().find(|p| &*p.name == platform);
        Vocabulary::new(platform.expect("a platform of that name"))
    }

    #[test]
    fn every_platform_reads_back_what_it_writes() {
        for platform in &Tables::built_in().expect("the tables are right").platforms {
            let vocabulary = Vocabulary::new(platform);
            for &kind in CallKind::ALL {
                assert_eq!(
                    vocabulary.calls.get(vocabulary.call_name(kind)),
                    Some(&kind),
                    "{}",
                    platform.name
                );
                for of in kind.errors() {
                    for error in of.members() {
                        let body = vocabulary.write_error(error);
                        assert_eq!(vocabulary.read_error(kind, &body), error, "{}", platform.name);
                    }
                }
            }
        }
    }

    fn check_error(kind: CallKind, data: &str, expected: impl Into<RtmError>) {
        let error = ErrorBody {
            code: RTM_ERROR,
            message: "".into(),
            data: Value::from_json(data).expect("JSON"),
        };
        assert_eq!(
            vocabulary("linux-java").read_error(kind, &error),
            expected.into(),
            "{data}"
        );
    }

    #[test]
    fn errors_come_by_name_or_by_number() {
        let send = CallKind::SendMessageToPeer;
        check_error(
            send,
            r#"{"operation":"PEER_MESSAGE","errorCode":2,"name":"SENT_TIMEOUT"}"#,
            PeerMessageErr::Timeout,
        );
        check_error(
            send,
            r#"{"operation":"PEER_MESSAGE","errorCode":2}"#,
            PeerMessageErr::Timeout,
        );
        check_error(
            send,
            r#"{"operation":"PEER_MESSAGE","errorCode":77}"#,
            PeerMessageErr::Failure,
        );
        check_error(
            send,
            r#"{"operation":"JOIN_CHANNEL","errorCode":5}"#,
            PeerMessageErr::Failure,
        );
        check_error(send, "{}", PeerMessageErr::Failure);
        check_error(
            CallKind::Join,
            r#"{"operation":"JOIN_CHANNEL","errorCode":202}"#,
            JoinChannelErr::AlreadyJoinedChannelOfSameId,
        );
        let invite = r#"{"operation":"LOCAL_INVITATION_ERR","errorCode":4}"#;
        check_error(CallKind::LocalInvitationSend, invite, LocalInvitationErr::NotLoggedIn);
    }
}
