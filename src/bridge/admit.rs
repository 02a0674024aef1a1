//! What a login means when the account has a session already (decisions H4).

use std::time::Duration;

use crate::time::Time;

/// The session that an account has.
#[derive(Clone, Debug)]
pub struct Existing {
    /// It has a client; else it is in its grace time.
    pub live: bool,
    /// Where its client comes from.
    pub peer: std::net::IpAddr,
    /// When its socket was accepted.
    pub accepted: Time,
    /// Its login used the same token.
    pub same_token: bool,
    /// Its client speaks the wire of the same family.
    pub same_family: bool,
}

/// The login that has come.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Where it comes from.
    pub peer: std::net::IpAddr,
    /// When its socket was accepted.
    pub accepted: Time,
}

/// What a login means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is no session: a new one.
    New,
    /// The client's second racing socket: the same session, written to from now on.
    Twin,
    /// The client is back in its grace time: the same session.
    Resume,
    /// Another client: a second RTM login, after which RTM kicks the first.
    Replace,
}

/// Decides; pure, so that it can be replayed.
pub fn admit(existing: Option<&Existing>, login: &Newcomer, twin_window: Duration) -> Admission {
    let Some(existing) = existing else {
        return Admission::New;
    };
    if !existing.same_family {
        // What the session has told its client has no meaning in another wire: its numbers, its line.
        return Admission::Replace;
    }
    if !existing.live {
        return Admission::Resume;
    }
    let apart = login
        .accepted
        .since(existing.accepted)
        .max(existing.accepted.since(login.accepted));
    if existing.same_token && existing.peer == login.peer && apart < twin_window {
        return Admission::Twin;
    }
    Admission::Replace
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(live: bool, same_token: bool, same_peer: bool, apart_ms: u64, expected: Admission) {
        check_family(true, (live, same_token, same_peer), apart_ms, expected);
    }

    fn check_family(same_family: bool, same: (bool, bool, bool), apart_ms: u64, expected: Admission) {
        let (live, same_token, same_peer) = same;
        let here = std::net::IpAddr::from([127, 0, 0, 1]);
        let there = std::net::IpAddr::from([127, 0, 0, 2]);
        let existing = Existing {
            live,
            peer: here,
            accepted: Time::from_millis(5_000),
            same_token,
            same_family,
        };
        let peer = if same_peer { here } else { there };
        for accepted in [5_000 + apart_ms, 5_000 - apart_ms] {
            let login = Newcomer {
                peer,
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
    fn logins_meet_sessions() {
        let login = Newcomer {
            peer: [127, 0, 0, 1].into(),
            accepted: Time::from_millis(1),
        };
        assert_eq!(admit(None, &login, Duration::from_secs(1)), Admission::New);
        check(true, true, true, 0, Admission::Twin);
        check(true, true, true, 999, Admission::Twin);
        check(true, true, true, 1_000, Admission::Replace);
        check(true, false, true, 5, Admission::Replace);
        check(true, true, false, 5, Admission::Replace);
        check(false, true, true, 5, Admission::Resume);
        check(false, false, false, 5_000, Admission::Resume);
        check_family(false, (false, true, true), 5_000, Admission::Replace);
        check_family(false, (true, true, true), 0, Admission::Replace);
    }
}
