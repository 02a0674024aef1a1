//! Numbers of the embedded service that are not RTM's shared limits: timeouts, and bounds on what it keeps.

use std::time::Duration;

use rtm::{CallKind, limits};

/// A login that gets no answer (rtm-api 9, as measured with 1.5.1).
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(12);
/// A lost link is an interruption after this time (rtm-api 4).
pub const INTERRUPTED_AFTER: Duration = Duration::from_secs(4);
/// A silent user is unreachable to followers after this time (rtm-api 3.3).
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(6);
/// The service gives a silent user up after this time (rtm-api 4).
pub const OFFLINE_AFTER: Duration = Duration::from_secs(30);
/// Peer messages and presence calls (rtm-api 9).
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// The other calls over the link (rtm-api 9, the native numbers).
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an accept waits for the caller's acknowledgement; the documents only say "a set time".
pub const ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The warning before a token's expiry (rtm-api 4).
pub const TOKEN_WARNING: Duration = Duration::from_secs(30);
/// How old a channel message may be to be sent again after an outage (rtm-api 4).
pub const MISSED_AGE: Duration = Duration::from_secs(30);
/// Channel messages sent again after an outage, per channel (rtm-api 4).
pub const MISSED_MESSAGES: usize = 32;
/// Offline messages kept per receiver; the newest pushes the oldest out (rtm-api 3.2).
pub const OFFLINE_MESSAGES: usize = 200;
/// How long an offline message is kept (rtm-api 3.2).
pub const OFFLINE_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Receivers in the offline store. Not RTM's: a bound on memory.
pub const OFFLINE_RECEIVERS: usize = 10_000;
/// Peer messages and invitation signals held for a lost link. Not RTM's: a bound on memory.
pub const HELD: usize = 1_000;
/// Calls that wait for a lost link. Not RTM's: a bound on memory.
pub const WAITING: usize = 1_000;
/// Open outgoing invitations of an instance. Not RTM's: a bound on memory.
pub const OPEN_INVITATIONS: usize = 256;
/// Ended invitations that an instance still knows by number. Not RTM's: a bound on memory.
pub const ENDED_INVITATIONS: usize = 256;

/// How long a call waits for a lost link before it fails.
pub const fn timeout(kind: CallKind) -> Duration {
    match kind {
        CallKind::Login => LOGIN_TIMEOUT,
        CallKind::SendMessageToPeer
        | CallKind::SendMessage
        | CallKind::QueryPeersOnlineStatus
        | CallKind::SubscribePeersOnlineStatus
        | CallKind::UnsubscribePeersOnlineStatus => MESSAGE_TIMEOUT,
        // They have no timeout of their own; by then the invitation is over.
        CallKind::LocalInvitationCancel | CallKind::RemoteInvitationAccept | CallKind::RemoteInvitationRefuse => {
            limits::INVITATION_EXPIRE
        }
        _ => CALL_TIMEOUT,
    }
}
