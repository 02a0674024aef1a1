//! RTM's error enums, by name and number (rtm-api 5).

use std::fmt;

macro_rules! error_enums {
    ($( $(#[$doc:meta])* $ty:ident($variant:ident) $enum_name:literal { $( $member:ident = $number:literal $name:literal, )+ } )+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub enum $ty {
                $( #[doc = concat!("`", $name, "`, ", stringify!($number), ".")] $member, )+
            }

            impl $ty {
                /// All members, in the documented order.
                pub const ALL: &[Self] = &[$( Self::$member, )+];

                /// Returns the documented number.
                pub const fn number(self) -> u16 {
                    match self { $( Self::$member => $number, )+ }
                }

                /// Returns the documented name.
                pub const fn name(self) -> &'static str {
                    match self { $( Self::$member => $name, )+ }
                }
            }

            impl From<$ty> for RtmError {
                fn from(error: $ty) -> Self {
                    Self::$variant(error)
                }
            }
        )+

        /// An RTM error enum. Numbers repeat across enums, so a number identifies an error only
        /// together with its enum.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorEnum {
            $( #[doc = concat!("`", $enum_name, "`.")] $variant, )+
        }

        impl ErrorEnum {
            /// All enums.
            pub const ALL: &[Self] = &[$( Self::$variant, )+];

            /// Returns the enum's documented name.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $enum_name, )+ }
            }

            /// Returns all members of the enum.
            pub fn members(self) -> Vec<RtmError> {
                match self { $( Self::$variant => $ty::ALL.iter().map(|&e| RtmError::$variant(e)).collect(), )+ }
            }
        }

        /// An RTM error: one member of one closed enum.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RtmError {
            $( #[doc = concat!("A member of `", $enum_name, "`.")] $variant($ty), )+
        }

        impl RtmError {
            /// Returns the enum of the error.
            pub const fn error_enum(self) -> ErrorEnum {
                match self { $( Self::$variant(_) => ErrorEnum::$variant, )+ }
            }

            /// Returns the documented number.
            pub const fn number(self) -> u16 {
                match self { $( Self::$variant(e) => e.number(), )+ }
            }

            /// Returns the documented name.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant(e) => e.name(), )+ }
            }
        }
    };
}

impl ErrorEnum {
    /// Returns the enum of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|e| e.name() == name)
    }

    /// Returns the member of that name.
    pub fn member(self, name: &str) -> Option<RtmError> {
        self.members().into_iter().find(|e| e.name() == name)
    }
}

impl fmt::Display for RtmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ({})", self.error_enum().name(), self.name(), self.number())
    }
}

impl std::error::Error for RtmError {}

