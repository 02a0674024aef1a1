//! Redaction of RTM calls, replies and events, by field type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use identity::Account;
use rtm::value::{Text, Value};
use rtm::{CallKind, EventKind, Field, FieldSpec, FieldType, LocalInvitation, Message, RemoteInvitation};
use tables::bridge_messages::{parse_signal, signal};

use crate::placeholder::Class;
use crate::placeholder_expand::{RAW, as_base64, in_base64};
use crate::redact::Redactor;
use crate::redact::allowlist;
use crate::redact::allowlist::TOKEN;
use crate::redact::pseudonyms::Entry;

/// Attribute with the account behind a hashed ID (decisions H5).
const DIRECTORY: &str = "_sb.id";
/// Prefix of attribute keys whose value is a name.
const LONG_NAME: &str = "_sb.n.";

impl Redactor {
    /// Redacts a record of the leg `rtm`.
    pub(super) fn rtm(&mut self, session: u64, data: &mut Value) {
        let Value::Map(entries) = data else {
            return self.scrub(data);
        };
        let request = entries.iter().find(|(key, _)| &**key == "request");
        let request = request.and_then(|(_, value)| value.as_int());
        for (key, value) in entries {
            match &**key {
                // Error names belong to RTM.
                "request" | "up" | "lacks" | "error" => {}
                "via" => self.named(value, Class::Channel),
                "call" => {
                    if let Some(kind) = self.by_name(value, |name| CallKind::parse(name).map(|k| (k, k.fields())))
                        && let Some(request) = request
                        && !kind.reply().is_plain()
                    {
                        self.open.insert((session, request), kind);
                    }
                }
                "event" => drop(self.by_name(value, |name| EventKind::parse(name).map(|k| (k, k.fields())))),
                "reply" => match request.and_then(|request| self.open.remove(&(session, request))) {
                    Some(kind) => self.field(kind.reply().field_type(), "", value),
                    None => self.scrub(value),
                },
                _ => self.scrub(value),
            }
        }
        let failed = data.get("error").is_some();
        if let Some(request) = request.filter(|_| failed) {
            self.open.remove(&(session, request));
        }
    }

