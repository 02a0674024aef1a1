//! Channel attributes (rtm-api 3.6): any user may write them; members are notified if the writer
//! requests it. They are deleted some minutes after the last member has left, or after the last
//! write to an empty channel.
//!
//! Decided here: a writer that is a member is notified too, after its reply.

use std::sync::Arc;

use rtm::limits::MAX_CHANNEL_ATTRIBUTES_BYTES;
use rtm::time::Time;
use rtm::value::Text;
use rtm::{AttributeOperation, ChannelAttribute, UserId};

use crate::attributes::{check_total, select, upsert};

type Pair = (Text, Text);

/// A channel's attributes; shared, because all members receive the same snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct ChannelAttributes(Arc<Vec<(Text, ChannelAttribute)>>);

impl ChannelAttributes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the snapshot for an event.
    pub(super) fn snapshot(&self) -> Arc<Vec<(Text, ChannelAttribute)>> {
        self.0.clone()
    }

    /// Returns attributes with only these pairs, written by a user.
    pub(super) fn of(pairs: Vec<Pair>, user: &UserId, now: Time) -> Self {
        let mut all = Vec::with_capacity(pairs.len());
        write(&mut all, pairs, user, now);
        Self(Arc::new(all))
    }

    /// Returns the attributes after a write.
    ///
    /// # Errors
    /// `SIZE_OVERFLOW`.
    pub(super) fn with(&self, pairs: Vec<Pair>, user: &UserId, now: Time) -> Result<Self, AttributeOperation> {
        let mut all = self.0.to_vec();
        write(&mut all, pairs, user, now);
        check_total(
            all.iter().map(|(key, attribute)| (key, &attribute.value)),
            MAX_CHANNEL_ATTRIBUTES_BYTES,
        )?;
        Ok(Self(Arc::new(all)))
    }

    /// Returns the attributes without those keys.
    pub(super) fn without(&self, keys: &[Text]) -> Self {
        let rest = self.0.iter().filter(|(key, _)| !keys.contains(key)).cloned();
        Self(Arc::new(rest.collect()))
    }

    /// Returns the attributes of the keys that exist, or all.
    pub(super) fn select(&self, keys: Option<&[Text]>) -> Vec<(Text, ChannelAttribute)> {
        select(&self.0, keys)
    }
}

fn write(into: &mut Vec<(Text, ChannelAttribute)>, pairs: Vec<Pair>, user: &UserId, now: Time) {
    for (key, value) in pairs {
        let attribute = ChannelAttribute {
            value,
            last_update_user_id: user.clone(),
            last_update_ts: now.as_millis(),
        };
        upsert(into, key, attribute);
    }
}
