//! Attribute events by comparison (decisions H6).
//!
//! RTM tells the whole list after a write, Signaling told each change. The one who writes is told by its own write,
//! exactly what it did, once: RTM's event about it is passed over, whichever of reply and event comes first.

use crate::ident::attribute;
use crate::rtm::{ChannelAttribute, ChannelId, Field, RtmCall, UserId};
use crate::value::{Text, Value};

use super::super::session::Session;

/// Own writes that are remembered; the oldest is forgotten first.
const MAX_OWN: usize = 256;

/// What a session knows of its channel's attributes.
#[derive(Clone, Debug, Default)]
pub struct Attrs {
    /// Name, value, time: RTM's clock may give two writes one time.
    seen: Vec<(Text, Text, u64)>,
    own: Vec<Own>,
}

/// A write of this session that RTM's event will show.
#[derive(Clone, Debug, PartialEq)]
enum Own {
    Set(Text, Text),
    Delete(Text),
    Clear,
}

/// A change, as Signaling tells it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An attribute is new or was written.
    Set(Text, Text),
    /// One attribute is gone.
    Removed(Text),
    /// All are gone.
    Cleared,
}

impl Attrs {
    /// The attributes of a list as RTM gives it.
    pub fn known(list: &Value) -> Self {
        let list = listed(list);
        Self {
            seen: seen(&list),
            own: Vec::new(),
        }
    }

    /// What a new list changes; own writes are taken out.
    pub fn diff(&mut self, list: &[(Text, ChannelAttribute)], me: &UserId) -> Vec<Change> {
        let list = &shown(list);
        let mut changes = Vec::new();
        for (key, attr) in list {
            let is_known = |(name, value, ts): &(Text, Text, u64)| {
                name == key && *ts == attr.last_update_ts && *value == attr.value
            };
            if self.seen.iter().any(is_known) {
                continue;
            }
            let own = Own::Set(key.clone(), attr.value.clone());
            let by_me = attr.last_update_user_id == *me;
            let mine = self.own.iter().position(|known| by_me && *known == own);
            // A delete from before this write is over. One from after it is on its way.
            let before = mine.unwrap_or(self.own.len());
            let mut at = 0..;
            self.own.retain(|own| {
                let at = at.next().unwrap_or(before);
                at > before || (at < before && *own != own_delete(key))
            });
            if mine.is_none() {
                changes.push(Change::Set(key.clone(), attr.value.clone()));
            }
        }
        let gone: Vec<Text> = self
            .seen
            .iter()
            .map(|(key, ..)| key.clone())
            .filter(|key| !list.iter().any(|(k, _)| k == key))
            .collect();
        changes.extend(self.gone(&gone, list.is_empty()));
        self.seen = seen(list);
        changes
    }

    fn gone(&mut self, gone: &[Text], none_left: bool) -> Vec<Change> {
        if none_left && gone.len() != 1 {
            let all_mine = !gone.is_empty() && gone.iter().all(|key| self.own.contains(&own_delete(key)));
            if self.take(&Own::Clear) || all_mine {
                self.own.retain(|own| !matches!(own, Own::Delete(_)));
                return Vec::new();
            }
            return vec![Change::Cleared];
        }
        let clear = none_left && !gone.is_empty() && self.take(&Own::Clear);
        let others = gone.iter().filter(|key| !self.take(&own_delete(key)) && !clear);
        others.map(|key| Change::Removed(key.clone())).collect()
    }

    fn take(&mut self, own: &Own) -> bool {
        let at = self.own.iter().position(|known| known == own);
        at.map(|at| self.own.remove(at)).is_some()
    }

    fn remember(&mut self, own: Own) {
        if self.own.len() >= MAX_OWN {
            self.own.remove(0);
        }
        self.own.push(own);
    }
}

/// A list as RTM gives it, under the names that Signaling shows.
pub(in crate::bridge) fn listed(list: &Value) -> Vec<(Text, ChannelAttribute)> {
    shown(&Vec::<(Text, ChannelAttribute)>::from_value(list).unwrap_or_default())
}

fn seen(list: &[(Text, ChannelAttribute)]) -> Vec<(Text, Text, u64)> {
    let entry = |(key, attr): &(Text, ChannelAttribute)| (key.clone(), attr.value.clone(), attr.last_update_ts);
    list.iter().map(entry).collect()
}

fn plain(entries: &[(Text, Text)]) -> Vec<(Text, Text)> {
    attribute::decode(entries, Text::clone, |_, value| value)
}

