//! Attribute events by comparison (decisions H6).
//!
//! RTM sends the whole list after a write; Signaling sent each change. The writer itself gets
//! exactly its own changes, once, from its own write. A list is therefore compared with the known
//! state plus as many of the session's own writes as the list shows. RTM's event about a write may
//! precede or follow its reply, or be missing. The order of own writes is known, because a
//! channel's writes are sent one at a time.

use std::collections::VecDeque;

use identity::attribute;
use rtm::value::{Text, Value};
use rtm::{ChannelAttribute, ChannelId, Field, RtmCall, UserId};

/// Maximum number of own writes that no list has shown; older ones count as shown.
const MAX_OWN: usize = 64;

/// The known attributes of the session's channel.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// The last list of RTM.
    seen: Vec<Known>,
    /// Own writes since that list, in order.
    own: VecDeque<Own>,
}

/// An attribute. Two writes may have the same time on RTM's clock; the time of an own write is
/// unknown.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    name: Text,
    value: Text,
    ts: Option<u64>,
}

/// A write of this session.
#[derive(Clone, Debug, PartialEq)]
struct Own {
    write: Write,
    /// RTM has replied.
    answered: bool,
}

/// A write to the attributes of a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// These attributes.
    Set(Vec<(Text, Text)>),
    /// A deletion, by the first of the keys of the attribute.
    Delete(Text),
    /// A deletion of all attributes.
    Clear,
}

/// The difference between a list and a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Distance {
    /// Entries that are impossible in that state: they are unchanged although they were written.
    impossible: usize,
    /// Entries that differ.
    different: usize,
    /// Entries of an own write that were already the same before.
    unproven: usize,
}

/// A change, as Signaling reports it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An attribute was set.
    Set(Text, Text),
    /// One attribute was removed.
    Removed(Text),
    /// All attributes were removed.
    Cleared,
    /// No change: a clear of an empty list, or a deletion of a missing attribute.
    Nothing,
}

impl Attributes {
    /// Creates the state of a list of RTM.
    pub fn known(list: &Value) -> Self {
        Self {
            seen: seen(&listed(list)),
            own: VecDeque::new(),
        }
    }

    /// Replaces the list that the client has. Own writes that it does not show remain pending.
    pub fn relist(&mut self, list: &Value, me: &UserId) {
        self.take(&listed(list), me);
    }

    /// Returns the changes of a new list that are not own writes.
    pub fn diff(&mut self, list: &[(Text, ChannelAttribute)], me: &UserId) -> Vec<Change> {
        let list = shown(list);
        let (base, is_own) = self.take(&list, me);
        let mut changes: Vec<Change> = list
            .iter()
            .filter(|entry| !base.iter().any(|known| known.is_same(entry) || known.is_own(entry, me)))
            .map(|(name, attr)| Change::Set(name.clone(), attr.value.clone()))
            .collect();
        let removed: Vec<&Known> = base.iter().filter(|known| is_removed(known, &list)).collect();
        match removed.len() {
            0 if list.is_empty() && !is_own => changes.push(Change::Nothing),
            2.. if list.is_empty() => changes.push(Change::Cleared),
            _ => changes.extend(removed.iter().map(|known| Change::Removed(known.name.clone()))),
        }
        changes
    }

    /// Replaces the known list. Returns the earlier state with the own writes that the list shows,
    /// and true if there are such writes.
    fn take(&mut self, list: &[(Text, ChannelAttribute)], me: &UserId) -> (Vec<Known>, bool) {
        let count = self.shown_by(list, me);
        let mut base = std::mem::replace(&mut self.seen, seen(list));
        self.own.drain(..count).for_each(|own| own.write.apply(&mut base));
        (base, count > 0)
    }

    /// Returns the number of own writes that explain the list best.
    fn shown_by(&self, list: &[(Text, ChannelAttribute)], me: &UserId) -> usize {
        let mut base = self.seen.clone();
        let mut distances = vec![self.distance(&base, list, me)];
        for own in &self.own {
            own.write.apply(&mut base);
            distances.push(self.distance(&base, list, me));
        }
        let least = distances.iter().min().copied().unwrap_or_default();
        let fitting = |at: &usize| distances[*at] == least;
        let at_least = |first: usize| (first..distances.len()).find(fitting);
        let shown = if least == Distance::default() {
            // The list follows an own write: the next one, even if it has changed nothing.
            at_least(1)
        } else {
            // The list follows another user's write, after all writes with a reply, unless events
            // are late.
            at_least(self.own.iter().take_while(|own| own.answered).count())
        };
        shown.or_else(|| at_least(0)).unwrap_or(0)
    }

    fn distance(&self, base: &[Known], list: &[(Text, ChannelAttribute)], me: &UserId) -> Distance {
        let mut distance = Distance::default();
        for entry in list {
            let is_old = self.seen.iter().any(|known| known.is_same(entry));
            if base.iter().any(|known| known.is_same(entry)) {
                continue;
            }
            if base.iter().any(|known| known.is_own(entry, me)) {
                distance.unproven += usize::from(is_old);
            } else {
                distance.impossible += usize::from(is_old);
                distance.different += 1;
            }
        }
        distance.different += base.iter().filter(|known| is_removed(known, list)).count();
        distance
    }

