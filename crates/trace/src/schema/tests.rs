//! One record of each kind is valid, and the schema allows no kind that is never written.
//!
//! The samples cover all variants by a match without wildcard: a new variant does not compile without a sample.

use std::collections::BTreeSet;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;

use jsonschema::Validator;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::event::{TraceEvent, one};
use crate::record::{Dir, Leg, Record};
use crate::schema::*;
use crate::{SessionRecorder, Sink, read};
use engine::{Attach, Effect, Input, TimerKey};
use protocol::event::{Answer, CallRef, Event, Form, LOGIN, SocketId};
use rtm::time::Time;
use rtm::{CallKind, ChannelId, EventKind, FieldSpec, FieldType, InvitationId, RtmCall, RtmEvent};
use tables::Tables;
use tables::reason::Reason;

const SOCKET: SocketId = SocketId(1);
const CALL: CallRef = CallRef {
    socket: SOCKET,
    id: 1,
    function: LOGIN,
};

/// Sample values of a field, one per form.
fn values(spec: &FieldSpec, by: Option<&str>) -> Vec<Value> {
    let values: &[&str] = match spec.ty {
        FieldType::Bool => &["true"],
        FieldType::Int | FieldType::Invitation => &["7"],
        FieldType::Text | FieldType::UserId | FieldType::ChannelId => &[r#""a""#],
        FieldType::OptionalText => &[r#""a""#, "null"],
        FieldType::Texts | FieldType::UserIds | FieldType::ChannelIds => &[r#"["a","b"]"#, "[]"],
        FieldType::Message => &[
            r#"{"messageType":"TEXT","text":"a"}"#,
            r#"{"messageType":"RAW","rawMessage":"YQ==","description":"a"}"#,
        ],
        FieldType::Attributes => &[r#"{"a":"b"}"#],
        FieldType::ChannelAttributes => &[r#"{"a":{"value":"b","lastUpdateUserId":"c","lastUpdateTs":7}}"#],
        FieldType::Online => &[r#"{"a":true}"#],
        FieldType::OnlineStates => &[r#"{"a":"ONLINE"}"#],
        FieldType::Counts => &[r#"{"a":7}"#],
        FieldType::LocalInvitation => &[
            r#"{"invitation":1,"calleeId":"a","channelId":"b","content":"c","response":""}"#,
            r#"{"invitation":1,"calleeId":"a","channelId":null,"content":"c","response":""}"#,
        ],
        FieldType::RemoteInvitation => &[
            r#"{"invitation":1,"callerId":"a","channelId":"b","content":"c","response":""}"#,
            r#"{"invitation":1,"callerId":"a","channelId":null,"content":"c","response":""}"#,
        ],
        FieldType::Name => match (by, spec.name) {
            (Some(member), _) => return vec![member.into()],
            (None, "state") => &[r#""CONNECTED""#],
            (None, _) => &[r#""LOGIN""#],
        },
        FieldType::Nothing => &["{}"],
    };
    values
        .iter()
        .map(|json| Value::from_json(json).expect("JSON"))
        .collect()
}

/// Sample rows that cover each form of each field.
fn rows(fields: &[FieldSpec], by: Option<&str>) -> Vec<Vec<Value>> {
    let columns: Vec<Vec<Value>> = fields.iter().map(|spec| values(spec, by)).collect();
    let rows = columns.iter().map(Vec::len).max().unwrap_or(1);
    let row = |at: usize| columns.iter().map(|column| column[at % column.len()].clone()).collect();
    (0..rows).map(row).collect()
}

fn calls() -> Vec<RtmCall> {
    let of = |kind: &CallKind| {
        let kind = *kind;
        let rows = rows(kind.fields(), None).into_iter();
        rows.map(move |row| kind.build(&row).expect("values of its types"))
    };
    CallKind::ALL.iter().flat_map(of).collect()
}

fn events() -> Vec<RtmEvent> {
    let of = |kind: &EventKind| {
        let kind = *kind;
        let by = kind.by().map(|of| of.members()[0].name());
        let rows = rows(kind.fields(), by).into_iter();
        rows.map(move |row| kind.build(&row).expect("values of its types"))
    };
    EventKind::ALL.iter().flat_map(of).collect()
}

fn attaches() -> impl Iterator<Item = Attach> {
    successors(Some(Attach::Twin), |before| match before {
        Attach::Twin => Some(Attach::Resume),
        Attach::Resume => Some(Attach::Reset),
        Attach::Reset => Some(Attach::BySessionLine),
        Attach::BySessionLine => None,
    })
}

fn timers() -> impl Iterator<Item = TimerKey> {
    successors(Some(TimerKey::Login), |before| {
        Some(match before {
            TimerKey::Login => TimerKey::Grace,
            TimerKey::Grace => TimerKey::Rejoin,
            TimerKey::Rejoin => TimerKey::Invite(InvitationId(3)),
            TimerKey::Invite(_) => TimerKey::Ring(InvitationId(4)),
            TimerKey::Ring(_) => TimerKey::Retry(7),
            TimerKey::Retry(_) => TimerKey::Names,
            TimerKey::Names => TimerKey::Outbox,
            TimerKey::Outbox => TimerKey::TransientJoins,
            TimerKey::TransientJoins => TimerKey::MemberNum,
            TimerKey::MemberNum => TimerKey::Gather(CallKind::ALL[0]),
            TimerKey::Gather(kind) => {
                let at = CallKind::ALL.iter().position(|known| known == kind)?;
                TimerKey::Gather(*CallKind::ALL.get(at + 1)?)
            }
        })
    })
}

fn event() -> Event {
    Event {
        sig: 0,
        row: 0,
        args: vec![Value::Null, 7.into(), "a".into()],
    }
}

/// Every input once; in several forms where there are some.
fn inputs() -> impl Iterator<Item = Input> {
    let first = Input::Admitted {
        call: CALL,
        verdict: Ok(()),
        line: "l".into(),
        args: Vec::new(),
    };
    successors(Some(first), |before| {
        Some(match before {
            Input::Admitted { .. } => Input::Attached {
                call: CALL,
                how: Attach::Twin,
                line: "l".into(),
            },
            Input::Attached { .. } => Input::Subscribed {
                socket: SOCKET,
                cid: 1,
                msgid: 1,
            },
            Input::Subscribed { .. } => Input::Call {
                call: CALL,
                row: 0,
                args: Vec::new(),
                acknowledges: None,
            },
            Input::Call { .. } => Input::Refused {
                call: CALL,
                row: 0,
                args: Vec::new(),
                reason: Reason::WrongParam,
            },
            Input::Refused { .. } => Input::Poll {
                call: CALL,
                ver_clear: 0,
                max: 1,
            },
            Input::Poll { .. } => Input::RtmReply {
                request: 1,
                result: Ok(rtm::RtmReply::Void),
            },
            Input::RtmReply { .. } => Input::RtmEvent(events().remove(0)),
            Input::RtmEvent(_) => Input::Upstream(true),
            Input::Upstream(_) => Input::Unsupported(CallKind::ALL.into()),
            Input::Unsupported(_) => Input::OverRate { socket: SOCKET, id: 1 },
            Input::OverRate { .. } => Input::Pressed(true),
            Input::Pressed(_) => Input::OfflineLines(vec![(event(), Time::from_millis(7))]),
            Input::OfflineLines(_) => Input::Timer(TimerKey::Login),
            Input::Timer(_) => Input::FrontClosed(SOCKET),
            Input::FrontClosed(_) => Input::FrontClosedByClient {
                socket: SOCKET,
                grace: Duration::from_secs(5),
            },
            Input::FrontClosedByClient { .. } => return None,
        })
    })
}

fn effects() -> impl Iterator<Item = Effect> {
    let first = Effect::Rtm {
        request: 1,
        call: calls().remove(0),
    };
    successors(Some(first), |before| {
        Some(match before {
            Effect::Rtm { .. } => Effect::RtmVia {
                request: 1,
                channel: ChannelId::new("r").expect("a channel's id"),
                call: calls().remove(0),
            },
            Effect::RtmVia { .. } => Effect::Answer {
                call: CALL,
                row: 0,
                answer: Answer::default(),
            },
            Effect::Answer { .. } => Effect::Mailbox {
                call: CALL,
                ver_clear: 0,
                lines: Vec::new(),
            },
            Effect::Mailbox { .. } => Effect::Notify {
                socket: SOCKET,
                form: Form::Direct,
                event: event(),
            },
            Effect::Notify { .. } => Effect::Hint {
                socket: SOCKET,
                version: 1,
            },
            Effect::Hint { .. } => Effect::Resumed(CALL),
            Effect::Resumed(_) => Effect::SetTimer {
                key: TimerKey::Login,
                at: Time::from_millis(7),
            },
            Effect::SetTimer { .. } => Effect::Note {
                row: 0,
                code: 0,
                about: None,
            },
            Effect::Note { .. } => Effect::Dropped(engine::DropReason::MailboxLines),
            Effect::Dropped(_) => Effect::StoreLines(vec![(event(), Time::from_millis(7))]),
            Effect::StoreLines(_) => Effect::Close(SOCKET),
            Effect::Close(_) => Effect::End,
            Effect::End => return None,
        })
    })
}

#[derive(Default)]
struct Records(Mutex<Vec<Record>>);

impl Sink for Records {
    fn take(&self, t_us: u64, session: u64, what: TraceEvent<'_>) {
        self.0.lock().push(what.record(t_us, session));
    }
}

/// A record of each kind, as the recorder writes it.
fn all() -> Vec<Record> {
    let tables = Arc::new(Tables::built_in().expect("the built-in tables"));
    let records = Arc::new(Records::default());
    let recorder = SessionRecorder::new(records.clone(), tables, Time::default(), 1);
    for platform in [None, Some("web".into())] {
        recorder.begin(&Begin {
            profile: "web".into(),
            account: "alice".into(),
            platform,
            offline_messages: true,
            durable: true,
            lacks: CallKind::ALL.to_vec(),
            limits: SessionLimits::default(),
        });
    }
    let names = crate::RecordedNames::new(Arc::new(crate::TraceNames::default()), recorder.clone());
    use engine::Names as _;
    let name = Text::from("a");
    names.user_id(&name);
    names.account(&name);
    names.channel_id(&name);
    names.channel(&name);
    names.uid(&name);
    recorder.frame_in(SOCKET, "[]");
    recorder.rest(SOCKET);
    recorder.frame_out(SOCKET, "[]", None);
    recorder.frame_out(SOCKET, "[]", Some(0));
    inputs().for_each(|input| recorder.input(&input));
    for how in attaches() {
        let (call, line) = (CALL, "l".into());
        recorder.input(&Input::Attached { call, how, line });
    }
    for event in events() {
        recorder.input(&Input::RtmEvent(event));
    }
    for kind in CallKind::ALL {
        let reply = FieldSpec::new("reply", kind.reply().field_type());
        for value in values(&reply, None) {
            let (request, result) = (1, Ok(kind.reply().read(&value).expect("a value of its type")));
            recorder.input(&Input::RtmReply { request, result });
        }
        for error in kind.errors().iter().flat_map(|of| of.members()) {
            let (request, result) = (1, Err(error));
            recorder.input(&Input::RtmReply { request, result });
        }
    }
    effects().for_each(|effect| recorder.effect(&effect));
    for call in calls() {
        recorder.effect(&Effect::Rtm { request: 1, call });
    }
    for key in timers() {
        recorder.input(&Input::Timer(key));
        recorder.effect(&Effect::SetTimer {
            key,
            at: Time::from_millis(7),
        });
    }
    recorder.cut(Time::default());
    // Written by the writer of the file.
    recorder.push(Leg::Env, Dir::In, one("lost", true.into()));
    std::mem::take(&mut *records.0.lock())
}

fn validator(schema: &Json) -> Validator {
    jsonschema::validator_for(schema).expect("a schema")
}

#[test]
fn a_record_of_each_kind_is_valid() {
    let (schema, records) = (value(), all());
    let whole = validator(&schema);
    let mut text = json!({"sigbridge_trace": VERSION, "started_ms": 0, "program": ""}).to_string() + "\n";
    for record in &records {
        let line = serde_json::to_string(record).expect("JSON");
        let json: Json = serde_json::from_str(&line).expect("JSON");
        if let Err(error) = whole.validate(&json) {
            panic!("{error} at {}: {line}", error.instance_path());
        }
        text += &(line + "\n");
    }
    assert_eq!(read(text.as_bytes()).expect("a trace").records.len(), records.len());
}

/// Every data form of the schema occurs in a record.
#[test]
fn the_schema_allows_no_kind_that_is_never_written() {
    let (schema, records) = (value(), all());
    let mut unused = BTreeSet::new();
    for (leg, dir) in SIDES {
        let name = format!("{leg}-{dir}");
        let data = records.iter().filter(|record| {
            let record = serde_json::to_value(record).expect("JSON");
            record["leg"] == *leg && record["dir"] == *dir
        });
        let data: Vec<Json> = data
            .map(|record| serde_json::to_value(&record.data).expect("JSON"))
            .collect();
        for form in schema["$defs"][&name]["oneOf"].as_array().expect("a list") {
            let mut one = form.clone();
            one["$defs"] = schema["$defs"].clone();
            let one = validator(&one);
            if !data.iter().any(|data| one.is_valid(data)) {
                unused.insert(format!("{name} {form}"));
            }
        }
    }
    assert!(unused.is_empty(), "{unused:#?}");
}
