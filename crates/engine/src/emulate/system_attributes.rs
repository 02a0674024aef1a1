//! The system attributes of a channel, whose names start with `_` (signaling-api 5.5, decisions
//! H7).
//!
//! They are stored in RTM like others, so every sidecar sees them, and their effects are emulated
//! here. `_userNotification` = 0 suppresses joins and leaves. `_auto_update_num` = n publishes
//! `_member_num` at most every n seconds. `_sendmsg_limit` and `_setattr_limit` limit the rate of
//! this session (`LIMIT-LOCAL`).

use std::time::Duration;

use rtm::ChannelAttribute;
use rtm::rate::TokenBucket;
use rtm::time::Time;
use rtm::value::{Text, Value};
use tables::condition::EmulationOutcome;

use crate::api::TimerKey;
use crate::context::Ctx;

const USER_NOTIFICATION: &str = "_userNotification";
const AUTO_UPDATE_NUM: &str = "_auto_update_num";
const MEMBER_NUM: &str = "_member_num";
const TOTAL_MEMBER_NUM: &str = "_total_member_num";
const CHANNEL_TTL: &str = "_channel_ttl";
const SENDMSG_LIMIT: &str = "_sendmsg_limit";
const SETATTR_LIMIT: &str = "_setattr_limit";
/// The system attributes with numeric values.
pub const SYSTEM_ATTRIBUTES: &[&str] = &[
    USER_NOTIFICATION,
    AUTO_UPDATE_NUM,
    MEMBER_NUM,
    TOTAL_MEMBER_NUM,
    CHANNEL_TTL,
    SENDMSG_LIMIT,
    SETATTR_LIMIT,
];
/// Maximum number of attributes with their own rate counter; others of the channel share the last
/// counter.
const MAX_COUNTED: usize = 32;

/// The effects of a channel's system attributes on this session.
#[derive(Clone, Debug, Default)]
pub struct SystemAttributes {
    values: Vec<(Text, Text)>,
    /// The last published `_member_num`.
    emitted: Option<u64>,
    armed: bool,
    sent: TokenBucket,
    set: Vec<(Text, TokenBucket)>,
}

impl SystemAttributes {
    /// Updates the effects from all attributes of the channel.
    pub fn refresh(&mut self, list: &[(Text, ChannelAttribute)]) {
        let built_in = list.iter().filter(|(name, _)| name.starts_with('_'));
        self.values = built_in
            .map(|(name, attr)| (name.clone(), attr.value.clone()))
            .collect();
    }

    /// Returns true if joins and leaves are reported.
    pub fn reports_members(&self) -> bool {
        self.text(USER_NOTIFICATION) != Some("0")
    }

    /// Sets the timer to publish `_member_num`, if the attributes demand it and the count is new.
    pub(crate) fn publish_later(&mut self, count: u64, ctx: &mut Ctx<'_>) {
        let Some(every) = self.number(AUTO_UPDATE_NUM) else {
            return;
        };
        if !self.armed && self.emitted != Some(count) {
            self.armed = true;
            ctx.set_timer_in(TimerKey::MemberNum, Duration::from_secs(u64::from(every)));
        }
    }

    /// Handles that timer: returns the attribute with its value, if the count is still new.
    pub fn publish(&mut self, count: u64) -> Option<(Text, Value)> {
        self.armed = false;
        self.number(AUTO_UPDATE_NUM)?;
        let is_new = self.emitted.replace(count) != Some(count);
        is_new.then(|| (MEMBER_NUM.into(), Value::text(count.to_string())))
    }

    /// Counts a message to the channel; returns false over `_sendmsg_limit`.
    pub fn admits_message(&mut self, now: Time) -> bool {
        let limit = self.number(SENDMSG_LIMIT).unwrap_or(0);
        self.sent.take(now, limit)
    }

    /// Counts a write of an attribute; returns false over `_setattr_limit`.
    pub fn admits_write(&mut self, name: &Text, now: Time) -> bool {
        let Some(limit) = self.number(SETATTR_LIMIT) else {
            return true;
        };
        let at = self.set.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.set.truncate(MAX_COUNTED);
            self.set.push((name.clone(), TokenBucket::default()));
            self.set.len() - 1
        });
        self.set[at].1.take(now, limit)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(known, _)| &**known == name)
            .map(|(_, value)| &**value)
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.trim().parse().ok().filter(|n| *n > 0)
    }
}

/// Returns true for an attribute that only the system may write.
pub fn is_reserved(name: &str) -> bool {
    [MEMBER_NUM, TOTAL_MEMBER_NUM].contains(&name)
}

/// Returns the outcome for a write of a system attribute whose effect is only partly emulated.
pub fn limitation(name: &str) -> Option<EmulationOutcome> {
    match name {
        CHANNEL_TTL => Some(EmulationOutcome::ChannelTtl),
        SENDMSG_LIMIT | SETATTR_LIMIT => Some(EmulationOutcome::LocalLimit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtm::UserId;

    fn of(entries: &[(&str, &str)]) -> SystemAttributes {
        let entry = |(name, value): &(&str, &str)| {
            let attribute = ChannelAttribute {
                value: (*value).into(),
                last_update_user_id: UserId::new("bob").unwrap(),
                last_update_ts: 1,
            };
            (Text::from(*name), attribute)
        };
        let mut attributes = SystemAttributes::default();
        attributes.refresh(&entries.iter().map(entry).collect::<Vec<_>>());
        attributes
    }

    #[test]
    fn a_count_is_published_once() {
        let mut attributes = of(&[(AUTO_UPDATE_NUM, "5")]);
        assert_eq!(attributes.publish(3), Some((MEMBER_NUM.into(), "3".into())));
        assert_eq!(attributes.publish(3), None);
        assert_eq!(of(&[(AUTO_UPDATE_NUM, "0")]).publish(3), None);
    }

    #[test]
    fn attributes_limit_rates() {
        let now = Time::from_millis(1_000);
        let mut attributes = of(&[(SENDMSG_LIMIT, "1"), (SETATTR_LIMIT, "1"), ("k", "0")]);
        assert!(attributes.admits_message(now) && !attributes.admits_message(now));
        let name = |n: usize| Text::from(n.to_string());
        assert!((0..=MAX_COUNTED).all(|n| attributes.admits_write(&name(n), now)));
        assert!(!attributes.admits_write(&name(0), now), "each has its own rate");
        let mut free = of(&[(USER_NOTIFICATION, "0")]);
        assert!((0..9).all(|_| free.admits_message(now) && free.admits_write(&name(1), now)));
        assert!(!free.reports_members() && attributes.reports_members());
    }
}