    /// Redacts `{"name": {…fields}}`.
    fn by_name<K>(&mut self, value: &mut Value, find: impl Fn(&str) -> Option<(K, &'static [FieldSpec])>) -> Option<K> {
        if let Value::Map(entries) = value
            && let [(name, Value::Map(fields))] = &mut entries[..]
            && let Some((kind, specs)) = find(name)
        {
            self.fields(specs, fields);
            return Some(kind);
        }
        self.scrub(value);
        None
    }

    fn fields(&mut self, specs: &[FieldSpec], fields: &mut [(Text, Value)]) {
        for (name, value) in fields {
            match specs.iter().find(|spec| spec.name == &**name) {
                Some(spec) => self.field(spec.ty, spec.name, value),
                None => self.scrub(value),
            }
        }
    }

    fn field(&mut self, ty: FieldType, name: &str, value: &mut Value) {
        match ty {
            FieldType::Bool | FieldType::Int | FieldType::Invitation | FieldType::Name => {}
            FieldType::Texts => self.attribute_names(value),
            FieldType::Text | FieldType::OptionalText if FieldSpec::is_token(name) => {
                if !value.is_null() {
                    *value = TOKEN.into();
                }
            }
            FieldType::Text | FieldType::OptionalText if FieldSpec::is_channel(name) => {
                self.named(value, Class::Channel);
            }
            FieldType::Text | FieldType::OptionalText => self.body(value),
            FieldType::UserId => self.id(value, Class::Account),
            FieldType::ChannelId => self.id(value, Class::Channel),
            FieldType::UserIds => self.items(value, Class::Account),
            FieldType::ChannelIds => self.items(value, Class::Channel),
            FieldType::Online | FieldType::OnlineStates => self.keys(value, Class::Account),
            FieldType::Counts => self.keys(value, Class::Channel),
            FieldType::Message => self.message(value),
            FieldType::Attributes => self.attributes(value),
            FieldType::ChannelAttributes => self.channel_attributes(value),
            FieldType::LocalInvitation => self.members(LocalInvitation::FIELDS, value),
            FieldType::RemoteInvitation => self.members(RemoteInvitation::FIELDS, value),
            FieldType::Nothing => {}
        }
    }

    fn members(&mut self, specs: &[FieldSpec], value: &mut Value) {
        match value {
            Value::Map(fields) => self.fields(specs, fields),
            other => self.scrub(other),
        }
    }

    /// Redacts an RTM ID, which mostly equals the legacy name.
    fn id(&mut self, value: &mut Value, class: Class) {
        let class = value.as_text().map_or(Class::Id, |text| id_class(text, class));
        self.named(value, class);
    }

    fn items(&mut self, value: &mut Value, class: Class) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.id(item, class)),
            other => self.scrub(other),
        }
    }

    fn keys(&mut self, value: &mut Value, class: Class) {
        if let Value::Map(entries) = value {
            for (key, _) in entries {
                let mut id = Value::Text(key.clone());
                self.id(&mut id, class);
                *key = id.into_text();
            }
        }
    }

    fn attributes(&mut self, value: &mut Value) {
        match value {
            Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| self.attribute(key, value)),
            other => self.scrub(other),
        }
    }

    fn channel_attributes(&mut self, value: &mut Value) {
        let Value::Map(entries) = value else {
            return self.scrub(value);
        };
        for (key, attribute) in entries {
            let Value::Map(members) = attribute else { continue };
            for (member, value) in members {
                match &**member {
                    "value" => self.attribute(key, value),
                    "lastUpdateUserId" => self.id(value, Class::Account),
                    _ => {}
                }
            }
        }
    }

    fn attribute_names(&mut self, value: &mut Value) {
        match value {
            Value::List(names) => {
                let names = names.iter().filter_map(Value::as_text);
                names.for_each(|name| self.dictionary.is_attribute(name));
            }
            other => self.scrub(other),
        }
    }

    /// Redacts an attribute's value; the name belongs to the app's schema.
    fn attribute(&mut self, key: &str, value: &mut Value) {
        if key == DIRECTORY {
            return self.named(value, Class::Account);
        }
        self.dictionary.is_attribute(key);
        if key.starts_with(LONG_NAME) {
            let name = value.clone().into_text();
            return self.dictionary.is_attribute(&name);
        }
        let is_number = value.as_text().is_some_and(|text| allowlist::is_plain_number(text));
        let counted = is_number && allowlist::is_built_in(key);
        if !counted {
            self.body(value);
        }
    }

    fn message(&mut self, value: &mut Value) {
        if let Some(raw) = value.get(RAW).and_then(Value::as_text).cloned() {
            let new = self.raw(value, &raw);
            let Value::Map(members) = value else { return };
            for (key, member) in members {
                match &**key {
                    "messageType" => {}
                    RAW => *member = Value::Text(new.as_ref().map_or(&raw, |new| new).clone()),
                    _ => self.body(member),
                }
            }
            return;
        }
        match value {
            Value::Map(members) => {
                for (key, member) in members {
                    if &**key != "messageType" {
                        self.body(member);
                    }
                }
            }
            other => self.body(other),
        }
    }

    /// Redacts a raw message: by parts between bridges, otherwise as a whole.
    fn raw(&mut self, message: &Value, raw: &Text) -> Option<Text> {
        if raw.is_empty() || in_base64(raw).is_some() {
            return None;
        }
        let read = Message::from_value(message).ok();
        if let Some((kind, channel, data)) = read.as_ref().and_then(parse_signal) {
            let part = |new: Option<String>, old: Text| new.unwrap_or_else(|| (*old).into());
            let kind = part(self.replace(&kind, Class::Text), kind);
            let channel = part(self.replace(&channel, Class::Channel), channel);
            let data = part(self.replace(&data, Class::Text), data);
            let signal = Message::from_value(&signal(&kind, &channel, &data)).ok()?;
            let Message::Raw { bytes, .. } = signal else {
                return None;
            };
            return Some(as_base64(std::str::from_utf8(&bytes).ok()?).into());
        }
        let len = STANDARD.decode(raw.as_bytes()).map_or(raw.len(), |bytes| bytes.len());
        let known = match self.dictionary.find(raw) {
            Some(Entry::By(placeholder)) if placeholder.class == Class::Bytes => Some(placeholder.to_string()),
            Some(Entry::Kept) => return None,
            _ => self.assign_len(raw, Class::Bytes, len),
        };
        Some(as_base64(&known?).into())
    }
}

/// Returns the class of an RTM ID; one that is not a legal name stands for a name.
pub(super) fn id_class(id: &str, class: Class) -> Class {
    if !id.starts_with('~') && Account::new(id).is_ok() {
        class
    } else {
        Class::Id
    }
}
