//! Evaluation context of a run's expressions.

use rtm::RtmError;
use rtm::value::{Text, Value};
use tables::expr::{Ambient, Scope, StateField};
use tables::ty::Conv;

use crate::invocation::Run;
use crate::session::Session;

/// Values that exist only while an outcome is built.
#[derive(Clone, Debug, Default)]
pub(super) struct Ambients {
    pub reason: Option<Text>,
    pub ecode: i64,
    pub key: Value,
    pub value: Option<Value>,
}

/// The evaluation scope of a run in its session.
pub(super) struct RunScope<'s> {
    pub session: &'s Session,
    pub run: &'s Run,
    pub ambients: &'s Ambients,
}

impl Scope for RunScope<'_> {
    fn convert(&self, conv: Conv, text: &Text) -> Text {
        let names = &self.session.context.names;
        match conv {
            Conv::Same => text.clone(),
            Conv::AccountToUser => names.user_id(text),
            Conv::UserToAccount => match self.session.directory.account(text) {
                Some(account) => account.clone(),
                None => names.account(text),
            },
            Conv::ChannelToRtm => names.channel_id(text),
            Conv::RtmToChannel => match &self.session.channel {
                // The id of a long name is a hash; the session has the name of its own channel.
                Some(channel) if channel.id.text() == text => channel.name.clone(),
                _ => names.channel(text),
            },
        }
    }

    fn uid(&self, account: &Text) -> i64 {
        self.session.context.names.uid(account)
    }

    fn state(&self, field: StateField) -> Value {
        self.session.state(field)
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
        let tables = &self.session.context.tables;
        tables.reason(tables.rows[row].reason_of(self.run.error))
    }

    fn error(&self) -> Option<RtmError> {
        self.run.error
    }
}
