//! The reachable errors with their scripts, and the unreachable ones with the reason.

/// The error, and the steps whose last one returns it. `alice` and `bob` are logged in, alice is in
/// `room`.
pub(super) const REACHABLE: &[(&str, &[&str])] = &[
    ("LOGIN.UNKNOWN", &["new link down", "new login eve", "new logout"]),
    ("LOGIN.INVALID_ARGUMENT", &["new login eve *0"]),
    ("LOGIN.INVALID_TOKEN", &["new login eve expires:x"]),
    ("LOGIN.TOKEN_EXPIRED", &["new login eve expires:1"]),
    ("LOGIN.ALREADY_LOGGED_IN", &["alice login alice"]),
    ("LOGIN.TIMEOUT", &["new link down", "new login eve", "+12s"]),
    ("LOGIN.TOO_OFTEN", &["~ 2x new login eve", "new login eve"]),
    ("LOGOUT.USER_NOT_LOGGED_IN", &["new logout"]),
    ("RENEW_TOKEN.INVALID_ARGUMENT", &["alice renewToken *0"]),
    (
        "RENEW_TOKEN.TOO_OFTEN",
        &["~ 2x alice renewToken t", "alice renewToken t"],
    ),
    ("RENEW_TOKEN.TOKEN_EXPIRED", &["alice renewToken expires:1"]),
    ("RENEW_TOKEN.INVALID_TOKEN", &["alice renewToken expires:"]),
    ("RENEW_TOKEN.USER_NOT_LOGGED_IN", &["new renewToken t"]),
    (
        "PEER_MESSAGE.FAILURE",
        &["alice link down", "alice sendMessageToPeer bob hi", "alice logout"],
    ),
    (
        "PEER_MESSAGE.TIMEOUT",
        &["alice link down", "alice sendMessageToPeer bob hi", "+10s"],
    ),
    (
        "PEER_MESSAGE.TOO_OFTEN",
        &["~ 180x alice sendMessageToPeer x hi", "alice sendMessageToPeer x hi"],
    ),
    ("PEER_MESSAGE.INVALID_MESSAGE", &["alice sendMessageToPeer bob *32769"]),
    ("PEER_MESSAGE.USER_NOT_LOGGED_IN", &["new sendMessageToPeer bob *32769"]),
    (
        "JOIN_CHANNEL.FAILURE",
        &["alice link down", "alice join other", "alice logout"],
    ),
    ("JOIN_CHANNEL.TIMEOUT", &["alice link down", "alice join other", "+5s"]),
    ("JOIN_CHANNEL.USER_NOT_LOGGED_IN", &["new join room"]),
    ("JOIN_CHANNEL.ALREADY_JOINED_CHANNEL_OF_SAME_ID", &["alice join room"]),
    ("LEAVE_CHANNEL.FAILURE", &["alice link down", "alice leave room", "+5s"]),
    ("LEAVE_CHANNEL.NOT_IN_CHANNEL", &["bob leave room"]),
    ("LEAVE_CHANNEL.USER_NOT_LOGGED_IN", &["new leave room"]),
    (
        "CHANNEL_MESSAGE.FAILURE",
        &["alice link down", "alice sendMessage room hi", "alice logout"],
    ),
    (
        "CHANNEL_MESSAGE.TIMEOUT",
        &["alice link down", "alice sendMessage room hi", "+10s"],
    ),
    (
        "CHANNEL_MESSAGE.TOO_OFTEN",
        &["~ 180x alice sendMessage room hi", "alice sendMessage room hi"],
    ),
    ("CHANNEL_MESSAGE.INVALID_MESSAGE", &["alice sendMessage room *32769"]),
    ("CHANNEL_MESSAGE.NOT_IN_CHANNEL", &["bob sendMessage room hi"]),
    ("CHANNEL_MESSAGE.USER_NOT_LOGGED_IN", &["new sendMessage room hi"]),
    (
        "GET_MEMBERS.FAILURE",
        &["alice link down", "alice getMembers room", "alice logout"],
    ),
    (
        "GET_MEMBERS.TIMEOUT",
        &["alice link down", "alice getMembers room", "+5s"],
    ),
    (
        "GET_MEMBERS.TOO_OFTEN",
        &["~ 5x alice getMembers room", "alice getMembers room"],
    ),
    ("GET_MEMBERS.NOT_IN_CHANNEL", &["bob getMembers room"]),
    ("GET_MEMBERS.USER_NOT_LOGGED_IN", &["new getMembers room"]),
    (
        "GET_CHANNEL_MEMBER_COUNT.FAILURE",
        &["alice link down", "alice getChannelMemberCount [\"a\"]", "alice logout"],
    ),
    (
        "GET_CHANNEL_MEMBER_COUNT.INVALID_ARGUMENT",
        &["alice getChannelMemberCount []"],
    ),
    (
        "GET_CHANNEL_MEMBER_COUNT.TOO_OFTEN",
        &[
            "alice getChannelMemberCount [\"a\"]",
            "alice getChannelMemberCount [\"a\"]",
        ],
    ),
    (
        "GET_CHANNEL_MEMBER_COUNT.TIMEOUT",
        &["alice link down", "alice getChannelMemberCount [\"a\"]", "+5s"],
    ),
    (
        "GET_CHANNEL_MEMBER_COUNT.EXCEED_LIMIT",
        &["alice getChannelMemberCount ids*33"],
    ),
    (
        "GET_CHANNEL_MEMBER_COUNT.USER_NOT_LOGGED_IN",
        &["new getChannelMemberCount ids*33"],
    ),
    (
        "QUERY_PEERS_ONLINE_STATUS.FAILURE",
        &[
            "alice link down",
            "alice queryPeersOnlineStatus [\"b\"]",
            "alice logout",
        ],
    ),
    (
        "QUERY_PEERS_ONLINE_STATUS.INVALID_ARGUMENT",
        &["alice queryPeersOnlineStatus ids*257"],
    ),
    (
        "QUERY_PEERS_ONLINE_STATUS.INVALID_ARGUMENT",
        &["alice queryPeersOnlineStatus []"],
    ),
    (
        "QUERY_PEERS_ONLINE_STATUS.TIMEOUT",
        &["alice link down", "alice queryPeersOnlineStatus [\"b\"]", "+10s"],
    ),
    (
        "QUERY_PEERS_ONLINE_STATUS.TOO_OFTEN",
        &[
            "~ 10x alice queryPeersOnlineStatus [\"b\"]",
            "alice queryPeersOnlineStatus [\"b\"]",
        ],
    ),
    (
        "QUERY_PEERS_ONLINE_STATUS.USER_NOT_LOGGED_IN",
        &["new queryPeersOnlineStatus []"],
    ),
    (
        "PEER_SUBSCRIPTION_STATUS.FAILURE",
        &[
            "alice link down",
            "alice subscribePeersOnlineStatus [\"b\"]",
            "alice logout",
        ],
    ),
    (
        "PEER_SUBSCRIPTION_STATUS.INVALID_ARGUMENT",
        &["alice subscribePeersOnlineStatus []"],
    ),
    (
        "PEER_SUBSCRIPTION_STATUS.INVALID_ARGUMENT",
        &["alice unsubscribePeersOnlineStatus []"],
    ),
    (
        "PEER_SUBSCRIPTION_STATUS.TIMEOUT",
        &["alice link down", "alice unsubscribePeersOnlineStatus [\"b\"]", "+10s"],
    ),
    (
        "PEER_SUBSCRIPTION_STATUS.TOO_OFTEN",
        &[
            "~ 10x alice subscribePeersOnlineStatus [\"b\"]",
            "alice subscribePeersOnlineStatus [\"b\"]",
        ],
    ),
    (
        "PEER_SUBSCRIPTION_STATUS.OVERFLOW",
        &["alice subscribePeersOnlineStatus ids*513"],
    ),
    (
        "PEER_SUBSCRIPTION_STATUS.USER_NOT_LOGGED_IN",
        &["new unsubscribePeersOnlineStatus []"],
    ),
    (
        "QUERY_PEERS_BY_SUBSCRIPTION_OPTION.FAILURE",
        &[
            "alice link down",
            "alice queryPeersBySubscriptionOption",
            "alice logout",
        ],
    ),
    (
        "QUERY_PEERS_BY_SUBSCRIPTION_OPTION.TIMEOUT",
        &["alice link down", "alice queryPeersBySubscriptionOption", "+5s"],
    ),
    (
        "QUERY_PEERS_BY_SUBSCRIPTION_OPTION.TOO_OFTEN",
        &[
            "~ 10x alice queryPeersBySubscriptionOption",
            "alice queryPeersBySubscriptionOption",
        ],
    ),
    (
        "QUERY_PEERS_BY_SUBSCRIPTION_OPTION.USER_NOT_LOGGED_IN",
        &["new queryPeersBySubscriptionOption"],
    ),
    (
        "ATTRIBUTE_OPERATION.FAILURE",
        &["alice link down", "alice getUserAttributes bob", "alice logout"],
    ),
    (
        "ATTRIBUTE_OPERATION.INVALID_ARGUMENT",
        &["new setLocalUserAttributes {}"],
    ),
    (
        "ATTRIBUTE_OPERATION.INVALID_ARGUMENT",
        &["new setLocalUserAttributes {\"\":\"v\"}"],
    ),
    (
        "ATTRIBUTE_OPERATION.INVALID_ARGUMENT",
        &["new setLocalUserAttributes {\"*33\":\"v\"}"],
    ),
    (
        "ATTRIBUTE_OPERATION.INVALID_ARGUMENT",
        &["new addOrUpdateChannelAttributes room {\"k\":\"\"} false"],
    ),
    (
        "ATTRIBUTE_OPERATION.INVALID_ARGUMENT",
        &["new deleteLocalUserAttributesByKeys []"],
    ),
    (
        "ATTRIBUTE_OPERATION.SIZE_OVERFLOW",
        &["new setLocalUserAttributes pairs*33"],
    ),
    (
        "ATTRIBUTE_OPERATION.SIZE_OVERFLOW",
        &["new setChannelAttributes room {\"k\":\"*8193\"} false"],
    ),
    (
        "ATTRIBUTE_OPERATION.SIZE_OVERFLOW",
        &["new setLocalUserAttributes {\"a\":\"*8192\",\"b\":\"*8192\"}"],
    ),
    (
        "ATTRIBUTE_OPERATION.TOO_OFTEN",
        &["~ 10x alice clearLocalUserAttributes", "alice clearLocalUserAttributes"],
    ),
    ("ATTRIBUTE_OPERATION.USER_NOT_FOUND", &["alice getUserAttributes eve"]),
    (
        "ATTRIBUTE_OPERATION.TIMEOUT",
        &["alice link down", "alice getChannelAttributes room", "+5s"],
    ),
    (
        "ATTRIBUTE_OPERATION.USER_NOT_LOGGED_IN",
        &["new clearChannelAttributes room false"],
    ),
    (
        "INVITATION_API_CALL.INVALID_ARGUMENT",
        &["alice LocalInvitation.send 1 bob room *8193"],
    ),
    (
        "INVITATION_API_CALL.INVALID_ARGUMENT",
        &["alice LocalInvitation.send 1 bob *65 hi"],
    ),
    (
        "INVITATION_API_CALL.INVALID_ARGUMENT",
        &["bob RemoteInvitation.accept 1 *8193"],
    ),
    ("INVITATION_API_CALL.NOT_STARTED", &["alice LocalInvitation.cancel 1"]),
    ("INVITATION_API_CALL.NOT_STARTED", &["bob RemoteInvitation.refuse 1"]),
    (
        "INVITATION_API_CALL.ALREADY_END",
        &[
            "alice LocalInvitation.send 1 bob room hi",
            "bob RemoteInvitation.refuse 1",
            "bob RemoteInvitation.accept 1",
        ],
    ),
    (
        "INVITATION_API_CALL.ALREADY_END",
        &[
            "alice LocalInvitation.send 1 bob room hi",
            "alice logout",
            "alice LocalInvitation.cancel 1",
        ],
    ),
    (
        "INVITATION_API_CALL.ALREADY_ACCEPT",
        &[
            "alice LocalInvitation.send 1 bob room hi",
            "bob RemoteInvitation.accept 1",
            "bob RemoteInvitation.accept 1",
        ],
    ),
    (
        "INVITATION_API_CALL.ALREADY_SENT",
        &[
            "alice LocalInvitation.send 1 bob room hi",
            "alice LocalInvitation.send 1 bob room hi",
        ],
    ),
];

