//! OpenRPC document of the agent link: the methods of an agent server in one platform's vocabulary.
//! <https://spec.open-rpc.org>
//!
//! Events are under `x-notifications`, since OpenRPC does not cover them.

use rtm::schema::{self, Dialect, members as object};
use rtm::value::{Text, Value};
use rtm::{CallKind, ErrorEnum, EventKind, FieldSpec, FieldType, LocalInvitation, RemoteInvitation, ReplyKind};

use crate::frame::{BAD_PARAMS, BAD_PROTOCOL, BUSY, NO_METHOD, NO_SESSION, RTM_ERROR};
use crate::vocabulary::Vocabulary;

const OPENRPC: &str = "1.3.2";

/// Returns the document as indented JSON.
pub fn document(vocabulary: &Vocabulary) -> String {
    let methods = CallKind::ALL
        .iter()
        .filter(|kind| vocabulary.has(**kind))
        .map(|kind| method(vocabulary, *kind));
    let notifications = EventKind::ALL.iter().map(|kind| notification(vocabulary, *kind));
    let own = [("createInstance", CREATE), ("release", RELEASE)];
    let own = own.into_iter().map(|(name, fields)| own_method(name, fields));
    let document = object([
        ("openrpc", OPENRPC.into()),
        ("info", info(vocabulary)),
        ("methods", Value::List(own.chain(methods).collect())),
        ("components", object([("schemas", schemas()), ("errors", errors())])),
        ("x-notifications", Value::List(notifications.collect())),
    ]);
    let mut text = serde_json::to_string_pretty(&document).expect("a Value has only text keys");
    text.push('\n');
    text
}

fn info(vocabulary: &Vocabulary) -> Value {
    let title = format!("sigbridge: agent link, platform {}", vocabulary.platform());
    object([
        ("title", Value::text(title)),
        (
            "description",
            "JSON-RPC 2.0 over WebSocket with sequence numbers and acks: docs/agent-link.md.".into(),
        ),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("license", object([("name", env!("CARGO_PKG_LICENSE").into())])),
    ])
}

struct Own(&'static str, bool, &'static str);

const SESSION: Own = Own("sessionId", true, "instance name chosen by the driver");
const CREATE: &[Own] = &[
    SESSION,
    Own("appId", true, "the app"),
    Own("adopt", false, "instance of a previous driver to adopt"),
];
const RELEASE: &[Own] = &[SESSION];

fn own_method(name: &str, fields: &[Own]) -> Value {
    let params = fields.iter().map(|Own(name, required, what)| {
        object([
            ("name", (*name).into()),
            ("description", (*what).into()),
            ("required", (*required).into()),
            ("schema", DIALECT.field(FieldType::Text)),
        ])
    });
    object([
        ("name", name.into()),
        ("paramStructure", "by-name".into()),
        ("params", Value::List(params.collect())),
        ("result", result(ReplyKind::Void)),
        (
            "errors",
            Value::List(vec![reference("errors", "params"), reference("errors", "session")]),
        ),
    ])
}

fn method(vocabulary: &Vocabulary, kind: CallKind) -> Value {
    let link = ["params", "method", "session"]
        .into_iter()
        .map(|name| reference("errors", name));
    let own = kind.errors().iter().map(|of| reference("errors", of.name()));
    object([
        ("name", vocabulary.call_name(kind).clone().into()),
        ("paramStructure", "by-name".into()),
        ("params", params(kind.fields())),
        ("result", result(kind.reply())),
        ("errors", Value::List(link.chain(own).collect())),
        ("x-rtm", kind.name().into()),
    ])
}

fn notification(vocabulary: &Vocabulary, kind: EventKind) -> Value {
    object([
        ("name", vocabulary.event_name(kind).clone().into()),
        ("paramStructure", "by-name".into()),
        ("params", params(kind.fields())),
        ("x-rtm", kind.name().into()),
    ])
}

fn params(fields: &[FieldSpec]) -> Value {
    let session = FieldSpec::new("sessionId", FieldType::Text);
    let param = |field: &FieldSpec| {
        object([
            ("name", field.name.into()),
            ("required", (field.ty != FieldType::OptionalText).into()),
            ("schema", DIALECT.field(field.ty)),
        ])
    };
    Value::List(std::iter::once(&session).chain(fields).map(param).collect())
}

