//! Messages, invitations and states in calls and events.

use bytes::Bytes;

use crate::ids::UserId;
use crate::value::Text;

macro_rules! named_enum {
    ($(#[$doc:meta])* $ty:ident { $( $(#[$member_doc:meta])* $member:ident = $number:literal $name:literal, )+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $ty {
            $( $(#[$member_doc])* $member, )+
        }

        impl $ty {
            /// All members.
            pub const ALL: &[Self] = &[$( Self::$member, )+];

            /// Returns the number in the native SDKs.
            pub const fn number(self) -> u16 {
                match self { $( Self::$member => $number, )+ }
            }

            /// Returns the name in the Web SDK.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$member => $name, )+ }
            }
        }
    };
}

named_enum! {
    /// Connection states (rtm-api 4).
    ConnectionState {
        /// Initial, after a failed login or a logout.
        Disconnected = 1 "DISCONNECTED",
        /// `login` was called.
        Connecting = 2 "CONNECTING",
        /// Logged in, or recovered.
        Connected = 3 "CONNECTED",
        /// The link is lost and was not restored within 4 s.
        Reconnecting = 4 "RECONNECTING",
        /// Kicked; only `logout` leaves this state.
        Aborted = 5 "ABORTED",
    }
}

named_enum! {
    /// Reasons for a change of the connection state (rtm-api 4).
    ConnectionReason {
        /// `login` was called.
        Login = 1 "LOGIN",
        /// The login succeeded.
        LoginSuccess = 2 "LOGIN_SUCCESS",
        /// The login was refused.
        LoginFailure = 3 "LOGIN_FAILURE",
        /// The login timed out.
        LoginTimeout = 4 "LOGIN_TIMEOUT",
        /// The link was interrupted.
        Interrupted = 5 "INTERRUPTED",
        /// `logout` was called.
        Logout = 6 "LOGOUT",
        /// The server banned the user.
        BannedByServer = 7 "BANNED_BY_SERVER",
        /// The same user id logged in elsewhere.
        RemoteLogin = 8 "REMOTE_LOGIN",
        /// The token expired (AccessToken2, SDK 1.5.0 and later).
        TokenExpired = 9 "TOKEN_EXPIRED",
    }
}

named_enum! {
    /// Presence of a subscribed user (rtm-api 3.3).
    OnlineState {
        /// Logged in.
        Online = 0 "ONLINE",
        /// No packet for more than 6 s.
        Unreachable = 1 "UNREACHABLE",
        /// Logged out, never logged in, or no packet for more than 30 s.
        Offline = 2 "OFFLINE",
    }
}

/// A peer or channel message (rtm-api 3.2): text up to 32 KB, or bytes with a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `messageType` TEXT.
    Text(Text),
    /// `messageType` RAW.
    Raw {
        /// The bytes.
        bytes: Bytes,
        /// The sender's description of the bytes.
        description: Text,
    },
}

impl Message {
    /// Returns the size that the limit applies to: text, or bytes and description together (rtm-api
    /// 2).
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Raw { bytes, description } => bytes.len() + description.len(),
        }
    }
}

/// The number of an invitation object, unique within one RTM client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvitationId(pub u64);

/// An outgoing invitation as its events carry it (rtm-api 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalInvitation {
    /// The object's number.
    pub invitation: InvitationId,
    /// The callee.
    pub callee_id: UserId,
    /// The channel of the call; legacy clients need it, RTM does not.
    pub channel_id: Option<Text>,
    /// The caller's content, up to 8 KB.
    pub content: Text,
    /// The callee's response, up to 8 KB; empty before.
    pub response: Text,
}

/// An incoming invitation as its events carry it (rtm-api 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteInvitation {
    /// The object's number.
    pub invitation: InvitationId,
    /// The caller.
    pub caller_id: UserId,
    /// The channel of the call; may be absent if the caller is RTM-native.
    pub channel_id: Option<Text>,
    /// The caller's content, up to 8 KB.
    pub content: Text,
    /// The callee's response, up to 8 KB; empty before.
    pub response: Text,
}

/// A channel attribute in RTM (rtm-api 3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAttribute {
    /// The value: never empty, at most 8 KB.
    pub value: Text,
    /// The user who last changed it.
    pub last_update_user_id: UserId,
    /// The time of the last change, in milliseconds since the UNIX epoch.
    pub last_update_ts: u64,
}
