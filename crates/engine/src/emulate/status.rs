//! The documented state of a session (signaling-api 4.5), from its login and its connection to RTM.

use rtm::{ConnectionReason, ConnectionState, RtmEvent};
use tables::condition::EmulationOutcome;

/// The login, and the connection to RTM.
#[derive(Clone, Debug)]
pub struct Status {
    /// The login has succeeded.
    pub logged_in: bool,
    /// The upstream is connected.
    pub upstream: bool,
    /// The client was notified of the lost connection to RTM.
    reconnecting: bool,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            logged_in: false,
            upstream: true,
            reconnecting: false,
        }
    }
}

/// The documented number of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusNumber {
    /// 0.
    NotLoggedIn,
    /// 1.
    LoggingIn,
    /// 2.
    LoggedIn,
    /// 3.
    Reconnecting,
}

impl StatusNumber {
    /// Returns true for a login with a connection.
    pub fn is_online(self) -> bool {
        self == Self::LoggedIn
    }
}

impl From<StatusNumber> for i64 {
    fn from(number: StatusNumber) -> Self {
        number as Self
    }
}

impl Status {
    /// Returns the documented number of the state.
    pub fn number(&self, has_client: bool) -> StatusNumber {
        match (self.logged_in, self.reconnecting || !self.upstream) {
            (true, true) => StatusNumber::Reconnecting,
            (true, false) => StatusNumber::LoggedIn,
            (false, _) if has_client => StatusNumber::LoggingIn,
            (false, _) => StatusNumber::NotLoggedIn,
        }
    }

    /// Handles a lost or restored connection to the upstream. Returns the outcome for a client that
    /// does not know it.
    pub fn upstream_changed(&mut self, up: bool) -> Option<EmulationOutcome> {
        self.upstream = up;
        if self.logged_in { self.link_changed(!up) } else { None }
    }

    /// Handles RTM's event of a connection state; returns its outcome.
    pub fn rtm_changed(&mut self, event: &RtmEvent) -> Option<EmulationOutcome> {
        let RtmEvent::ConnectionStateChanged { state, reason } = event else {
            return None;
        };
        match (state, reason) {
            (ConnectionState::Aborted, ConnectionReason::RemoteLogin) => Some(EmulationOutcome::Kicked),
            (ConnectionState::Aborted, _) => Some(EmulationOutcome::Banned),
            (ConnectionState::Reconnecting, _) => self.link_changed(true),
            (ConnectionState::Connected, _) => self.link_changed(false),
            _ => None,
        }
    }

    fn link_changed(&mut self, lost: bool) -> Option<EmulationOutcome> {
        let is_new = std::mem::replace(&mut self.reconnecting, lost) != lost;
        let outcome = if lost {
            EmulationOutcome::Reconnecting
        } else {
            EmulationOutcome::Recovered
        };
        is_new.then_some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_reported_once() {
        let mut status = Status::default();
        assert_eq!(status.upstream_changed(false), None, "before the login");
        status.upstream_changed(true);
        assert_eq!(status.number(true), StatusNumber::LoggingIn);
        status.logged_in = true;
        let lost = RtmEvent::ConnectionStateChanged {
            state: ConnectionState::Reconnecting,
            reason: ConnectionReason::Interrupted,
        };
        assert_eq!(status.rtm_changed(&lost), Some(EmulationOutcome::Reconnecting));
        assert_eq!(status.upstream_changed(false), None, "the client was notified before");
        assert_eq!(i64::from(status.number(true)), 3);
        assert_eq!(status.upstream_changed(true), Some(EmulationOutcome::Recovered));
        assert!(status.number(false).is_online());
    }
}
