//! Channels of more than 512 members, for which RTM sends no joins and leaves (decisions H8).
//!
//! Above the limit the member list is unreliable: an unreported leave would make the next join look
//! like a duplicate. When the count falls below the limit, the list is fetched and the differences
//! are reported.

use std::collections::HashSet;

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::{ChannelId, RtmCall, RtmEvent, RtmReply, UserId};

use crate::session::{Ctx, Session};

impl Session {
    /// Handles RTM's member count.
    pub(crate) fn counted(&mut self, count: u64, ctx: &mut Ctx<'_>) {
        let Some(channel) = &mut self.channel else { return };
        channel.counted = Some(count);
        if count > MEMBERS_CUT_OFF as u64 {
            channel.large = true;
        } else if channel.large && !channel.recounting {
            channel.recounting = true;
            let channel_id = channel.id.clone();
            self.send_aside(RtmCall::GetMembers { channel_id }, ctx);
        }
        self.publish_count(ctx);
    }

    /// Handles the member list of a channel that is no longer large.
    pub(crate) fn recounted(&mut self, id: &ChannelId, reply: Option<&RtmReply>, ctx: &mut Ctx<'_>) {
        let Some(channel) = self.channel.as_mut().filter(|c| c.id == *id && c.recounting) else {
            return;
        };
        channel.recounting = false;
        let Some(RtmReply::UserIds(list)) = reply else { return };
        // A truncated list is a random subset of the members.
        if channel.count() > list.len() as u64 {
            return;
        }
        channel.large = false;
        let now: HashSet<UserId> = list.iter().cloned().collect();
        let mut removed: Vec<UserId> = channel.members.difference(&now).cloned().collect();
        // A set is unordered; events need a stable order.
        removed.sort();
        let come: Vec<UserId> = list
            .iter()
            .filter(|member| !channel.members.contains(*member))
            .cloned()
            .collect();
        for member_id in removed {
            self.rtm_event(
                RtmEvent::MemberLeft {
                    channel_id: id.clone(),
                    member_id,
                },
                ctx,
            );
        }
        for member_id in come {
            self.rtm_event(
                RtmEvent::MemberJoined {
                    channel_id: id.clone(),
                    member_id,
                },
                ctx,
            );
        }
        if let Some(channel) = &mut self.channel {
            channel.counted = Some(list.len() as u64);
        }
    }
}