fn result(kind: ReplyKind) -> Value {
    object([("name", "result".into()), ("schema", DIALECT.field(kind.field_type()))])
}

const DIALECT: Dialect = Dialect {
    count: || schema::of("integer"),
    message: || reference("schemas", "Message"),
    channel_attribute: || reference("schemas", "ChannelAttribute"),
    local_invitation: || reference("schemas", "LocalInvitation"),
    remote_invitation: || reference("schemas", "RemoteInvitation"),
    nothing: || object([("type", Value::List(vec!["object".into(), "null".into()]))]),
};

fn schemas() -> Value {
    let record = |fields: &[FieldSpec], required: bool| {
        let names = fields
            .iter()
            .filter(|field| required && field.ty != FieldType::OptionalText);
        let names = names.map(|field| field.name.into());
        object([
            ("type", "object".into()),
            ("properties", schema::named(DIALECT.fields(fields))),
            ("required", Value::List(names.collect())),
        ])
    };
    let message = [
        FieldSpec::new("messageType", FieldType::Name),
        FieldSpec::new("text", FieldType::Text),
        FieldSpec::new("rawMessage", FieldType::Text),
        FieldSpec::new("description", FieldType::Text),
    ];
    let attribute = [
        FieldSpec::new("value", FieldType::Text),
        FieldSpec::new("lastUpdateUserId", FieldType::UserId),
        FieldSpec::new("lastUpdateTs", FieldType::Int),
    ];
    object([
        ("Message", record(&message, false)),
        ("ChannelAttribute", record(&attribute, true)),
        ("LocalInvitation", record(LocalInvitation::FIELDS, true)),
        ("RemoteInvitation", record(RemoteInvitation::FIELDS, true)),
    ])
}

fn errors() -> Value {
    let error = |code: i64, message: &str| object([("code", code.into()), ("message", message.into())]);
    let link = [
        ("params", error(BAD_PARAMS, "invalid params")),
        ("method", error(NO_METHOD, "unknown method")),
        ("session", error(NO_SESSION, "unknown sessionId")),
        ("protocol", error(BAD_PROTOCOL, "unsupported protocol version")),
        ("busy", error(BUSY, "another agent is connected")),
    ];
    let link = link.into_iter().map(|(name, error)| (Text::from(name), error));
    let rtm = ErrorEnum::ALL.iter().map(|of| {
        let members = of.members().into_iter().map(|member| {
            object([
                ("errorCode", i64::from(member.number()).into()),
                ("name", member.name().into()),
            ])
        });
        let data = object([
            ("operation", of.name().into()),
            ("x-members", Value::List(members.collect())),
        ]);
        let message = format!("a member of {}", of.name());
        let entries = vec![
            ("code".into(), RTM_ERROR.into()),
            ("message".into(), Value::text(message)),
            ("data".into(), data),
        ];
        (Text::from(of.name()), Value::Map(entries))
    });
    Value::Map(link.chain(rtm).collect())
}

fn reference(kind: &str, name: &str) -> Value {
    schema::reference(&format!("#/components/{kind}"), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tables::Tables;

    /// The published document is current.
    #[test]
    fn the_published_document_is_current() {
        let tables = Tables::built_in().expect("the tables are right");
        let platform = tables.platforms.iter().find(|platform| &*platform.name == "flutter");
        let vocabulary = Vocabulary::new(platform.expect("it is there"));
        let written = include_str!("../../../fixtures/openrpc-agent.json");
        assert_eq!(
            written,
            document(&vocabulary),
            "regenerate it: `sigbridge agent openrpc > fixtures/openrpc-agent.json`"
        );
    }

    #[test]
    fn references_lead_somewhere() {
        for platform in &Tables::built_in().expect("the tables are right").platforms {
            let document: Value = Value::from_json(&document(&Vocabulary::new(platform))).expect("JSON");
            let components = document.get("components").expect("they are there");
            let text = document.to_json();
            let parts = text.split("\"#/components/").skip(1);
            for reference in parts.filter_map(|rest| rest.split('"').next()) {
                let (kind, name) = reference.split_once('/').expect("two parts");
                assert!(
                    components.get(kind).and_then(|of| of.get(name)).is_some(),
                    "{reference}"
                );
            }
        }
    }
}
