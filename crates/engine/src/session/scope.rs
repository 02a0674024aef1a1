//! Values that the expressions of a run read.

use rtm::RtmError;
use rtm::value::{Text, Value};
use tables::scope::{Ambient, Scope, StateField};
use tables::ty::Conv;

use crate::run::Run;
use crate::session::Session;

/// Values that exist only while an outcome is built.
#[derive(Clone, Debug)]
pub(super) struct Ambients {
    pub reason: Option<Text>,
    pub ecode: i64,
    pub key: Value,
    pub value: Option<Value>,
}

impl Ambients {
    pub const NONE: &Self = &Self {
        reason: None,
        ecode: 0,
        key: Value::Null,
        value: None,
    };
}

/// The evaluation scope of a run in its session.
#[derive(Clone, Copy)]
pub(super) struct RunScope<'s> {
    pub session: &'s Session,
    pub run: &'s Run,
    pub ambients: &'s Ambients,
}

impl Scope for RunScope<'_> {
    fn convert(&self, conv: Conv, text: &Text) -> Text {
        let names = &self.session.env.names;
        match conv {
            Conv::Same => text.clone(),
            Conv::AccountToUser => names.user_id(text),
            Conv::UserToAccount => match self.session.directory.account(text) {
                Some(account) => account.clone(),
                None => names.account(text),
            },
            Conv::ChannelToRtm => names.channel_id(text),
            // The id of a long name is a hash; the session has the name of its own channel.
            Conv::RtmToChannel => match self.session.channel.name_of(text) {
                Some(name) => name.clone(),
                None => names.channel(text),
            },
        }
    }

    fn uid(&self, account: &Text) -> i64 {
        self.session.env.names.uid(account)
    }

    fn state(&self, field: StateField) -> Value {
        let session = self.session;
        let status = || session.status.number(session.client.is_connected());
        match field {
            StateField::Account => session.env.account.clone().into(),
            StateField::Line => session.client.line.clone().into(),
            StateField::Channel => session.channel.name().map_or(Value::Null, |name| name.clone().into()),
            StateField::Cid => Value::Int(session.channel.joins()),
            StateField::Status => Value::Int(status().into()),
            StateField::Online => Value::Int(status().is_online().into()),
            StateField::MemberCount => Value::Int(i64::try_from(session.channel.count()).unwrap_or(i64::MAX)),
        }
    }

    fn ambient(&self, ambient: Ambient) -> Value {
        match ambient {
            Ambient::Reason => self.ambients.reason.clone().map_or(Value::Null, Value::Text),
            Ambient::Ecode => Value::Int(self.ambients.ecode),
            Ambient::Key => self.ambients.key.clone(),
            Ambient::Value => self.ambients.value.clone().unwrap_or_else(|| self.run.value.clone()),
        }
    }

    fn slot(&self, slot: usize) -> Value {
        self.run.slots.get(slot).cloned().unwrap_or_default()
    }

    fn member_reason(&self, row: usize) -> Text {
        let tables = &self.session.env.tables;
        tables.reason(tables.rows[row].reason_of(self.run.error))
    }

    fn error(&self) -> Option<RtmError> {
        self.run.error
    }
}
