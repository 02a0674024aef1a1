//! Calls that are answered before login.

use rtm::time::Time;

use crate::{Effect, Input, Session, SessionContext};

/// The placeholder account before login.
const NO_ACCOUNT: &str = "nobody";

/// Answers a call without a session.
pub fn answer_before_login(context: SessionContext, now: Time, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    Session::new(context, NO_ACCOUNT.into()).step(now, input, &mut effects);
    effects
}
