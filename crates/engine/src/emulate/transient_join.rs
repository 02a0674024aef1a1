//! Sending to a channel from outside without the RESTful API: the session joins the channel, sends,
//! and leaves after an idle time (decisions H10). Events of such a channel are not sent to the
//! client; its members see the user join and leave.

use std::time::Duration;

use rtm::time::Time;
use rtm::value::Text;
use rtm::{ChannelId, ChannelMessageErr, JoinChannelErr, RtmCall, RtmError, RtmReply};

use crate::api::TimerKey;
use crate::context::Ctx;
use crate::requests::Requests;

/// Idle time after the last message. RTM limits repeated joins of one channel to two in 5 s, which
/// this time respects.
const IDLE: Duration = Duration::from_secs(5);
/// Maximum number of transient joins; RTM permits 20 channels per instance (rtm-api 3.5). The
/// oldest ends for a new one.
const MAX_TRANSIENT_JOINS: usize = 10;

/// Channels that the session has joined without its client's request.
#[derive(Clone, Debug, Default)]
pub struct TransientJoins(Vec<TransientJoin>);

#[derive(Clone, Debug)]
struct TransientJoin {
    name: Text,
    id: ChannelId,
    joined: bool,
    /// Number of pending messages.
    sending: usize,
    until: Time,
}

impl TransientJoins {
    /// Returns true if no channel is joined.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if the channel is joined.
    pub fn has_joined(&self, name: Option<&Text>) -> bool {
        self.0.iter().any(|join| join.joined && Some(&join.name) == name)
    }

    /// Registers the start of a join.
    pub(crate) fn start(&mut self, name: &Text, id: &ChannelId, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        if self.0.len() >= MAX_TRANSIENT_JOINS {
            let first = self.idle().map(|join| join.until).min();
            let over = self.take_over(|join| Some(join.until) == first);
            leave(over, requests, ctx);
        }
        self.0.push(TransientJoin {
            name: name.clone(),
            id: id.clone(),
            joined: false,
            sending: 0,
            until: ctx.now,
        });
    }

    /// Handles the reply to a join; returns false if it was not transient.
    pub(crate) fn join_replied(
        &mut self,
        id: &ChannelId,
        result: &Result<RtmReply, RtmError>,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(join) = self.of(id) else { return false };
        let is_in = match result {
            Ok(_) => true,
            Err(RtmError::JoinChannel(error)) => matches!(
                error,
                JoinChannelErr::AlreadyJoined | JoinChannelErr::AlreadyJoinedChannelOfSameId
            ),
            Err(_) => false,
        };
        if is_in {
            join.joined = true;
            self.extend(id, ctx);
        } else {
            self.forget(id);
        }
        true
    }

    /// Registers a message to a channel, which may be transiently joined.
    pub fn sending(&mut self, id: &ChannelId) {
        if let Some(join) = self.of(id) {
            join.sending += 1;
        }
    }

    /// Handles the reply to such a message.
    pub(crate) fn sent(&mut self, id: &ChannelId, result: &Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        let Some(join) = self.of(id) else { return };
        join.sending = join.sending.saturating_sub(1);
        if *result == Err(ChannelMessageErr::NotInChannel.into()) {
            // RTM has lost the join: the next message joins again.
            self.forget(id);
        } else {
            self.extend(id, ctx);
        }
    }

    /// Handles the idle timer.
    pub(crate) fn timer(&mut self, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        let over = self.take_over(|join| join.until <= now);
        leave(over, requests, ctx);
        self.set_timer(ctx);
    }

    fn extend(&mut self, id: &ChannelId, ctx: &mut Ctx<'_>) {
        let until = ctx.now + IDLE;
        if let Some(join) = self.of(id) {
            join.until = until;
        }
        self.set_timer(ctx);
    }

    fn set_timer(&self, ctx: &mut Ctx<'_>) {
        if let Some(at) = self.idle().map(|join| join.until).min() {
            ctx.set_timer(TimerKey::TransientJoins, at);
        }
    }

    fn idle(&self) -> impl Iterator<Item = &TransientJoin> {
        self.0.iter().filter(|join| join.is_idle())
    }

