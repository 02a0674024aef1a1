//! Session parameters and events as JSON.

use std::sync::Arc;
use std::time::Duration;

use engine::{Attach, SessionContext, SessionLimits};
use protocol::event::Event;
use rtm::CallKind;
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;

/// Beginning of a session.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Profile of its first client.
    pub profile: Text,
    pub account: Text,
    /// Whether RTM stores messages for offline users.
    pub offline_messages: bool,
    /// True if the session is stored: then some calls are answered later.
    pub durable: bool,
    /// Missing calls of the upstream.
    pub lacks: Vec<CallKind>,
    /// Comparison page of the upstream's SDK, for readers.
    pub platform: Option<Text>,
    /// Time limits and bounds.
    pub limits: SessionLimits,
}

impl Begin {
    /// Creates the beginning of a session; `platform` is the upstream's.
    pub fn of(profile: &Text, account: &Text, platform: Option<Text>, context: &SessionContext) -> Self {
        Self {
            profile: profile.clone(),
            account: account.clone(),
            offline_messages: context.offline_messages,
            durable: context.durable,
            lacks: CallKind::ALL
                .iter()
                .copied()
                .filter(|kind| !(context.can)(*kind))
                .collect(),
            platform,
            limits: context.limits,
        }
    }

    /// Encodes as trace data.
    pub fn to_value(&self) -> Value {
        let lacks = self.lacks.iter().map(|kind| kind.name().into()).collect();
        let mut begin = vec![
            ("profile".into(), self.profile.clone().into()),
            ("account".into(), self.account.clone().into()),
            ("offlineMessages".into(), self.offline_messages.into()),
            ("lacks".into(), Value::List(lacks)),
        ];
        if self.durable {
            begin.push(("durable".into(), true.into()));
        }
        if let Some(platform) = &self.platform {
            begin.push(("platform".into(), platform.clone().into()));
        }
        begin.push(("limits".into(), limits(&self.limits)));
        Value::Map(begin)
    }

    /// Decodes trace data.
    ///
    /// # Errors
    /// The missing member.
    pub fn read(data: &Value) -> Result<Self, String> {
        let text = |key: &str| {
            let found = data.get(key).and_then(Value::as_text).cloned();
            found.ok_or_else(|| format!("begin lacks the string `{key}`"))
        };
        Ok(Self {
            profile: text("profile")?,
            account: text("account")?,
            offline_messages: data.get("offlineMessages") == Some(&Value::Bool(true)),
            durable: data.get("durable") == Some(&Value::Bool(true)),
            lacks: data.get("lacks").map(read_kinds).transpose()?.unwrap_or_default(),
            platform: data.get("platform").and_then(Value::as_text).cloned(),
            limits: read_limits(data.get("limits").unwrap_or(&Value::Null))?,
        })
    }

    /// Returns a predicate for available calls.
    pub fn can(&self) -> Arc<dyn Fn(CallKind) -> bool + Send + Sync> {
        let lacks = self.lacks.clone();
        Arc::new(move |kind| !lacks.contains(&kind))
    }
}

/// Decodes RTM calls by canonical name.
///
/// # Errors
/// An unknown name.
pub fn read_kinds(names: &Value) -> Result<Vec<CallKind>, String> {
    let names = names.as_list().unwrap_or_default().iter();
    let kind = |name: &Value| {
        let kind = name.as_text().and_then(|name| CallKind::parse(name));
        kind.ok_or_else(|| format!("unknown RTM call {name}"))
    };
    names.map(kind).collect()
}

macro_rules! limits {
    ($( $field:ident: $ty:ident ),+ $(,)?) => {
        fn limits(limits: &SessionLimits) -> Value {
            Value::Map(vec![$( (stringify!($field).into(), $ty(limits.$field)) ),+])
        }

        fn read_limits(data: &Value) -> Result<SessionLimits, String> {
            Ok(SessionLimits {
                $( $field: {
                    match data.get(stringify!($field)) {
                        // The trace predates the limit.
                        None => SessionLimits::default().$field,
                        Some(value) => $ty::read(value).ok_or(concat!("limits lack `", stringify!($field), "`"))?,
                    }
                } ),+
            })
        }
    };
}

limits! {
    login: millis,
    grace: millis,
    rejoin: millis,
    invite: millis,
    mailbox: count,
    mailbox_bytes: count,
    mailbox_ttl: millis,
    messages_per_second: rate,
    invitations_per_second: rate,
    discard_over_rate: flag,
    empty_attributes: flag,
    strict_reinvite: flag,
    force_join: flag,
}

fn millis(duration: Duration) -> Value {
    Value::Int(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn count(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn rate(rate: u32) -> Value {
    Value::Int(rate.into())
}

fn flag(flag: bool) -> Value {
    flag.into()
}

/// Readers of the functions above, by the same names.
mod millis {
    use super::{Duration, Value};

    pub fn read(value: &Value) -> Option<Duration> {
        u64::try_from(value.as_int()?).ok().map(Duration::from_millis)
    }
}

mod count {
    use super::Value;

    pub fn read(value: &Value) -> Option<usize> {
        usize::try_from(value.as_int()?).ok()
    }
}

mod rate {
    use super::Value;

    pub fn read(value: &Value) -> Option<u32> {
        u32::try_from(value.as_int()?).ok()
    }
}

mod flag {
    use super::Value;

    pub fn read(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

/// Names of the ways in which a socket attaches to a session.
pub const ATTACH: &[(&str, Attach)] = &[
    ("twin", Attach::Twin),
    ("again", Attach::Resume),
    ("anew", Attach::Reset),
    ("by-line", Attach::BySessionLine),
];

/// Encodes an account's mailbox lines with their times.
pub fn lines(tables: &Tables, lines: &[(Event, Time)]) -> Value {
    let line = |(event, at): &(Event, Time)| {
        Value::Map(vec![
            ("event".into(), tables.signatures[event.sig].name.clone().into()),
            ("row".into(), tables.rows[event.row].id.clone().into()),
            ("args".into(), Value::List(event.args.clone())),
            (
                "at_ms".into(),
                Value::Int(i64::try_from(at.as_millis()).unwrap_or(i64::MAX)),
            ),
        ])
    };
    Value::List(lines.iter().map(line).collect())
}

/// Decodes mailbox lines.
pub fn read_lines(tables: &Tables, data: &Value) -> Result<Vec<(Event, Time)>, String> {
    let line = |line: &Value| {
        let text = |key: &str| line.get(key).and_then(Value::as_text);
        let sig = text("event").and_then(|name| tables.signature_named(name))?;
        let row = text("row").and_then(|id| tables.row_named(id))?;
        let args = line.get("args").and_then(Value::as_list)?.to_vec();
        let at = u64::try_from(line.get("at_ms").and_then(Value::as_int)?).ok()?;
        Some((Event { sig, row, args }, Time::from_millis(at)))
    };
    let lines = data.as_list().unwrap_or_default();
    let read = |value: &Value| line(value).ok_or_else(|| format!("{value} is not a line of these tables"));
    lines.iter().map(read).collect()
}
