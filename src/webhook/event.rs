//! Events and their numbers in the envelope. All numbers are in a range that the vendor does not use; none of its
//! notification products covers Signaling or RTM 1.x (upstreams 3.4).

use serde_json::{Map, Value as Json, json};

use identity::Account;
use rtm::AppId;
use rtm::value::Text;

/// Event classes that a receiver can select.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// `"session"`: logins and their ends.
    Session,
    /// `"channel"`: joins and leaves.
    Channel,
    /// `"message"`: undeliverable messages.
    Message,
    /// `"upstream"`: connectivity to RTM.
    Upstream,
}

impl EventClass {
    /// Values of the config key.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("session", Self::Session),
        ("channel", Self::Channel),
        ("message", Self::Message),
        ("upstream", Self::Upstream),
    ];

    pub const ALL: [Self; 4] = [Self::Session, Self::Channel, Self::Message, Self::Upstream];
}

/// Legacy user in one session.
#[derive(Clone, Debug)]
pub struct User {
    pub app: AppId,
    pub account: Account,
    /// Session number, as in logs.
    pub session: u64,
}

/// Event for webhook receivers. It never contains a message, an attribute or a token.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "docs/webhooks.md describes each, and their fields say all there is"
)]
pub enum TraceEvent {
    LoggedIn {
        user: User,
    },
    LoggedOut {
        user: User,
    },
    /// Another login of the account, or RTM, ended the session.
    Kicked {
        user: User,
        banned: bool,
    },
    /// The client, or RTM, did not return in time, or the process stopped.
    Lost {
        user: User,
        reason: &'static str,
    },
    Joined {
        user: User,
        channel: Text,
    },
    Left {
        user: User,
        channel: Text,
    },
    /// `about` is the peer or channel if known; `reason` is a limitation code or the dropped item.
    Undeliverable {
        user: User,
        about: Option<Text>,
        reason: Text,
    },
    UpstreamUp {
        upstream: Text,
    },
    UpstreamDown {
        upstream: Text,
        reason: Text,
    },
    /// Undelivered events of a lost agent: the first lost number and the count of affected sessions.
    UpstreamGap {
        upstream: Text,
        first_missing: u64,
        sessions: u64,
    },
}

impl TraceEvent {
    /// Returns `eventType` of the envelope.
    pub fn number(&self) -> u32 {
        match self {
            Self::LoggedIn { .. } => 9101,
            Self::LoggedOut { .. } => 9102,
            Self::Kicked { .. } => 9103,
            Self::Lost { .. } => 9104,
            Self::Joined { .. } => 9201,
            Self::Left { .. } => 9202,
            Self::Undeliverable { .. } => 9301,
            Self::UpstreamUp { .. } => 9401,
            Self::UpstreamDown { .. } => 9402,
            Self::UpstreamGap { .. } => 9403,
        }
    }

    /// Returns the class.
    pub fn class(&self) -> EventClass {
        match self {
            Self::LoggedIn { .. } | Self::LoggedOut { .. } | Self::Kicked { .. } | Self::Lost { .. } => {
                EventClass::Session
            }
            Self::Joined { .. } | Self::Left { .. } => EventClass::Channel,
            Self::Undeliverable { .. } => EventClass::Message,
            Self::UpstreamUp { .. } | Self::UpstreamDown { .. } | Self::UpstreamGap { .. } => EventClass::Upstream,
        }
    }

    /// Returns `payload` of the envelope.
    pub fn payload(&self) -> Map<String, Json> {
        let (user, more) = match self {
            Self::LoggedIn { user } | Self::LoggedOut { user } => (Some(user), json!({})),
            Self::Kicked { user, banned } => {
                let reason = if *banned { "banned" } else { "remote login" };
                (Some(user), json!({ "reason": reason }))
            }
            Self::Lost { user, reason } => (Some(user), json!({ "reason": reason })),
            Self::Joined { user, channel } | Self::Left { user, channel } => {
                (Some(user), json!({ "channel": **channel }))
            }
            Self::Undeliverable { user, about, reason } => {
                (Some(user), json!({ "about": about.as_deref(), "reason": **reason }))
            }
            Self::UpstreamUp { upstream } => (None, json!({ "upstream": **upstream })),
            Self::UpstreamDown { upstream, reason } => (None, json!({ "upstream": **upstream, "reason": **reason })),
            Self::UpstreamGap {
                upstream,
                first_missing,
                sessions,
            } => (
                None,
                json!({ "upstream": **upstream, "firstMissing": first_missing, "sessions": sessions }),
            ),
        };
        let mut payload = Map::new();
        if let Some(user) = user {
            payload.insert("appId".into(), user.app.as_str().into());
            payload.insert("account".into(), user.account.as_str().into());
            // A string, since JavaScript's numbers have 53 bits.
            payload.insert("session".into(), user.session.to_string().into());
        }
        if let Json::Object(more) = more {
            payload.extend(more);
        }
        payload
    }
}
