//! The members of a channel, as RTM reports them (decisions H8).
//!
//! RTM sends no joins and leaves of channels with more than 512 members, so the set is unreliable
//! there: an unreported leave would make the next join look like a duplicate. When the count falls
//! below the limit, the list is fetched and the differences are reported.

use std::collections::HashSet;

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::{RtmEvent, UserId};

/// The known members of a channel.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// The members, including the session's own user.
    known: HashSet<UserId>,
    /// RTM's last member count, adjusted by later joins and leaves.
    counted: Option<u64>,
    /// The channel has had more than 512 members.
    large: bool,
    /// The member list is being fetched after the channel was large.
    recounting: bool,
}

/// The difference between the known members and a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Members that have left, in order of their ids.
    pub left: Vec<UserId>,
    /// Members that have joined, in the order of the list.
    pub joined: Vec<UserId>,
}

impl Members {
    /// Returns the number of members.
    pub fn count(&self) -> u64 {
        self.counted.unwrap_or(self.known.len() as u64)
    }

    /// Sets the number of members.
    pub fn set_count(&mut self, count: u64) {
        self.counted = Some(count);
    }

    /// Adds members without a change of the count.
    pub fn extend(&mut self, members: impl IntoIterator<Item = UserId>) {
        self.known.extend(members);
    }

    /// Replaces the members. The count is known from a complete list only.
    pub fn replace(&mut self, members: impl Iterator<Item = UserId>, is_complete: bool) {
        self.known = members.collect();
        if is_complete {
            // More recent than RTM's last count, which is sent at most once a second.
            self.counted = Some(self.known.len() as u64);
        }
    }

    /// Handles a join or leave; returns false for a duplicate.
    pub fn changed(&mut self, event: &RtmEvent) -> bool {
        let (changed, by) = match event {
            RtmEvent::MemberJoined { member_id, .. } => (self.known.insert(member_id.clone()), 1),
            RtmEvent::MemberLeft { member_id, .. } => (self.known.remove(member_id), -1),
            _ => (false, 0),
        };
        // Above 512 members, duplicates cannot be detected.
        let changed = changed || self.large;
        if let (true, Some(counted)) = (changed, &mut self.counted) {
            // RTM sends the count at most once a second; apps may query it earlier.
            *counted = counted.saturating_add_signed(by);
        }
        changed
    }

    /// Handles RTM's member count; returns true if the list must be fetched.
    pub fn counted(&mut self, count: u64) -> bool {
        self.counted = Some(count);
        if count > MEMBERS_CUT_OFF as u64 {
            self.large = true;
            return false;
        }
        self.large && !std::mem::replace(&mut self.recounting, true)
    }

    /// Handles the fetched list, or a failure to fetch it. Returns the difference to the known
    /// members, unless the list is incomplete or was not requested.
    pub fn recounted(&mut self, list: Option<&[UserId]>) -> Option<Difference> {
        if !std::mem::take(&mut self.recounting) {
            return None;
        }
        let list = list?;
        // A truncated list is a random subset of the members.
        if self.count() > list.len() as u64 {
            return None;
        }
        self.large = false;
        let now: HashSet<&UserId> = list.iter().collect();
        let mut left: Vec<UserId> = self.known.iter().filter(|m| !now.contains(m)).cloned().collect();
        // A set is unordered; events need a stable order.
        left.sort();
        let joined = list.iter().filter(|member| !self.known.contains(*member));
        Some(Difference {
            left,
            joined: joined.cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtm::ChannelId;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn joins(members: &mut Members, name: &str) -> bool {
        members.changed(&RtmEvent::MemberJoined {
            channel_id: ChannelId::new("r").unwrap(),
            member_id: user(name),
        })
    }

    #[test]
    fn duplicates_are_detected_up_to_512_members() {
        let mut members = Members::default();
        assert!(joins(&mut members, "bob") && !joins(&mut members, "bob"));
        assert_eq!(members.count(), 1);
        assert!(!members.counted(513), "a large channel has no list");
        assert!(joins(&mut members, "bob"));
        assert_eq!(members.count(), 514);
    }

    #[test]
    fn the_list_of_a_channel_that_was_large_is_compared() {
        let mut members = Members::default();
        members.extend(["bob", "dave", "carol"].map(user));
        members.counted(600);
        assert!(members.counted(2) && !members.counted(2), "it is fetched once");
        assert_eq!(members.recounted(None), None);
        assert!(members.counted(3));
        assert_eq!(members.recounted(Some(&[user("erin")])), None, "the list is a part");
        assert!(members.counted(2));
        let expected = Difference {
            left: ["carol", "dave"].map(user).into(),
            joined: vec![user("erin")],
        };
        assert_eq!(members.recounted(Some(&["erin", "bob"].map(user))), Some(expected));
        assert!(!members.counted(2), "the channel is no longer large");
        assert_eq!(members.recounted(Some(&[])), None, "no query waits for it");
    }
}
