//! The system attributes of a channel, whose names start with `_` (signaling-api 5.5, decisions
//! H7).
//!
//! They are stored in RTM like others, so every sidecar sees them, and their effects are emulated
//! here. `_userNotification` = 0 suppresses joins and leaves. `_auto_update_num` = n publishes
//! `_member_num` at most every n seconds. `_sendmsg_limit` and `_setattr_limit` limit the rate of
//! this session (`LIMIT-LOCAL`).

use std::time::Duration;

use rtm::value::{Text, Value};
use rtm::{ChannelAttribute, EventKind};
use tables::row::Limit;

use crate::api::{Effect, TimerKey};
use crate::emulate::token_bucket::Bucket;
use crate::invocation::Run;
use crate::session::{Session, Step};

const USER_NOTIFICATION: &str = "_userNotification";
const AUTO_UPDATE_NUM: &str = "_auto_update_num";
const MEMBER_NUM: &str = "_member_num";
const TOTAL_MEMBER_NUM: &str = "_total_member_num";
const CHANNEL_TTL: &str = "_channel_ttl";
const SENDMSG_LIMIT: &str = "_sendmsg_limit";
const SETATTR_LIMIT: &str = "_setattr_limit";
/// The system attributes with numeric values.
pub const BUILT_IN: &[&str] = &[
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
pub struct BuiltIn {
    values: Vec<(Text, Text)>,
    /// The last published `_member_num`.
    told: Option<u64>,
    armed: bool,
    sent: Bucket,
    set: Vec<(Text, Bucket)>,
}

impl BuiltIn {
    /// Updates the effects from all attributes of the channel.
    pub fn refresh(&mut self, list: &[(Text, ChannelAttribute)]) {
        let built_in = list.iter().filter(|(name, _)| name.starts_with('_'));
        self.values = built_in
            .map(|(name, attr)| (name.clone(), attr.value.clone()))
            .collect();
    }

    /// Returns true if joins and leaves are reported.
    pub fn tells_members(&self) -> bool {
        self.text(USER_NOTIFICATION) != Some("0")
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

impl Session {
    /// Returns true for an attribute that only the system may write.
    pub(crate) fn writes_reserved(&self, run: &Run) -> bool {
        let name = self.named_slot(run, "name").and_then(Value::as_text);
        name.is_some_and(|name| [MEMBER_NUM, TOTAL_MEMBER_NUM].contains(&&**name))
    }

    /// Notes a write of a system attribute whose effect is only partly emulated.
    pub(crate) fn writing_builtin(&mut self, run: &mut Run, step: &mut Step<'_>) {
        let name = self.named_slot(run, "name").and_then(Value::as_text).cloned();
        match name.as_deref() {
            Some(CHANNEL_TTL) => self.fire_named(run, "channel-ttl", step),
            Some(SENDMSG_LIMIT | SETATTR_LIMIT) => self.fire_named(run, "local-limit", step),
            _ => {}
        }
    }

    /// Publishes `_member_num` if it is time; otherwise sets the timer.
    pub(crate) fn publish_count(&mut self, step: &mut Step<'_>) {
        let Some(channel) = self.channel.as_mut().filter(|c| c.joined) else {
            return;
        };
        let Some(every) = channel.builtin.number(AUTO_UPDATE_NUM) else {
            return;
        };
        if !channel.builtin.armed && channel.builtin.told != Some(channel.count()) {
            channel.builtin.armed = true;
            let at = step.now + Duration::from_secs(u64::from(every));
            step.out.push(Effect::SetTimer {
                key: TimerKey::MemberNum,
                at,
            });
        }
    }

    /// Handles the timer for `_member_num`.
    pub(crate) fn member_num_due(&mut self, step: &mut Step<'_>) {
        let Some(channel) = &mut self.channel else { return };
        channel.builtin.armed = false;
        let count = channel.count();
        if channel.builtin.number(AUTO_UPDATE_NUM).is_none() || channel.builtin.told == Some(count) {
            return;
        }
        channel.builtin.told = Some(count);
        let name = channel.name.clone();
        let Some(row) = self.context.tables.row_on(EventKind::AttributesUpdated) else {
            return;
        };
        let mut run = self.new_run(row, Vec::new());
        self.tell_attribute(
            &mut run,
            &name,
            "set",
            MEMBER_NUM.into(),
            Value::text(count.to_string()),
            step,
        );
    }

    /// Returns false if the channel's own limit is exceeded.
    pub(crate) fn within_channel_limits(&mut self, run: &Run, step: &Step<'_>) -> bool {
        let row = &self.context.tables.rows[run.row];
        let is_message = row.limit == Some(Limit::ChannelMessages);
        let (limited, attribute) = (is_message, self.written_attribute(run));
        let name = self.channel_of(run);
        let Some(channel) = self
            .channel
            .as_mut()
            .filter(|c| c.joined && Some(&c.name) == name.as_ref())
        else {
            return true;
        };
        let builtin = &mut channel.builtin;
        if limited {
            let limit = builtin.number(SENDMSG_LIMIT).unwrap_or(0);
            return builtin.sent.take(step.now, limit);
        }
        let Some((limit, attribute)) = builtin.number(SETATTR_LIMIT).zip(attribute) else {
            return true;
        };
        let at = builtin
            .set
            .iter()
            .position(|(known, _)| *known == attribute)
            .unwrap_or_else(|| {
                builtin.set.truncate(MAX_COUNTED);
                builtin.set.push((attribute, Bucket::default()));
                builtin.set.len() - 1
            });
        builtin.set[at].1.take(step.now, limit)
    }

    fn written_attribute(&self, run: &Run) -> Option<Text> {
        use tables::condition::Emulation;
        let emulation = self.context.tables.rows[run.row].emulation;
        let writes = matches!(emulation, Some(Emulation::AttrWrite | Emulation::BuiltinWrite));
        self.named_slot(run, "name").filter(|_| writes)?.as_text().cloned()
    }
}
