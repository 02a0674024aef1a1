//! Admission of a login whose account already has a session (decisions H4).

use std::time::Duration;

use rtm::time::Time;

/// The account's existing session.
#[derive(Clone, Debug)]
pub struct Existing {
    /// True with a client; false in the grace time.
    pub live: bool,
    /// The client's address.
    pub peer: std::net::IpAddr,
    /// The time at which its socket was accepted.
    pub accepted: Time,
    /// The client is not a racing socket: it has sent `set_flag` or a call other than a poll.
    pub settled: bool,
    /// The client loses its calls at the next login.
    pub loses_calls: bool,
    /// Its login used the same token.
    pub same_token: bool,
    /// Its client uses the wire of the same family.
    pub same_family: bool,
}

/// A new login.
#[derive(Clone, Debug)]
pub struct LoginAttempt {
    /// The client's address.
    pub peer: std::net::IpAddr,
    /// The time at which its socket was accepted.
    pub accepted: Time,
}

/// The result of the admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// No session exists: a new one starts.
    New,
    /// The client's second racing socket: it takes over the same session.
    Twin,
    /// The client reconnects in its grace time to the same session.
    Resume,
    /// The same, but the client has lost its calls.
    Reset,
    /// Another client: a second RTM login, after which RTM kicks the first.
    Replace,
}

/// Decides about a login; pure, so that it can be replayed.
pub fn admit(existing: Option<&Existing>, login: &LoginAttempt, twin_window: Duration) -> Admission {
    let Some(existing) = existing else {
        return Admission::New;
    };
    if !existing.same_family {
        // The session's numbers and line are not valid on another wire.
        return Admission::Replace;
    }
    if !existing.live {
        return if existing.loses_calls {
            Admission::Reset
        } else {
            Admission::Resume
        };
    }
    let apart = login
        .accepted
        .since(existing.accepted)
        .max(existing.accepted.since(login.accepted));
    if existing.same_token && existing.peer == login.peer && !existing.settled && apart < twin_window {
        return Admission::Twin;
    }
    Admission::Replace
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [u8; 4] = [127, 0, 0, 1];
    const ALIVE: Existing = Existing {
        live: true,
        peer: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        accepted: Time::from_millis(5_000),
        settled: false,
        loses_calls: false,
        same_token: true,
        same_family: true,
    };

    fn check(existing: Existing, peer: [u8; 4], apart_ms: u64, expected: Admission) {
        for accepted in [5_000 + apart_ms, 5_000 - apart_ms] {
            let login = LoginAttempt {
                peer: peer.into(),
                accepted: Time::from_millis(accepted),
            };
            assert_eq!(
                admit(Some(&existing), &login, Duration::from_secs(1)),
                expected,
                "{existing:?} {login:?}"
            );
        }
    }

    #[test]
    fn logins_are_admitted_by_the_existing_session() {
        let login = LoginAttempt {
            peer: HERE.into(),
            accepted: Time::from_millis(1),
        };
        assert_eq!(admit(None, &login, Duration::from_secs(1)), Admission::New);
        check(ALIVE, HERE, 0, Admission::Twin);
        check(ALIVE, HERE, 999, Admission::Twin);
        check(ALIVE, HERE, 1_000, Admission::Replace);
        check(ALIVE, [127, 0, 0, 2], 5, Admission::Replace);
        let other_token = Existing {
            same_token: false,
            ..ALIVE
        };
        check(other_token.clone(), HERE, 5, Admission::Replace);
        let settled = Existing { settled: true, ..ALIVE };
        check(settled, HERE, 0, Admission::Replace);
        let away = Existing { live: false, ..ALIVE };
        check(away.clone(), HERE, 5, Admission::Resume);
        let other_token_away = Existing {
            live: false,
            ..other_token
        };
        check(other_token_away, [127, 0, 0, 2], 5_000, Admission::Resume);
        check(
            Existing {
                loses_calls: true,
                ..away.clone()
            },
            HERE,
            5,
            Admission::Reset,
        );
        let of_another_family = |existing| Existing {
            same_family: false,
            ..existing
        };
        check(of_another_family(away), HERE, 5_000, Admission::Replace);
        check(of_another_family(ALIVE), HERE, 0, Admission::Replace);
    }
}
