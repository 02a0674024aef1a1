//! Conditions of steps and outcomes.

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::value::{Text, Value};
use tables::condition::{Cond, Condition};
use tables::expr::StateField;

use crate::emulate::invitations::Call;
use crate::invocation::Run;
use crate::session::Session;

/// The status of a logged-in session.
const LOGGED_IN: i64 = 2;

impl Session {
    /// Returns true if all conditions hold for the run.
    pub(super) fn holds(&self, conds: &[Cond], run: &Run) -> bool {
        conds
            .iter()
            .all(|cond| self.condition(cond.condition, run) != cond.negated)
    }

    pub(super) fn condition(&self, condition: Condition, run: &Run) -> bool {
        match condition {
            Condition::Joined => {
                let name = self.channel_of(run);
                self.channel
                    .as_ref()
                    .is_some_and(|c| c.joined && Some(&c.name) == name.as_ref())
            }
            Condition::InOtherChannel => {
                let name = self.channel_of(run);
                self.channel.as_ref().is_some_and(|c| Some(&c.name) != name.as_ref())
            }
            Condition::OneSelf => self.account_of(run).is_some_and(|account| account == self.account),
            Condition::Calling => self.call_of(run, Call::is_calling).is_some(),
            Condition::Ringing => self.call_of(run, Call::is_ringing).is_some(),
            Condition::Talking => self.call_of(run, Call::is_talking).is_some(),
            Condition::AnyCall => self.has_call(run),
            Condition::Grace => self.socket.is_none(),
            Condition::Over512 => self
                .channel
                .as_ref()
                .is_some_and(|c| c.count() > MEMBERS_CUT_OFF as u64),
            Condition::EmptyAttributes => self.context.limits.empty_attributes,
            Condition::StrictReinvite => self.context.limits.strict_reinvite,
            Condition::ForceJoin => self.context.limits.force_join,
            Condition::TransientlyJoined => self.is_transiently_joined(run),
            Condition::ReservedName => self.writes_reserved(run),
            Condition::OfflineMessages => self.context.offline_messages,
            Condition::Can(kind) => (self.context.can)(kind),
            Condition::Flag(slot) => run.slots.get(slot) == Some(&Value::Bool(true)),
        }
    }

    /// Returns the account that a run refers to.
    pub(super) fn account_of(&self, run: &Run) -> Option<Text> {
        let slot = self.context.tables.rows[run.row].account?;
        run.slots.get(slot)?.as_text().cloned()
    }

    /// Returns the channel that a run refers to.
    pub(super) fn channel_of(&self, run: &Run) -> Option<Text> {
        let slot = self.context.tables.rows[run.row].channel?;
        run.slots.get(slot)?.as_text().cloned()
    }

    /// Returns the documented number of the session's state (signaling-api 4.5).
    fn status(&self) -> i64 {
        match (self.logged_in, self.reconnecting || !self.upstream) {
            (true, true) => 3,
            (true, false) => LOGGED_IN,
            (false, _) => i64::from(self.socket.is_some()),
        }
    }

    /// Returns a field of the state, as named in tables.
    pub(super) fn state(&self, field: StateField) -> Value {
        match field {
            StateField::Account => self.account.clone().into(),
            StateField::Line => self.line.clone().into(),
            StateField::Channel => self.channel.as_ref().map_or(Value::Null, |c| c.name.clone().into()),
            StateField::Cid => Value::Int(self.cids),
            StateField::Status => Value::Int(self.status()),
            StateField::Online => Value::Int(i64::from(self.status() == LOGGED_IN)),
            StateField::MemberCount => Value::Int(
                self.channel
                    .as_ref()
                    .map_or(0, |c| i64::try_from(c.count()).unwrap_or(i64::MAX)),
            ),
        }
    }
}
