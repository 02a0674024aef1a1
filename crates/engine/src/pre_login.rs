//! What a session would say that has not begun: some calls are answered before a login.

use crate::{Effect, Input, Session, SessionContext};
use rtm::time::Time;

/// The account of a session that never begins.
const NOBODY: &str = "nobody";

/// What comes of an input that there is no session for.
pub fn answer_before_login(context: SessionContext, now: Time, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    Session::new(context, NOBODY.into()).step(now, input, &mut effects);
    effects
}
