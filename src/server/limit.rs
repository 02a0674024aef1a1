//! Names of the limits.

/// Limit of this sidecar that a client has reached. A closed list, for the counter and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Sockets,
    AddressConnections,
    AddressLogins,
    AccountLogins,
    AppLogins,
    TotalLogins,
    AppSessions,
    AppChannels,
    ChannelMessages,
    AppMessages,
    TotalMessages,
    OutboundBytes,
}

impl Limit {
    pub const ALL: &[Limit] = &[
        Self::Sockets,
        Self::AddressConnections,
        Self::AddressLogins,
        Self::AccountLogins,
        Self::AppLogins,
        Self::TotalLogins,
        Self::AppSessions,
        Self::AppChannels,
        Self::ChannelMessages,
        Self::AppMessages,
        Self::TotalMessages,
        Self::OutboundBytes,
    ];

    /// Returns the key in `[limits]`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::AddressConnections => "address_connections",
            Self::AddressLogins => "address_logins_per_second",
            Self::AccountLogins => "account_logins_per_second",
            Self::AppLogins => "app_logins_per_second",
            Self::TotalLogins => "total_logins_per_second",
            Self::AppSessions => "app_sessions",
            Self::AppChannels => "app_channels",
            Self::ChannelMessages => "channel_messages_per_second",
            Self::AppMessages => "app_messages_per_second",
            Self::TotalMessages => "total_messages_per_second",
            Self::OutboundBytes => "outbound_bytes",
        }
    }
}
