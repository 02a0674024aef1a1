//! Envelope of the vendor's notification service.

use serde_json::json;

use rtm::time::Time;

use crate::webhook::event::TraceEvent;

/// Notification; every attempt carries the same ID.
#[derive(Clone, Debug)]
pub struct Notice {
    id: String,
    at: Time,
    event: TraceEvent,
}

impl Notice {
    /// Creates a notification of an event at `at`.
    pub fn new(event: TraceEvent, at: Time) -> Self {
        // Without randomness, the time must make it unique: receivers drop a repeated ID.
        let random = (getrandom::u64(), getrandom::u64());
        let (high, low) = (random.0.unwrap_or(at.as_millis()), random.1.unwrap_or_default());
        Self::with_id(event, at, high, low)
    }

    fn with_id(event: TraceEvent, at: Time, high: u64, low: u64) -> Self {
        // The form of the vendor's IDs, and a random UUID's version and variant (RFC 9562).
        let high = high & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let id = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        );
        Self { id, at, event }
    }

    /// Returns the ID, equal for all attempts.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns `eventType` of the envelope.
    pub fn number(&self) -> u32 {
        self.event.number()
    }

    /// Returns the body of an attempt at `now`.
    pub fn body(&self, product_id: u32, now: Time) -> String {
        let mut payload = self.event.payload();
        payload.insert("ms".into(), self.at.as_millis().into());
        let body = json!({
            "noticeId": self.id,
            "productId": product_id,
            "eventType": self.number(),
            "notifyMs": now.as_millis(),
            "payload": payload,
        });
        body.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::User;
    use identity::Account;
    use rtm::AppId;

    fn user() -> User {
        User {
            app: AppId::new("app").unwrap(),
            account: Account::new("alice").unwrap(),
            session: u64::MAX,
        }
    }

    fn check(event: TraceEvent, number: u32, payload: &str) {
        let shown = format!("{event:?}");
        let notice = Notice::with_id(event, Time::from_millis(5), 0x0123_4567_89ab_cdef, u64::MAX);
        assert_eq!(
            notice.body(9001, Time::from_millis(7)),
            format!(
                r#"{{"eventType":{number},"noticeId":"01234567-89ab-4def-bfff-ffffffffffff","notifyMs":7,"payload":{payload},"productId":9001}}"#
            ),
            "{shown}"
        );
    }

    #[test]
    fn bodies_are_the_vendors_envelope() {
        check(
            TraceEvent::LoggedIn { user: user() },
            9101,
            r#"{"account":"alice","appId":"app","ms":5,"session":"18446744073709551615"}"#,
        );
        check(
            TraceEvent::LoggedOut { user: user() },
            9102,
            r#"{"account":"alice","appId":"app","ms":5,"session":"18446744073709551615"}"#,
        );
        for (banned, reason) in [(false, "remote login"), (true, "banned")] {
            check(
                TraceEvent::Kicked { user: user(), banned },
                9103,
                &format!(
                    r#"{{"account":"alice","appId":"app","ms":5,"reason":"{reason}","session":"18446744073709551615"}}"#
                ),
            );
        }
        check(
            TraceEvent::Lost {
                user: user(),
                reason: "away",
            },
            9104,
            r#"{"account":"alice","appId":"app","ms":5,"reason":"away","session":"18446744073709551615"}"#,
        );
        let joined = r#"{"account":"alice","appId":"app","channel":"room","ms":5,"session":"18446744073709551615"}"#;
        let channel = || "room".into();
        check(
            TraceEvent::Joined {
                user: user(),
                channel: channel(),
            },
            9201,
            joined,
        );
        check(
            TraceEvent::Left {
                user: user(),
                channel: channel(),
            },
            9202,
            joined,
        );
        check(
            TraceEvent::Undeliverable {
                user: user(),
                about: Some("bob".into()),
                reason: "PEER-OFFLINE".into(),
            },
            9301,
            r#"{"about":"bob","account":"alice","appId":"app","ms":5,"reason":"PEER-OFFLINE","session":"18446744073709551615"}"#,
        );
        let upstream = || "agent".into();
        check(
            TraceEvent::UpstreamUp { upstream: upstream() },
            9401,
            r#"{"ms":5,"upstream":"agent"}"#,
        );
        check(
            TraceEvent::UpstreamDown {
                upstream: upstream(),
                reason: "link lost".into(),
            },
            9402,
            r#"{"ms":5,"reason":"link lost","upstream":"agent"}"#,
        );
        check(
            TraceEvent::UpstreamGap {
                upstream: upstream(),
                first_missing: 12,
                sessions: 3,
            },
            9403,
            r#"{"firstMissing":12,"ms":5,"sessions":3,"upstream":"agent"}"#,
        );
    }

    #[test]
    fn ids_differ() {
        let id = || {
            Notice::new(TraceEvent::LoggedIn { user: user() }, Time::default())
                .id()
                .to_owned()
        };
        assert_ne!(id(), id());
    }
}