    /// Registers an own write.
    pub fn writes(&mut self, write: Write) {
        if self.own.len() >= MAX_OWN
            && let Some(oldest) = self.own.pop_front()
        {
            oldest.write.apply(&mut self.seen);
        }
        let answered = false;
        self.own.push_back(Own { write, answered });
    }

    /// Marks an own write as completed.
    pub fn written(&mut self, write: &Write) {
        let open = self.own.iter_mut().find(|own| !own.answered && own.write == *write);
        if let Some(own) = open {
            own.answered = true;
        }
    }

    /// Removes an own write that has failed or is retried.
    pub fn failed(&mut self, write: &Write) {
        let open = self.own.iter().position(|own| !own.answered && own.write == *write);
        if let Some(at) = open {
            self.own.remove(at);
        }
    }
}

impl Known {
    /// Returns true if RTM lists the attribute unchanged.
    fn is_same(&self, (name, attr): &(Text, ChannelAttribute)) -> bool {
        self.name == *name && self.value == attr.value && self.ts == Some(attr.last_update_ts)
    }

    /// Returns true if RTM lists the attribute as an own write.
    fn is_own(&self, (name, attr): &(Text, ChannelAttribute), me: &UserId) -> bool {
        let is_mine = self.ts.is_none() && attr.last_update_user_id == *me;
        is_mine && self.name == *name && self.value == attr.value
    }
}

impl Write {
    fn apply(&self, to: &mut Vec<Known>) {
        match self {
            Self::Set(entries) => {
                for (name, value) in entries {
                    to.retain(|known| known.name != *name);
                    to.push(Known {
                        name: name.clone(),
                        value: value.clone(),
                        ts: None,
                    });
                }
            }
            Self::Delete(key) => to.retain(|known| attribute::keys(&known.name).first() != Some(key)),
            Self::Clear => to.clear(),
        }
    }
}

fn is_removed(known: &Known, list: &[(Text, ChannelAttribute)]) -> bool {
    !list.iter().any(|(name, _)| *name == known.name)
}

/// Converts a list of RTM to Signaling's names.
pub(crate) fn listed(list: &Value) -> Vec<(Text, ChannelAttribute)> {
    shown(&Vec::<(Text, ChannelAttribute)>::from_value(list).unwrap_or_default())
}

fn seen(list: &[(Text, ChannelAttribute)]) -> Vec<Known> {
    let known = |(name, attr): &(Text, ChannelAttribute)| Known {
        name: name.clone(),
        value: attr.value.clone(),
        ts: Some(attr.last_update_ts),
    };
    list.iter().map(known).collect()
}

/// Converts RTM's attributes to Signaling's names.
pub(crate) fn shown(list: &[(Text, ChannelAttribute)]) -> Vec<(Text, ChannelAttribute)> {
    attribute::decode(
        list,
        |attr| attr.value.clone(),
        |attr, value| ChannelAttribute { value, ..attr.clone() },
    )
}

