//! Conditions of steps and outcomes.

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::value::Value;
use tables::condition::{Cond, Condition, EmulationInput};

use crate::emulate::invitations::Call;
use crate::emulate::system_attributes;
use crate::session::scope::RunScope;

impl RunScope<'_> {
    /// Returns true if all conditions hold for the run.
    pub fn all_hold(&self, conds: &[Cond]) -> bool {
        conds.iter().all(|cond| self.holds(cond.condition) != cond.negated)
    }

    /// Returns true if a condition holds for the run.
    pub fn holds(&self, condition: Condition) -> bool {
        let (session, run, env) = (self.session, self.run, &*self.session.env);
        let call = |is: fn(&Call) -> bool| session.invitations.call_of(run, env, is).is_some();
        match condition {
            Condition::Joined => session.channel.has_joined(run.channel(env)),
            Condition::InOtherChannel => session.channel.is_other(run.channel(env)),
            Condition::OneSelf => run.account(env) == Some(&env.account),
            Condition::Calling => call(Call::is_calling),
            Condition::Ringing => call(Call::is_ringing),
            Condition::Talking => call(Call::is_talking),
            Condition::AnyCall => session.invitations.has_call(run, env),
            Condition::Grace => !session.client.is_connected(),
            Condition::Over512 => session.channel.count() > MEMBERS_CUT_OFF as u64,
            Condition::EmptyAttributes => env.limits.empty_attributes,
            Condition::StrictReinvite => env.limits.strict_reinvite,
            Condition::ForceJoin => env.limits.force_join,
            Condition::TransientlyJoined => session.transient_joins.has_joined(run.channel(env)),
            Condition::ReservedName => {
                let name = run.input(env, EmulationInput::Name).and_then(Value::as_text);
                name.is_some_and(|name| system_attributes::is_reserved(name))
            }
            Condition::OfflineMessages => env.offline_messages,
            Condition::Can(kind) => env.can(kind),
            Condition::Flag(slot) => run.slots.get(slot) == Some(&Value::Bool(true)),
        }
    }
}
