//! Limits of the embedded service that are not RTM's shared limits: timeouts, and bounds of its
//! memory.

use std::time::Duration;

use rtm::{CallKind, limits};

/// Timeout of a login (rtm-api 9, as measured with 1.5.1).
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(12);
/// Duration of an outage before the instance is RECONNECTING (rtm-api 4).
pub const INTERRUPTED_AFTER: Duration = Duration::from_secs(4);
/// Duration of an outage before subscribers see UNREACHABLE (rtm-api 3.3).
pub const UNREACHABLE_AFTER: Duration = Duration::from_secs(6);
/// Duration of an outage before the service logs the user out (rtm-api 4).
pub const OFFLINE_AFTER: Duration = Duration::from_secs(30);
/// Timeout of peer messages and presence calls (rtm-api 9).
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of the other calls over the link (rtm-api 9, the native numbers).
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of the caller's acknowledgement of an accept; the documents only say "a set time".
pub const ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time of the warning before a token's expiry (rtm-api 4).
pub const TOKEN_WARNING: Duration = Duration::from_secs(30);
/// Maximum age of a channel message that is sent again after an outage (rtm-api 4).
pub const MISSED_AGE: Duration = Duration::from_secs(30);
/// Maximum number of channel messages sent again after an outage, per channel (rtm-api 4).
pub const MISSED_MESSAGES: usize = 32;
/// Maximum number of offline messages per receiver; the oldest is dropped for a new one (rtm-api
/// 3.2).
pub const OFFLINE_MESSAGES: usize = 200;
/// Lifetime of an offline message (rtm-api 3.2).
pub const OFFLINE_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Maximum number of receivers in the offline store. Not RTM's: a bound on memory.
pub const OFFLINE_RECEIVERS: usize = 10_000;
/// Maximum number of peer messages and invitation signals held for a lost link. Not RTM's: a bound
/// on memory.
pub const HELD: usize = 1_000;
/// Maximum number of calls that wait for a lost link. Not RTM's: a bound on memory.
pub const WAITING: usize = 1_000;
/// Maximum number of pending outgoing invitations of an instance. Not RTM's: a bound on memory.
pub const PENDING_INVITATIONS: usize = 256;
/// Maximum number of remembered ended invitations of an instance. Not RTM's: a bound on memory.
pub const ENDED_INVITATIONS: usize = 256;

/// Returns the time that a call waits for a lost link before it fails.
pub const fn timeout(kind: CallKind) -> Duration {
    match kind {
        CallKind::Login => LOGIN_TIMEOUT,
        CallKind::SendMessageToPeer
        | CallKind::SendMessage
        | CallKind::QueryPeersOnlineStatus
        | CallKind::SubscribePeersOnlineStatus
        | CallKind::UnsubscribePeersOnlineStatus => MESSAGE_TIMEOUT,
        // These calls have no timeout of their own; by then the invitation has ended.
        CallKind::LocalInvitationCancel | CallKind::RemoteInvitationAccept | CallKind::RemoteInvitationRefuse => {
            limits::INVITATION_EXPIRE
        }
        _ => CALL_TIMEOUT,
    }
}