/// Returns the channel and the write of a call, if it writes attributes of a channel.
pub(crate) fn write_of(call: &RtmCall) -> Option<(&ChannelId, Write)> {
    Some(match call {
        RtmCall::AddOrUpdateChannelAttributes {
            channel_id, attributes, ..
        } => (
            channel_id,
            Write::Set(attribute::decode(attributes, Text::clone, |_, value| value)),
        ),
        RtmCall::DeleteChannelAttributesByKeys { channel_id, keys, .. } => {
            (channel_id, Write::Delete(keys.first()?.clone()))
        }
        RtmCall::ClearChannelAttributes { channel_id, .. } => (channel_id, Write::Clear),
        _ => return None,
    })
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

    fn set(name: &str, value: &str) -> Write {
        Write::Set(vec![(name.into(), value.into())])
    }

    /// A session's state: its writes, and the lists that it receives.
    #[derive(Default)]
    struct View(Attributes);

    impl View {
        fn writes(&mut self, write: Write) -> &mut Self {
            self.0.writes(write);
            self
        }

        fn answered(&mut self, write: &Write) -> &mut Self {
            self.0.written(write);
            self
        }

        /// Receives a list, with `name value author time` for each entry.
        fn listed(&mut self, list: &[(&str, &str, &str, u64)], expected: &[Change]) -> &mut Self {
            let list: Vec<_> = list
                .iter()
                .map(|(name, value, by, ts)| ((*name).into(), attr(value, by, *ts)))
                .collect();
            let me = UserId::new("me").unwrap();
            assert_eq!(self.0.diff(&list, &me), expected, "{list:?} of {:?}", self.0);
            self
        }
    }

    fn news(name: &str, value: &str) -> Change {
        Change::Set(name.into(), value.into())
    }

    fn removed(name: &str) -> Change {
        Change::Removed(name.into())
    }

    #[test]
    fn own_writes_are_not_reported_twice() {
        for behind in [false, true] {
            let mut view = View::default();
            for (write, list) in [
                (set("k", "1"), &[("k", "1", "me", 1)][..]),
                (set("k", "2"), &[("k", "2", "me", 2)]),
                (Write::Delete("k".into()), &[]),
                (Write::Delete("k".into()), &[]),
                (set("k", "2"), &[("k", "2", "me", 3)]),
                (set("j", "2"), &[("k", "2", "me", 3), ("j", "2", "me", 3)]),
                (Write::Clear, &[]),
                (Write::Clear, &[]),
            ] {
                view.writes(write.clone());
                if behind {
                    view.answered(&write).listed(list, &[]);
                } else {
                    view.listed(list, &[]).answered(&write);
                }
                assert_eq!(view.0.own, []);
            }
        }
    }

    #[test]
    fn simultaneous_equal_writes_are_indistinguishable() {
        let mut view = View::default();
        for _ in 0..2 {
            view.writes(set("k", "1")).answered(&set("k", "1"));
            view.listed(&[("k", "1", "me", 1)], &[]);
        }
        view.listed(&[("k", "1", "bob", 2)], &[news("k", "1")]);
        assert_eq!(view.0.own, []);
    }

    #[test]
    fn replies_may_precede_events() {
        let (one, delete, two) = (set("k", "1"), Write::Delete("k".into()), set("k", "2"));
        let mut view = View::default();
        for write in [&one, &delete, &two] {
            view.writes(write.clone()).answered(write);
        }
        view.listed(&[("j", "x", "bob", 1)], &[news("j", "x")])
            .listed(&[("j", "x", "bob", 1), ("k", "1", "me", 2)], &[])
            .listed(&[("j", "x", "bob", 1)], &[])
            .listed(&[("j", "x", "bob", 1), ("k", "2", "me", 3)], &[]);
        assert_eq!(view.0.own, []);
    }

    #[test]
    fn the_writer_may_get_no_event() {
        let (one, delete) = (set("k", "1"), Write::Delete("k".into()));
        let mut view = View::default();
        view.writes(one.clone()).answered(&one);
        view.listed(&[("k", "1", "me", 1), ("j", "x", "bob", 2)], &[news("j", "x")]);
        view.writes(delete.clone()).answered(&delete);
        view.listed(&[("j", "y", "bob", 3)], &[news("j", "y")]);
        view.writes(Write::Clear).answered(&Write::Clear);
        view.listed(&[("k", "3", "bob", 4)], &[news("k", "3")]);
        assert_eq!(view.0.own, []);
    }

    #[test]
    fn an_old_own_delete_does_not_hide_a_later_one() {
        let delete = Write::Delete("k".into());
        let mut view = View::default();
        // RTM has sent no list for the own deletion; bob sets the key and deletes it again.
        view.writes(delete.clone()).answered(&delete);
        view.listed(&[("k", "1", "bob", 1)], &[news("k", "1")])
            .listed(&[], &[removed("k")]);
    }

    #[test]
    fn a_pending_write_is_reported_once() {
        let mut view = View::default();
        // Bob's write was first.
        view.writes(Write::Delete("k".into()));
        view.listed(&[("k", "1", "bob", 1)], &[news("k", "1")]).listed(&[], &[]);
        assert_eq!(view.0.own, []);
    }

    #[test]
    fn an_own_value_written_by_another_user_is_reported() {
        let mut view = View::default();
        view.writes(set("k", "1"));
        view.listed(&[("k", "1", "bob", 1)], &[news("k", "1")])
            .listed(&[("k", "1", "me", 2)], &[])
            .listed(&[("k", "1", "bob", 3)], &[news("k", "1")]);
    }

    #[test]
    fn a_failed_write_that_took_effect_is_reported() {
        let mut view = View::default();
        view.writes(set("k", "1"));
        view.0.failed(&set("k", "1"));
        view.listed(&[("k", "1", "me", 1)], &[news("k", "1")]);
    }

    #[test]
    fn others_clear_delete_or_do_nothing() {
        let mut view = View::default();
        let two = [("a", "1", "bob", 1), ("b", "2", "bob", 1)];
        view.listed(&two, &[news("a", "1"), news("b", "2")])
            .listed(&two, &[])
            .listed(&two[1..], &[removed("a")])
            .listed(&[], &[removed("b")])
            .listed(&[], &[Change::Nothing])
            .listed(&two, &[news("a", "1"), news("b", "2")])
            .listed(&[], &[Change::Cleared]);
    }

    #[test]
    fn a_pending_clear_does_not_hide_an_earlier_deletion() {
        let mut view = View::default();
        let two = [("a", "1", "bob", 1), ("b", "2", "bob", 1)];
        view.listed(&two, &[news("a", "1"), news("b", "2")]);
        view.writes(Write::Clear);
        view.listed(&two[1..], &[removed("a")]).listed(&[], &[]);
        assert_eq!(view.0.own, []);
    }

    #[test]
    fn own_writes_are_bounded() {
        let mut view = View::default();
        for n in 0..200 {
            let write = set("k", &n.to_string());
            view.writes(write.clone()).answered(&write);
        }
        assert_eq!(view.0.own.len(), MAX_OWN);
        view.listed(&[("k", "199", "me", 1)], &[]);
        assert_eq!(view.0.own, []);
    }
}