    fn of(&mut self, id: &ChannelId) -> Option<&mut TransientJoin> {
        self.0.iter_mut().find(|join| join.id == *id)
    }

    /// The client itself joins the channel: the transient join ends without a leave.
    pub fn forget(&mut self, id: &ChannelId) {
        self.0.retain(|join| join.id != *id);
    }

    fn take_over(&mut self, over: impl Fn(&TransientJoin) -> bool) -> Vec<TransientJoin> {
        self.0.extract_if(.., |join| join.is_idle() && over(join)).collect()
    }
}

impl TransientJoin {
    fn is_idle(&self) -> bool {
        self.joined && self.sending == 0
    }
}

fn leave(joins: Vec<TransientJoin>, requests: &mut Requests, ctx: &mut Ctx<'_>) {
    for join in joins {
        requests.send_aside(RtmCall::Leave { channel_id: join.id }, ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Effect;
    use crate::context::tests::{calls, env, run};

    fn id(name: &str) -> ChannelId {
        ChannelId::new(name).unwrap()
    }

    #[test]
    fn an_idle_join_ends_after_its_time() {
        let env = env("alice");
        let (mut joins, mut requests) = (TransientJoins::default(), Requests::default());
        run(&env, 1, |ctx| joins.start(&"room".into(), &id("r"), &mut requests, ctx));
        assert!(!joins.has_joined(Some(&"room".into())), "RTM has not replied");
        joins.sending(&id("r"));
        let (is_transient, effects) = run(&env, 1, |ctx| joins.join_replied(&id("r"), &Ok(RtmReply::Void), ctx));
        assert!(is_transient && effects.is_empty(), "a message is pending");
        let ((), effects) = run(&env, 3, |ctx| joins.sent(&id("r"), &Ok(RtmReply::Void), ctx));
        let timer = Effect::SetTimer {
            key: TimerKey::TransientJoins,
            at: Time::from_millis(8_000),
        };
        assert_eq!(effects, [timer]);
        let ((), effects) = run(&env, 7, |ctx| joins.timer(&mut requests, ctx));
        assert!(calls(&effects).is_empty() && joins.has_joined(Some(&"room".into())));
        let ((), effects) = run(&env, 8, |ctx| joins.timer(&mut requests, ctx));
        assert_eq!(calls(&effects), ["leave"]);
        assert!(!joins.has_joined(Some(&"room".into())));
    }

    #[test]
    fn a_join_that_rtm_has_lost_is_forgotten() {
        let env = env("alice");
        let (mut joins, mut requests) = (TransientJoins::default(), Requests::default());
        run(&env, 1, |ctx| joins.start(&"room".into(), &id("r"), &mut requests, ctx));
        run(&env, 1, |ctx| joins.join_replied(&id("r"), &Ok(RtmReply::Void), ctx));
        let lost = Err(ChannelMessageErr::NotInChannel.into());
        run(&env, 2, |ctx| joins.sent(&id("r"), &lost, ctx));
        assert!(!joins.has_joined(Some(&"room".into())));
        let (is_transient, _) = run(&env, 2, |ctx| joins.join_replied(&id("r"), &lost, ctx));
        assert!(!is_transient);
    }

    #[test]
    fn the_oldest_join_ends_for_a_new_one() {
        let env = env("alice");
        let (mut joins, mut requests) = (TransientJoins::default(), Requests::default());
        for n in 0..MAX_TRANSIENT_JOINS {
            let (name, id) = (Text::from(format!("room{n}")), id(&format!("r{n}")));
            run(&env, n as u64, |ctx| joins.start(&name, &id, &mut requests, ctx));
            run(&env, n as u64, |ctx| joins.join_replied(&id, &Ok(RtmReply::Void), ctx));
        }
        let ((), effects) = run(&env, 99, |ctx| {
            joins.start(&"new".into(), &id("new"), &mut requests, ctx)
        });
        assert_eq!(calls(&effects), ["leave"]);
        assert!(!joins.has_joined(Some(&"room0".into())) && joins.has_joined(Some(&"room1".into())));
    }
}
