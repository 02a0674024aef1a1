//! Channel attributes (rtm-api 3.6): any user may write them; members are notified if the writer
//! requests it. They are deleted some minutes after the last member has left, or after the last
//! write to an empty channel.
//!
//! Decided here: a writer that is a member is notified too, after its reply.

use std::sync::Arc;

use rtm::limits::{CHANNEL_ATTRIBUTES_LINGER, MAX_CHANNEL_ATTRIBUTES_BYTES};
use rtm::value::Text;
use rtm::{ChannelAttribute, ChannelId, RtmError, RtmEvent, RtmReply};

use crate::attributes::{check_total, select, upsert};
use crate::context::{Ctx, ReplyTo};
use crate::service::RtmService;
use crate::timers::Timer;

/// A channel's attributes; shared, because all members receive the same snapshot.
pub(super) type ChannelAttributes = Arc<Vec<(Text, ChannelAttribute)>>;

impl RtmService {
    pub(super) fn set_channel_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        id: ChannelId,
        pairs: Vec<(Text, Text)>,
        notify: bool,
    ) {
        let mut attributes = Vec::with_capacity(pairs.len());
        self.write(&mut attributes, ctx, reply_to, pairs);
        self.put(ctx, reply_to, id, attributes, notify);
    }

    pub(super) fn update_channel_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        id: ChannelId,
        pairs: Vec<(Text, Text)>,
        notify: bool,
    ) -> Result<(), RtmError> {
        let mut attributes = self.channel_attributes(&id);
        self.write(&mut attributes, ctx, reply_to, pairs);
        check_total(
            attributes.iter().map(|(key, attribute)| (key, &attribute.value)),
            MAX_CHANNEL_ATTRIBUTES_BYTES,
        )?;
        self.put(ctx, reply_to, id, attributes, notify);
        Ok(())
    }

    /// Deletes those keys, or all.
    pub(super) fn delete_channel_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        id: ChannelId,
        keys: Option<&[Text]>,
        notify: bool,
    ) {
        let mut attributes = self.channel_attributes(&id);
        attributes.retain(|(key, _)| keys.is_some_and(|keys| !keys.contains(key)));
        self.put(ctx, reply_to, id, attributes, notify);
    }

    /// Returns the attributes of the keys that exist, or all.
    pub(super) fn get_channel_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        id: &ChannelId,
        keys: Option<&[Text]>,
    ) {
        let channel = self.channels.get(id);
        let attributes = channel.map(|c| select(&c.attributes, keys)).unwrap_or_default();
        ctx.reply(reply_to, RtmReply::ChannelAttributes(attributes));
    }

    /// Handles the expiry of an empty channel's attributes.
    pub(super) fn linger_timer(&mut self, id: &ChannelId) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.linger = None;
            channel.attributes = ChannelAttributes::default();
            self.tidy(id);
        }
    }

    fn channel_attributes(&self, id: &ChannelId) -> Vec<(Text, ChannelAttribute)> {
        let channel = self.channels.get(id);
        channel.map(|c| c.attributes.to_vec()).unwrap_or_default()
    }

    fn write(
        &self,
        into: &mut Vec<(Text, ChannelAttribute)>,
        ctx: &Ctx<'_>,
        reply_to: ReplyTo,
        pairs: Vec<(Text, Text)>,
    ) {
        let Some(session) = self.clients.session(reply_to.client) else {
            return;
        };
        for (key, value) in pairs {
            let attribute = ChannelAttribute {
                value,
                last_update_user_id: session.user.clone(),
                last_update_ts: ctx.now.as_millis(),
            };
            upsert(into, key, attribute);
        }
    }

    fn put(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        id: ChannelId,
        attributes: Vec<(Text, ChannelAttribute)>,
        notify: bool,
    ) {
        let channel = self.channels.entry(id.clone()).or_default();
        channel.attributes = Arc::new(attributes);
        if channel.members.is_empty() {
            if let Some(timer) = channel.linger.take() {
                self.timers.cancel(timer);
            }
            let timer = Timer::Linger(id.clone());
            channel.linger = Some(self.timers.set(ctx.now + CHANNEL_ATTRIBUTES_LINGER, timer));
        }
        ctx.reply(reply_to, RtmReply::Void);
        for member in channel.members.iter().filter(|m| notify && m.reachable) {
            let event = RtmEvent::AttributesUpdated {
                channel_id: id.clone(),
                attributes: channel.attributes.clone(),
            };
            ctx.event(member.client, event);
        }
        self.tidy(&id);
    }
}
