//! The system attributes of a channel, whose names start with `_` (signaling-api 5.5, decisions
//! H7).
//!
//! They are stored in RTM like others, so every sidecar sees them, and their effects are emulated
//! here. `_userNotification` = 0 suppresses joins and leaves. `_auto_update_num` = n publishes
//! `_member_num` at most every n seconds. `_sendmsg_limit` and `_setattr_limit` limit the rate of
//! this session (`LIMIT-LOCAL`).

use std::time::Duration;
use tables::condition::{EmulationInput, EmulationOutcome};

use rtm::rate::TokenBucket;
use rtm::value::{Text, Value};
use rtm::{ChannelAttribute, EventKind};
use tables::row::Limit;

use crate::api::{Effect, TimerKey};
use crate::invocation::Run;
use crate::session::{Ctx, Session};

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
    told: Option<u64>,
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
        let name = self.input(run, EmulationInput::Name).and_then(Value::as_text);
        name.is_some_and(|name| [MEMBER_NUM, TOTAL_MEMBER_NUM].contains(&&**name))
    }

    /// Notes a write of a system attribute whose effect is only partly emulated.
    pub(crate) fn writing_system_attribute(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        let name = self.input(run, EmulationInput::Name).and_then(Value::as_text).cloned();
        match name.as_deref() {
            Some(CHANNEL_TTL) => self.fire_named(run, EmulationOutcome::ChannelTtl, ctx),
            Some(SENDMSG_LIMIT | SETATTR_LIMIT) => self.fire_named(run, EmulationOutcome::LocalLimit, ctx),
            _ => {}
        }
    }

    /// Publishes `_member_num` if it is time; otherwise sets the timer.
    pub(crate) fn publish_count(&mut self, ctx: &mut Ctx<'_>) {
        let Some(channel) = self.channel.as_mut().filter(|c| c.joined) else {
            return;
        };
        let Some(every) = channel.system_attributes.number(AUTO_UPDATE_NUM) else {
            return;
        };
        if !channel.system_attributes.armed && channel.system_attributes.told != Some(channel.count()) {
            channel.system_attributes.armed = true;
            let at = ctx.now + Duration::from_secs(u64::from(every));
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::MemberNum,
                at,
            });
        }
    }

    /// Handles the timer for `_member_num`.
    pub(crate) fn member_num_timer(&mut self, ctx: &mut Ctx<'_>) {
        let Some(channel) = &mut self.channel else { return };
        channel.system_attributes.armed = false;
        let count = channel.count();
        if channel.system_attributes.number(AUTO_UPDATE_NUM).is_none() || channel.system_attributes.told == Some(count)
        {
            return;
        }
        channel.system_attributes.told = Some(count);
        let name = channel.name.clone();
        let Some(row) = self.context.tables.row_on(EventKind::AttributesUpdated) else {
            return;
        };
        let mut run = self.new_run(row, Vec::new());
        self.report_attribute(
            &mut run,
            &name,
            EmulationOutcome::Set,
            MEMBER_NUM.into(),
            Value::text(count.to_string()),
            ctx,
        );
    }

    /// Returns false if the channel's own limit is exceeded.
    pub(crate) fn within_channel_limits(&mut self, run: &Run, ctx: &Ctx<'_>) -> bool {
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
        let system_attributes = &mut channel.system_attributes;
        if limited {
            let limit = system_attributes.number(SENDMSG_LIMIT).unwrap_or(0);
            return system_attributes.sent.take(ctx.now, limit);
        }
        let Some((limit, attribute)) = system_attributes.number(SETATTR_LIMIT).zip(attribute) else {
            return true;
        };
        let at = system_attributes
            .set
            .iter()
            .position(|(known, _)| *known == attribute)
            .unwrap_or_else(|| {
                system_attributes.set.truncate(MAX_COUNTED);
                system_attributes.set.push((attribute, TokenBucket::default()));
                system_attributes.set.len() - 1
            });
        system_attributes.set[at].1.take(ctx.now, limit)
    }

    fn written_attribute(&self, run: &Run) -> Option<Text> {
        use tables::condition::Emulation;
        let emulation = self.context.tables.rows[run.row].emulation;
        let writes = matches!(emulation, Some(Emulation::AttrWrite | Emulation::SystemAttributeWrite));
        self.input(run, EmulationInput::Name)
            .filter(|_| writes)?
            .as_text()
            .cloned()
    }
}
