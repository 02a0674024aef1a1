//! Common refusal reasons and their members in the error enums of different calls (rtm-api 5).

use crate::{
    AttributeOperation, CallKind, ChannelMessageErr, CreateErr, ErrorEnum, GetChannelMemberCountErr, GetMembersErr,
    InitErr, InvitationApiCall, JoinChannelErr, LeaveChannelErr, LocalInvitationErr, LoginErr, LogoutErr,
    PeerMessageErr, PeerSubscriptionStatusErr, QueryPeersBySubscriptionOptionErr, QueryPeersOnlineStatusErr,
    RemoteInvitationErr, RenewTokenErr, RtmError,
};

/// The reason for refusing a call before it is processed.
#[derive(Clone, Copy)]
pub enum Refusal {
    /// The instance is not logged in.
    NotLoggedIn,
    /// The call exceeds its rate.
    TooOften,
    /// The link was not restored in time.
    TimedOut,
    /// The instance logged out, or was kicked, while the call was pending.
    Abandoned,
}

/// Returns the member of the call's enum for that reason, or the nearest one if the enum has no
/// such member.
pub fn refusal(kind: CallKind, why: Refusal) -> RtmError {
    // The first enum of every call is the one of its refusals.
    let of = kind.errors().first().copied().unwrap_or(ErrorEnum::Init);
    members(of)[why as usize]
}

/// Returns the members in the order of [`Refusal`].
fn members(of: ErrorEnum) -> [RtmError; 4] {
    macro_rules! row {
        ($ty:ident: $not_logged_in:ident, $too_often:ident, $timed_out:ident, $abandoned:ident) => {
            [
                $ty::$not_logged_in.into(),
                $ty::$too_often.into(),
                $ty::$timed_out.into(),
                $ty::$abandoned.into(),
            ]
        };
    }
    match of {
        ErrorEnum::Init => row!(InitErr: Failure, Failure, Failure, Failure),
        ErrorEnum::Login => row!(LoginErr: Unknown, TooOften, Timeout, Unknown),
        ErrorEnum::Logout => row!(LogoutErr: UserNotLoggedIn, Rejected, Rejected, Rejected),
        ErrorEnum::RenewToken => row!(RenewTokenErr: UserNotLoggedIn, TooOften, Failure, Failure),
        ErrorEnum::PeerMessage => row!(PeerMessageErr: UserNotLoggedIn, TooOften, Timeout, Failure),
        ErrorEnum::JoinChannel => row!(JoinChannelErr: UserNotLoggedIn, TooOften, Timeout, Failure),
        ErrorEnum::LeaveChannel => row!(LeaveChannelErr: UserNotLoggedIn, Failure, Failure, Failure),
        ErrorEnum::ChannelMessage => row!(ChannelMessageErr: UserNotLoggedIn, TooOften, Timeout, Failure),
        ErrorEnum::GetMembers => row!(GetMembersErr: UserNotLoggedIn, TooOften, Timeout, Failure),
        ErrorEnum::GetChannelMemberCount => {
            row!(GetChannelMemberCountErr: UserNotLoggedIn, TooOften, Timeout, Failure)
        }
        ErrorEnum::QueryPeersOnlineStatus => {
            row!(QueryPeersOnlineStatusErr: UserNotLoggedIn, TooOften, Timeout, Failure)
        }
        ErrorEnum::PeerSubscriptionStatus => {
            row!(PeerSubscriptionStatusErr: UserNotLoggedIn, TooOften, Timeout, Failure)
        }
        ErrorEnum::QueryPeersBySubscriptionOption => {
            row!(QueryPeersBySubscriptionOptionErr: UserNotLoggedIn, TooOften, Timeout, Failure)
        }
        ErrorEnum::AttributeOperation => row!(AttributeOperation: UserNotLoggedIn, TooOften, Timeout, Failure),
        ErrorEnum::Create => row!(CreateErr: InvalidArgument, InvalidArgument, InvalidArgument, InvalidArgument),
        // Invitations end with the login, so they have ended for an instance without login and
        // after the timeout.
        ErrorEnum::InvitationApiCall => row!(InvitationApiCall: AlreadyEnd, AlreadyEnd, AlreadyEnd, AlreadyEnd),
        ErrorEnum::LocalInvitation => row!(LocalInvitationErr: NotLoggedIn, Unknown, Unknown, Unknown),
        ErrorEnum::RemoteInvitation => row!(RemoteInvitationErr: Unknown, Unknown, Unknown, Unknown),
    }
}
