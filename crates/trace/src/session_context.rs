//! What a session is given, and events, as JSON.

use std::sync::Arc;
use std::time::Duration;

use engine::{Attach, SessionContext, SessionLimits};
use protocol::event::Event;
use rtm::CallKind;
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::Tables;

/// What a session begins with.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The profile of its first client.
    pub profile: Text,
    /// The account.
    pub account: Text,
    /// RTM keeps messages for offline users by itself.
    pub offline_messages: bool,
    /// Calls that the upstream lacks.
    pub lacks: Vec<CallKind>,
    /// The comparison page whose SDK the upstream speaks like; for readers.
    pub platform: Option<Text>,
    /// Times and bounds.
    pub limits: SessionLimits,
}

impl Begin {
    /// Of a session that begins; `platform` is the upstream's.
    pub fn of(profile: &Text, account: &Text, platform: Option<Text>, context: &SessionContext) -> Self {
        Self {
            profile: profile.clone(),
            account: account.clone(),
            offline_messages: context.offline_messages,
            lacks: CallKind::ALL
                .iter()
                .copied()
                .filter(|kind| !(context.can)(*kind))
                .collect(),
            platform,
            limits: context.limits,
        }
    }

    /// As a trace holds it.
    pub fn to_value(&self) -> Value {
        let lacks = self.lacks.iter().map(|kind| kind.name().into()).collect();
        let mut begin = vec![
            ("profile".into(), self.profile.clone().into()),
            ("account".into(), self.account.clone().into()),
            ("offlineMessages".into(), self.offline_messages.into()),
            ("lacks".into(), Value::List(lacks)),
        ];
        if let Some(platform) = &self.platform {
            begin.push(("platform".into(), platform.clone().into()));
        }
        begin.push(("limits".into(), limits(&self.limits)));
        Value::Map(begin)
    }

    /// Reads it.
    ///
    /// # Errors
    /// What is missing.
    pub fn read(data: &Value) -> Result<Self, String> {
        let text = |key: &str| {
            let found = data.get(key).and_then(Value::as_text).cloned();
            found.ok_or_else(|| format!("begin needs the text `{key}`"))
        };
        Ok(Self {
            profile: text("profile")?,
            account: text("account")?,
            offline_messages: data.get("offlineMessages") == Some(&Value::Bool(true)),
            lacks: data.get("lacks").map(read_kinds).transpose()?.unwrap_or_default(),
            platform: data.get("platform").and_then(Value::as_text).cloned(),
            limits: read_limits(data.get("limits").unwrap_or(&Value::Null))?,
        })
    }

    /// Whether the upstream has a call.
    pub fn can(&self) -> Arc<dyn Fn(CallKind) -> bool + Send + Sync> {
        let lacks = self.lacks.clone();
        Arc::new(move |kind| !lacks.contains(&kind))
    }
}

/// RTM calls by their canonical names.
///
/// # Errors
/// A name that is none.
pub fn read_kinds(names: &Value) -> Result<Vec<CallKind>, String> {
    let names = names.as_list().unwrap_or_default().iter();
    let kind = |name: &Value| {
        let kind = name.as_text().and_then(|name| CallKind::parse(name));
        kind.ok_or_else(|| format!("{name} is no RTM call"))
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
                        // A trace that is older than the limit.
                        None => SessionLimits::default().$field,
                        Some(value) => $ty::read(value).ok_or(concat!("limits need `", stringify!($field), "`"))?,
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

/// The readers of the functions above, under their names.
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

/// How a socket came to a session, by name.
pub const ATTACH: &[(&str, Attach)] = &[
    ("twin", Attach::Twin),
    ("again", Attach::Resume),
    ("anew", Attach::Reset),
    ("by-line", Attach::BySessionLine),
];

/// Lines of an account, with when they came.
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

/// Reads them.
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
    let read = |value: &Value| line(value).ok_or_else(|| format!("{value} is no line of these tables"));
    lines.iter().map(read).collect()
}