error_enums! {
    /// Creating an RTM instance.
    InitErr(Init) "INIT" {
        Failure = 1 "FAILURE",
        AlreadyInitialized = 2 "ALREADY_INITIALIZED",
        InvalidAppId = 3 "INVALID_APP_ID",
        InvalidArgument = 4 "INVALID_ARGUMENT",
    }
    /// `login`.
    LoginErr(Login) "LOGIN" {
        Unknown = 1 "UNKNOWN",
        Rejected = 2 "REJECTED",
        InvalidArgument = 3 "INVALID_ARGUMENT",
        InvalidAppId = 4 "INVALID_APP_ID",
        InvalidToken = 5 "INVALID_TOKEN",
        TokenExpired = 6 "TOKEN_EXPIRED",
        NotAuthorized = 7 "NOT_AUTHORIZED",
        AlreadyLoggedIn = 8 "ALREADY_LOGGED_IN",
        Timeout = 9 "TIMEOUT",
        TooOften = 10 "TOO_OFTEN",
        NotInitialized = 101 "NOT_INITIALIZED",
    }
    /// `logout`.
    LogoutErr(Logout) "LOGOUT" {
        Rejected = 1 "REJECTED",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `renewToken`.
    RenewTokenErr(RenewToken) "RENEW_TOKEN" {
        Failure = 1 "FAILURE",
        InvalidArgument = 2 "INVALID_ARGUMENT",
        Rejected = 3 "REJECTED",
        TooOften = 4 "TOO_OFTEN",
        TokenExpired = 5 "TOKEN_EXPIRED",
        InvalidToken = 6 "INVALID_TOKEN",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `sendMessageToPeer`.
    PeerMessageErr(PeerMessage) "PEER_MESSAGE" {
        Failure = 1 "FAILURE",
        Timeout = 2 "TIMEOUT",
        PeerUnreachable = 3 "PEER_UNREACHABLE",
        CachedByServer = 4 "CACHED_BY_SERVER",
        TooOften = 5 "TOO_OFTEN",
        InvalidUserId = 6 "INVALID_USERID",
        InvalidMessage = 7 "INVALID_MESSAGE",
        IncompatibleMessage = 8 "INCOMPATIBLE_MESSAGE",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `join`.
    JoinChannelErr(JoinChannel) "JOIN_CHANNEL" {
        Failure = 1 "FAILURE",
        Rejected = 2 "REJECTED",
        InvalidArgument = 3 "INVALID_ARGUMENT",
        Timeout = 4 "TIMEOUT",
        ExceedLimit = 5 "EXCEED_LIMIT",
        AlreadyJoined = 6 "ALREADY_JOINED",
        TooOften = 7 "TOO_OFTEN",
        JoinSameChannelTooOften = 8 "JOIN_SAME_CHANNEL_TOO_OFTEN",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
        AlreadyJoinedChannelOfSameId = 202 "ALREADY_JOINED_CHANNEL_OF_SAME_ID",
    }
    /// `leave`.
    LeaveChannelErr(LeaveChannel) "LEAVE_CHANNEL" {
        Failure = 1 "FAILURE",
        Rejected = 2 "REJECTED",
        NotInChannel = 3 "NOT_IN_CHANNEL",
        Kicked = 4 "KICKED",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// Channel `sendMessage`.
    ChannelMessageErr(ChannelMessage) "CHANNEL_MESSAGE" {
        Failure = 1 "FAILURE",
        Timeout = 2 "TIMEOUT",
        TooOften = 3 "TOO_OFTEN",
        InvalidMessage = 4 "INVALID_MESSAGE",
        NotInChannel = 5 "NOT_IN_CHANNEL",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `getMembers`.
    GetMembersErr(GetMembers) "GET_MEMBERS" {
        Failure = 1 "FAILURE",
        Rejected = 2 "REJECTED",
        Timeout = 3 "TIMEOUT",
        TooOften = 4 "TOO_OFTEN",
        NotInChannel = 5 "NOT_IN_CHANNEL",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `getChannelMemberCount`.
    GetChannelMemberCountErr(GetChannelMemberCount) "GET_CHANNEL_MEMBER_COUNT" {
        Failure = 1 "FAILURE",
        InvalidArgument = 2 "INVALID_ARGUMENT",
        TooOften = 3 "TOO_OFTEN",
        Timeout = 4 "TIMEOUT",
        ExceedLimit = 5 "EXCEED_LIMIT",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `queryPeersOnlineStatus`.
    QueryPeersOnlineStatusErr(QueryPeersOnlineStatus) "QUERY_PEERS_ONLINE_STATUS" {
        Failure = 1 "FAILURE",
        InvalidArgument = 2 "INVALID_ARGUMENT",
        Rejected = 3 "REJECTED",
        Timeout = 4 "TIMEOUT",
        TooOften = 5 "TOO_OFTEN",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `subscribePeersOnlineStatus` and `unsubscribePeersOnlineStatus`.
    PeerSubscriptionStatusErr(PeerSubscriptionStatus) "PEER_SUBSCRIPTION_STATUS" {
        Failure = 1 "FAILURE",
        InvalidArgument = 2 "INVALID_ARGUMENT",
        Rejected = 3 "REJECTED",
        Timeout = 4 "TIMEOUT",
        TooOften = 5 "TOO_OFTEN",
        Overflow = 6 "OVERFLOW",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// `queryPeersBySubscriptionOption`.
    QueryPeersBySubscriptionOptionErr(QueryPeersBySubscriptionOption) "QUERY_PEERS_BY_SUBSCRIPTION_OPTION" {
        Failure = 1 "FAILURE",
        Timeout = 2 "TIMEOUT",
        TooOften = 3 "TOO_OFTEN",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// Every operation on user and channel attributes.
    AttributeOperation(AttributeOperation) "ATTRIBUTE_OPERATION" {
        NotReady = 1 "NOT_READY",
        Failure = 2 "FAILURE",
        InvalidArgument = 3 "INVALID_ARGUMENT",
        SizeOverflow = 4 "SIZE_OVERFLOW",
        TooOften = 5 "TOO_OFTEN",
        UserNotFound = 6 "USER_NOT_FOUND",
        Timeout = 7 "TIMEOUT",
        NotInitialized = 101 "NOT_INITIALIZED",
        UserNotLoggedIn = 102 "USER_NOT_LOGGED_IN",
    }
    /// Creating a channel object or a Web instance.
    CreateErr(Create) "CREATE" {
        InvalidArgument = 1 "INVALID_ARGUMENT",
    }
    /// Misuse of an invitation object: send, cancel, accept, refuse.
    InvitationApiCall(InvitationApiCall) "INVITATION_API_CALL" {
        InvalidArgument = 1 "INVALID_ARGUMENT",
        NotStarted = 2 "NOT_STARTED",
        AlreadyEnd = 3 "ALREADY_END",
        AlreadyAccept = 4 "ALREADY_ACCEPT",
        AlreadySent = 5 "ALREADY_SENT",
    }
    /// Reasons for the failure of an outgoing invitation.
    LocalInvitationErr(LocalInvitation) "LOCAL_INVITATION_ERR" {
        Unknown = 0 "UNKNOWN",
        PeerOffline = 1 "PEER_OFFLINE",
        PeerNoResponse = 2 "PEER_NO_RESPONSE",
        InvitationExpire = 3 "INVITATION_EXPIRE",
        NotLoggedIn = 4 "NOT_LOGGEDIN",
    }
    /// Reasons for the failure of an incoming invitation.
    RemoteInvitationErr(RemoteInvitation) "REMOTE_INVITATION_ERR" {
        Unknown = 0 "UNKNOWN",
        PeerOffline = 1 "PEER_OFFLINE",
        AcceptFailure = 2 "ACCEPT_FAILURE",
        InvitationExpire = 3 "INVITATION_EXPIRE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_in_their_enum() {
        for of in ErrorEnum::ALL {
            let members = of.members();
            for (i, a) in members.iter().enumerate() {
                assert_eq!(of.member(a.name()), Some(*a));
                assert_eq!(a.error_enum(), *of);
                for b in &members[i + 1..] {
                    assert!(a.name() != b.name() && a.number() != b.number(), "{a} and {b}");
                }
            }
        }
    }
}
