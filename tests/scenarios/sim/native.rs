//! An RTM-native user: a direct client of the embedded service.

use std::collections::BTreeMap;

use rtm::upstream::UpstreamEvent;
use rtm::value::Value;
use rtm::{CallKind, ConnectionReason, FieldType, RtmCall, RtmError, RtmEvent, RtmReply};

use super::observed::Observed;
use super::service::ServiceClient;

/// Fields that depend on the clock.
const TIMES: &[&str] = &["serverReceivedTs", "lastUpdateTs"];

/// An RTM-native user.
pub struct Native {
    pub name: String,
    pub client: ServiceClient,
    /// Its events are not recorded: one of a crowd.
    pub blind: bool,
    calls: BTreeMap<u64, CallKind>,
    next: u64,
}

impl Native {
    /// Creates a user who is not logged in.
    pub fn new(name: &str, client: ServiceClient, blind: bool) -> Self {
        Self {
            name: name.into(),
            client,
            blind,
            calls: BTreeMap::new(),
            next: 1,
        }
    }

    /// Makes a call by its name and its arguments, in the order of the call's fields.
    ///
    /// # Errors
    /// The error of the call.
    pub fn call(&mut self, words: &[String]) -> Result<(u64, RtmCall), String> {
        let (name, args) = words.split_first().ok_or("a call")?;
        let kind = CallKind::parse(name).ok_or_else(|| format!("RTM has no call {name}"))?;
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        if kind == CallKind::Login && args.is_empty() {
            args.push(&self.name);
        }
        if args.len() > kind.fields().len() {
            return Err(format!("{name} has {} arguments", kind.fields().len()));
        }
        let mut args = args.into_iter();
        let fields = kind.fields().iter();
        let values: Vec<Value> = fields
            .map(|field| read(field.ty, args.next()))
            .collect::<Result<_, _>>()?;
        let call = kind.build(&values).map_err(|e| e.to_string())?;
        let request = self.next;
        self.next += 1;
        self.calls.insert(request, kind);
        Ok((request, call))
    }

    /// Records a reply or an event.
    pub fn observe(&mut self, event: UpstreamEvent) -> Option<Observed> {
        match event {
            UpstreamEvent::Reply { request, result } => self.replied(request, result),
            UpstreamEvent::Event(event) => self.observe_event(&event),
            UpstreamEvent::Up(_) | UpstreamEvent::Unsupported(_) => None,
        }
    }

    /// Records a reply, unless it is an empty success.
    fn replied(&mut self, request: u64, result: Result<RtmReply, RtmError>) -> Option<Observed> {
        let kind = self.calls.remove(&request)?;
        let word = match result {
            Ok(RtmReply::Void) => return None,
            Ok(reply) => flat(&reply.to_value()).to_json(),
            Err(error) => error.name().into(),
        };
        self.sees(vec![kind.name().into(), word])
    }

    /// Records an event, except for the states of the user's own login.
    fn observe_event(&self, event: &RtmEvent) -> Option<Observed> {
        if let RtmEvent::ConnectionStateChanged { reason, .. } = event {
            let logging_in = self.calls.values().any(|kind| *kind == CallKind::Login);
            if *reason == ConnectionReason::Login || (*reason == ConnectionReason::LoginSuccess && logging_in) {
                return None;
            }
        }
        let mut words = vec![event.kind().name().to_owned()];
        for (field, value) in event.kind().fields().iter().zip(event.values()) {
            show(field.name, &value, &mut words);
        }
        self.sees(words)
    }

    fn sees(&self, words: Vec<String>) -> Option<Observed> {
        (!self.blind).then(|| Observed::new(&self.name, words))
    }
}

/// Adds a field as `name=value`; members of invitations and messages like fields, without empty
/// ones.
fn show(name: &str, value: &Value, words: &mut Vec<String>) {
    match value {
        _ if TIMES.contains(&name) => {}
        Value::Null | Value::Bool(false) => {}
        Value::Text(text) if text.is_empty() => {}
        Value::Text(text) if name == "messageType" && &**text == "TEXT" => {}
        Value::Map(members) if matches!(name, "invitation" | "message") => {
            members.iter().for_each(|(name, value)| show(name, value, words));
        }
        value => words.push(format!("{name}={}", flat(value).into_text())),
    }
}

/// Converts channel attributes to names and values.
fn flat(value: &Value) -> Value {
    let Value::Map(entries) = value else {
        return value.clone();
    };
    let entry = |value: &Value| {
        value
            .get("value")
            .filter(|_| value.get("lastUpdateTs").is_some())
            .cloned()
    };
    let entries = entries
        .iter()
        .map(|(key, value)| (key.clone(), entry(value).unwrap_or_else(|| value.clone())));
    Value::Map(entries.collect())
}

fn read(ty: FieldType, word: Option<&str>) -> Result<Value, String> {
    let Some(word) = word.filter(|word| *word != "-") else {
        return Ok(match ty {
            FieldType::Text => "".into(),
            _ => Value::Null,
        });
    };
    let json = || Value::from_json(word).map_err(|e| format!("{word}: {e}"));
    Ok(match ty {
        FieldType::Bool | FieldType::Int | FieldType::Invitation | FieldType::Attributes => json()?,
        FieldType::Texts | FieldType::UserIds | FieldType::ChannelIds if word.starts_with('[') => json()?,
        FieldType::Texts | FieldType::UserIds | FieldType::ChannelIds => Value::List(vec![word.into()]),
        FieldType::Message => match word.strip_prefix("raw:") {
            Some(raw) => {
                let (bytes, description) = raw.split_once(':').unwrap_or((raw, ""));
                Value::Map(vec![
                    ("rawMessage".into(), bytes.into()),
                    ("description".into(), description.into()),
                ])
            }
            None => word.into(),
        },
        _ => word.into(),
    })
}