/// Errors of longer scripts, or in the reason of an event.
pub(super) const TESTED_ELSEWHERE: &[&str] = &[
    "JOIN_CHANNEL.EXCEED_LIMIT",
    "JOIN_CHANNEL.TOO_OFTEN",
    "JOIN_CHANNEL.JOIN_SAME_CHANNEL_TOO_OFTEN",
    "LOCAL_INVITATION_ERR.UNKNOWN",
    "LOCAL_INVITATION_ERR.PEER_OFFLINE",
    "LOCAL_INVITATION_ERR.PEER_NO_RESPONSE",
    "LOCAL_INVITATION_ERR.INVITATION_EXPIRE",
    "LOCAL_INVITATION_ERR.NOT_LOGGEDIN",
    "REMOTE_INVITATION_ERR.PEER_OFFLINE",
    "REMOTE_INVITATION_ERR.ACCEPT_FAILURE",
    "REMOTE_INVITATION_ERR.INVITATION_EXPIRE",
];

/// Errors that this service never returns, with the reason.
pub(super) const UNREACHABLE: &[(&str, &str)] = &[
    ("LOGIN.REJECTED", "this service bans no user"),
    ("LOGIN.INVALID_APP_ID", "a service has one App ID"),
    ("LOGIN.NOT_AUTHORIZED", "this service refuses no user"),
    ("LOGOUT.REJECTED", "reserved"),
    ("RENEW_TOKEN.FAILURE", "it needs no link"),
    ("RENEW_TOKEN.REJECTED", "reserved"),
    (
        "PEER_MESSAGE.PEER_UNREACHABLE",
        "native; the Web's HasPeerReceived(false)",
    ),
    (
        "PEER_MESSAGE.CACHED_BY_SERVER",
        "native; the Web's HasPeerReceived(false)",
    ),
    ("PEER_MESSAGE.INVALID_USERID", "a UserId is valid"),
    (
        "PEER_MESSAGE.INCOMPATIBLE_MESSAGE",
        "every instance reads every message",
    ),
    ("JOIN_CHANNEL.REJECTED", "until 1.0.0"),
    ("JOIN_CHANNEL.INVALID_ARGUMENT", "a ChannelId is valid"),
    (
        "JOIN_CHANNEL.ALREADY_JOINED",
        "native; the Web's ALREADY_JOINED_CHANNEL_OF_SAME_ID",
    ),
    ("LEAVE_CHANNEL.REJECTED", "reserved"),
    ("LEAVE_CHANNEL.KICKED", "this service kicks no user from a channel"),
    ("GET_MEMBERS.REJECTED", "reserved"),
    ("QUERY_PEERS_ONLINE_STATUS.REJECTED", "reserved"),
    ("PEER_SUBSCRIPTION_STATUS.REJECTED", "reserved"),
    ("ATTRIBUTE_OPERATION.NOT_READY", "deprecated"),
    ("REMOTE_INVITATION_ERR.UNKNOWN", "every end has a reason here"),
];
