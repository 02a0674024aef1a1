//! The context of an input: time, environment, effects.

use std::sync::Arc;
use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{CallKind, UserId};
use tables::Tables;
use tables::errors::EngineCode;
use tables::row::{Row, RowId};
use tables::wire::Wire;

use crate::api::{DropReason, Effect, SessionContext, SessionLimits, TimerKey};
use crate::names::Names;

/// Immutable environment of a session.
#[derive(Clone)]
pub(crate) struct Env {
    pub tables: Arc<Tables>,
    pub wire: Arc<Wire>,
    pub names: Arc<dyn Names>,
    pub limits: SessionLimits,
    /// The session's account.
    pub account: Text,
    /// RTM itself stores messages for offline users.
    pub offline_messages: bool,
    /// The session is stored.
    pub durable: bool,
    can: Arc<dyn Fn(CallKind) -> bool + Send + Sync>,
}

impl Env {
    pub fn new(context: SessionContext, account: Text) -> Self {
        Self {
            tables: context.tables,
            wire: context.wire,
            names: context.names,
            limits: context.limits,
            account,
            offline_messages: context.offline_messages,
            durable: context.durable,
            can: context.can,
        }
    }

    /// Sets the calls that the upstream does not support.
    pub fn set_unsupported(&mut self, lacks: Arc<[CallKind]>) {
        self.can = Arc::new(move |kind| !lacks.contains(&kind));
    }

    /// Returns true if the upstream supports a call.
    pub fn can(&self, kind: CallKind) -> bool {
        (self.can)(kind)
    }

    pub fn row(&self, row: RowId) -> &Row {
        &self.tables.rows[row]
    }

    /// Returns the RTM user id of the session's account.
    pub fn own_user(&self) -> Option<UserId> {
        UserId::new(self.names.user_id(&self.account)).ok()
    }
}

/// The context of an input. The state machines of a session append their effects to it.
pub(crate) struct Ctx<'c> {
    pub now: Time,
    pub env: &'c Env,
    out: &'c mut Vec<Effect>,
}

impl<'c> Ctx<'c> {
    pub fn new(now: Time, env: &'c Env, out: &'c mut Vec<Effect>) -> Self {
        Self { now, env, out }
    }

    pub fn push(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    /// Sets a timer; replaces one with the same key.
    pub fn set_timer(&mut self, key: TimerKey, at: Time) {
        self.push(Effect::SetTimer { key, at });
    }

    pub fn set_timer_in(&mut self, key: TimerKey, after: Duration) {
        self.set_timer(key, self.now + after);
    }

    /// Counts data that was dropped because a bound was reached.
    pub fn dropped(&mut self, reason: DropReason) {
        self.push(Effect::Dropped(reason));
    }

    /// Notes a code of the engine's own for a row.
    pub fn note(&mut self, code: EngineCode, row: RowId, about: Option<Text>) {
        if let Some(code) = self.env.tables.engine_code(code) {
            self.push(Effect::Note { row, code, about });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Names with one number for all accounts.
    pub(crate) struct OneNumber;

    impl Names for OneNumber {
        fn uid(&self, _: &Text) -> i64 {
            7
        }
    }

    /// Returns the environment of an account, with the built-in tables.
    pub(crate) fn env(account: &str) -> Env {
        let tables = Arc::new(Tables::built_in().expect("the built-in tables compile"));
        let context = SessionContext {
            wire: tables.documented(),
            tables,
            names: Arc::new(OneNumber),
            offline_messages: false,
            durable: false,
            can: Arc::new(|_| true),
            limits: SessionLimits::default(),
        };
        Env::new(context, account.into())
    }

    /// Runs `act` at a time; returns its result and its effects.
    pub(crate) fn run<T>(env: &Env, secs: u64, act: impl FnOnce(&mut Ctx<'_>) -> T) -> (T, Vec<Effect>) {
        let mut out = Vec::new();
        let result = act(&mut Ctx::new(Time::from_millis(secs * 1_000), env, &mut out));
        (result, out)
    }

    /// Returns the names of the RTM calls among effects.
    pub(crate) fn calls(effects: &[Effect]) -> Vec<&'static str> {
        let call = |effect: &Effect| match effect {
            Effect::Rtm { call, .. } | Effect::RtmVia { call, .. } => Some(call.kind().name()),
            _ => None,
        };
        effects.iter().filter_map(call).collect()
    }
}
