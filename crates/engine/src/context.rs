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

/// What a session reads and does not change.
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
