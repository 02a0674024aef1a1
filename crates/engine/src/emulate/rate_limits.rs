//! The rates of one user (signaling-api 5.1), and the calls that exceed the rate of their channel.

use protocol::event::{CallRef, SocketId};
use rtm::rate::TokenBucket;
use rtm::time::Time;
use tables::row::Limit;

use crate::api::SessionLimits;

/// Maximum number of announced calls; the session processes its calls in their order.
const MAX_ANNOUNCED: usize = 200;

/// The rate limits of a session.
#[derive(Clone, Debug, Default)]
pub struct RateLimits {
    messages: TokenBucket,
    invitations: TokenBucket,
    /// Calls that exceed their channel's rate, which is counted outside of the session.
    announced: Vec<(SocketId, i64)>,
}

impl RateLimits {
    /// Registers a call that exceeds its channel's rate.
    pub fn announce(&mut self, socket: SocketId, id: i64) {
        if self.announced.len() < MAX_ANNOUNCED {
            self.announced.push((socket, id));
        }
    }

    /// Removes the announcement of a call; returns true if there was one.
    pub fn take_announced(&mut self, call: CallRef) -> bool {
        let before = self.announced.len();
        self.announced.retain(|other| *other != (call.socket, call.id));
        self.announced.len() < before
    }

    /// Counts a call; returns false if it exceeds a rate.
    pub fn admits(&mut self, limit: Option<Limit>, over_channel_rate: bool, now: Time, limits: &SessionLimits) -> bool {
        match limit {
            None => true,
            Some(Limit::Messages | Limit::ChannelMessages) => {
                !over_channel_rate && self.messages.take(now, limits.messages_per_second)
            }
            Some(Limit::Invitations) => self.invitations.take(now, limits.invitations_per_second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_invitations_have_rates_of_their_own() {
        let limits = SessionLimits {
            messages_per_second: 2,
            invitations_per_second: 1,
            ..SessionLimits::default()
        };
        let mut rates = RateLimits::default();
        let mut admits = |limit, over| rates.admits(limit, over, Time::from_millis(1_000), &limits);
        assert!(!admits(Some(Limit::Messages), true), "over the channel's rate");
        assert!(admits(Some(Limit::Messages), false) && admits(Some(Limit::ChannelMessages), false));
        assert!(!admits(Some(Limit::Messages), false));
        assert!(admits(Some(Limit::Invitations), true) && !admits(Some(Limit::Invitations), false));
        assert!(admits(None, false));
    }

    #[test]
    fn an_announcement_is_of_one_call() {
        let mut rates = RateLimits::default();
        let call = |id| CallRef {
            socket: SocketId(1),
            id,
            function: 0,
        };
        rates.announce(SocketId(1), 3);
        assert!(!rates.take_announced(call(2)));
        assert!(rates.take_announced(call(3)) && !rates.take_announced(call(3)));
        (0..1_000).for_each(|id| rates.announce(SocketId(1), id));
        assert_eq!(rates.announced.len(), MAX_ANNOUNCED);
    }
}