fn deleted(keys: &[Text]) -> Vec<Own> {
    keys.first().cloned().map(Own::Delete).into_iter().collect()
}

/// The delete of a name goes by the first of the keys that hold it.
fn own_delete(name: &Text) -> Own {
    Own::Delete(attribute::keys(name).swap_remove(0))
}

/// RTM's attributes under the names that Signaling shows.
pub(in crate::bridge) fn shown(list: &[(Text, ChannelAttribute)]) -> Vec<(Text, ChannelAttribute)> {
    attribute::decode(
        list,
        |attr| attr.value.clone(),
        |attr, value| ChannelAttribute { value, ..attr.clone() },
    )
}

impl Session {
    /// An attribute write goes out.
    pub(in crate::bridge) fn writing(&mut self, call: &RtmCall) {
        self.with_writes(call, Attrs::remember);
    }

    /// It has failed.
    pub(in crate::bridge) fn write_failed(&mut self, call: &RtmCall) {
        self.with_writes(call, |attrs, own| {
            attrs.take(&own);
        });
    }

    fn with_writes(&mut self, call: &RtmCall, each: impl Fn(&mut Attrs, Own)) {
        let (id, writes): (&ChannelId, Vec<Own>) = match call {
            RtmCall::AddOrUpdateChannelAttributes {
                channel_id, attributes, ..
            } => (
                channel_id,
                plain(attributes).into_iter().map(|(k, v)| Own::Set(k, v)).collect(),
            ),
            RtmCall::DeleteChannelAttributesByKeys { channel_id, keys, .. } => (channel_id, deleted(keys)),
            RtmCall::ClearChannelAttributes { channel_id, .. } => (channel_id, vec![Own::Clear]),
            _ => return,
        };
        if let Some(channel) = self.channel.as_mut().filter(|c| c.id == *id) {
            for own in writes {
                each(&mut channel.attrs, own);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attr(value: &str, by: &str, ts: u64) -> ChannelAttribute {
        ChannelAttribute {
            value: value.into(),
            last_update_user_id: UserId::new(by).unwrap(),
            last_update_ts: ts,
        }
    }

    #[test]
    fn an_old_delete_of_ones_own_hides_no_later_one_of_others() {
        let me = UserId::new("me").unwrap();
        let mut attrs = Attrs::default();
        attrs.remember(Own::Delete("k".into()));
        // RTM never told of the own delete; bob sets the key and deletes it again.
        assert_eq!(
            attrs.diff(&[("k".into(), attr("1", "bob", 1))], &me),
            [Change::Set("k".into(), "1".into())]
        );
        assert_eq!(attrs.diff(&[], &me), [Change::Removed("k".into())]);
    }

    #[test]
    fn an_own_value_written_by_somebody_else_is_news() {
        let me = UserId::new("me").unwrap();
        let mut attrs = Attrs::default();
        attrs.remember(Own::Set("k".into(), "1".into()));
        assert_eq!(
            attrs.diff(&[("k".into(), attr("1", "bob", 1))], &me),
            [Change::Set("k".into(), "1".into())]
        );
        assert_eq!(attrs.diff(&[("k".into(), attr("1", "me", 2))], &me), []);
    }

    #[test]
    fn a_delete_that_follows_ones_own_write_at_once_is_no_news() {
        let me = UserId::new("me").unwrap();
        let mut attrs = Attrs::default();
        attrs.remember(Own::Set("k".into(), "1".into()));
        attrs.remember(Own::Delete("k".into()));
        attrs.remember(Own::Set("k".into(), "2".into()));
        assert_eq!(attrs.diff(&[("k".into(), attr("1", "me", 1))], &me), []);
        assert_eq!(attrs.diff(&[], &me), []);
        assert_eq!(attrs.diff(&[("k".into(), attr("2", "me", 2))], &me), []);
        assert_eq!(attrs.own, []);
    }

    #[test]
    fn own_clears_and_deletes_are_no_news() {
        let me = UserId::new("me").unwrap();
        let two = [("a".into(), attr("1", "bob", 1)), ("b".into(), attr("2", "bob", 1))];
        let mut attrs = Attrs::default();
        attrs.diff(&two, &me);
        attrs.remember(Own::Clear);
        assert_eq!(attrs.diff(&[], &me), []);
        attrs.diff(&two, &me);
        attrs.remember(Own::Delete("a".into()));
        assert_eq!(attrs.diff(&two[1..], &me), []);
    }
}
