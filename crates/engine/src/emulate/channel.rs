//! The session's channel: the member list on join, and events before it is sent (decisions H1, H8).

use std::collections::HashSet;

use rtm::limits::MEMBERS_CUT_OFF;
use rtm::value::{Text, Value};
use rtm::{ChannelId, Field, JoinChannelErr, RtmError, RtmEvent, RtmReply, UserId};

use crate::api::DropReason;
use crate::emulate::attributes::{Attrs, listed};
use crate::emulate::resume::Ring;
use crate::emulate::system_attributes::SystemAttributes;
use crate::invocation::Run;
use crate::session::{Ctx, Session};

/// Maximum number of events held back for a list; more are dropped and counted.
const MAX_HELD: usize = 2_000;

/// The channel of a session.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The legacy name.
    pub name: Text,
    /// The RTM channel id.
    pub id: ChannelId,
    /// RTM has confirmed the join.
    pub joined: bool,
    /// The client has reconnected and has not joined again: it gets no channel events.
    pub muted: bool,
    /// The client has resumed by its line and has not sent its last line number.
    pub away: bool,
    /// The session continues in another sidecar, which does not know the number of the client's last line.
    pub restored: bool,
    /// The last lines, for a client that resumes by its session line.
    pub ring: Ring,
    /// The members, including the session's own user.
    pub members: HashSet<UserId>,
    /// RTM's last member count, adjusted by later joins and leaves.
    pub counted: Option<u64>,
    /// The attributes as last seen.
    pub attrs: Attrs,
    /// The effects of its system attributes.
    pub system_attributes: SystemAttributes,
    /// The channel has had more than 512 members, so the member list is unreliable.
    pub large: bool,
    /// The member list is being fetched after the channel was large.
    pub recounting: bool,
    /// The number of its last line.
    pub msgid: u64,
    held: Option<Vec<RtmEvent>>,
}

impl Channel {
    /// Creates a channel that is being joined.
    pub fn new(name: Text, id: ChannelId) -> Self {
        Self {
            name,
            id,
            joined: false,
            muted: false,
            away: false,
            restored: false,
            ring: Ring::default(),
            members: HashSet::new(),
            counted: None,
            attrs: Attrs::default(),
            system_attributes: SystemAttributes::default(),
            large: false,
            recounting: false,
            msgid: 0,
            held: None,
        }
    }

    /// Returns the number of members.
    pub fn count(&self) -> u64 {
        self.counted.unwrap_or(self.members.len() as u64)
    }
}

impl Session {
    /// Holds back channel events at a repeated join too, because its list is rebuilt.
    pub(crate) fn hold_channel(&mut self, run: &Run) {
        let name = self.channel_of(run);
        if let Some(channel) = self.channel.as_mut().filter(|c| Some(&c.name) == name.as_ref()) {
            channel.held.get_or_insert_default();
        }
    }

    /// Handles the start of a join.
    pub(crate) fn joining(&mut self, run: &Run, id: &ChannelId) {
        let Some(name) = self.channel_of(run) else { return };
        self.cids += 1;
        self.transient_joins.forget(id);
        let mut channel = Channel::new(name, id.clone());
        channel.held = Some(Vec::new());
        self.channel = Some(channel);
    }

    /// Handles the reply to a join.
    pub(crate) fn joined(&mut self, id: &ChannelId, result: &Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        if self.transient_join_replied(id, result, ctx) {
            return;
        }
        let already = matches!(
            result,
            Err(RtmError::JoinChannel(
                JoinChannelErr::AlreadyJoined | JoinChannelErr::AlreadyJoinedChannelOfSameId
            ))
        );
        let Some(channel) = self.channel.as_mut().filter(|c| c.id == *id) else {
            return;
        };
        if result.is_ok() || already {
            channel.joined = true;
        } else {
            self.channel = None;
        }
    }

    /// Handles the start of a leave: from now on, channel events are dropped.
    pub(crate) fn left(&mut self, id: &ChannelId) {
        if self.channel.as_ref().is_some_and(|c| c.id == *id) {
            self.channel = None;
        }
    }

    /// Applies the joins and leaves since the list was fetched.
    pub(crate) fn settle_list(&mut self, run: &mut Run) {
        let row = &self.context.tables.rows[run.row];
        let slot = |name: &str| row.slots.iter().position(|(slot, _)| &**slot == name);
        let (members, attrs) = (slot("members"), slot("attrs"));
        let own = UserId::new(self.context.names.user_id(&self.account)).ok();
        let Some(channel) = &mut self.channel else { return };
        let (mut list, complete) = match members.map(|at| Vec::<UserId>::from_value(&run.slots[at])) {
            Some(Ok(list)) if list.len() < MEMBERS_CUT_OFF => (list, true),
            Some(Ok(list)) => (list, false),
            _ => (own.iter().cloned().collect(), false),
        };
        let mut later = Vec::new();
        for event in channel.held.take().unwrap_or_default() {
            match &event {
                RtmEvent::MemberJoined { member_id, .. } if list.contains(member_id) => {}
                RtmEvent::MemberLeft { member_id, .. } => {
                    list.retain(|member| member != member_id);
                    later.retain(
                        |other| !matches!(other, RtmEvent::MemberJoined { member_id: m, .. } if m == member_id),
                    );
                }
                _ => later.push(event),
            }
        }
        channel.members = list.iter().cloned().chain(own.clone()).collect();
        if complete {
            // More recent than RTM's last count, which is sent at most once a second.
            channel.counted = Some(channel.members.len() as u64);
        }
        channel.held = Some(later);
        if let Some(at) = members {
            run.slots[at] = Value::List(list.iter().map(Field::to_value).collect());
        }
        if let Some(at) = attrs {
            if let Some(own) = &own {
                channel.attrs.relist(&run.slots[at], own);
            }
            channel.system_attributes.refresh(&listed(&run.slots[at]));
        }
    }

    /// Sends the events that were held back, after the list.
    pub(crate) fn release_channel(&mut self, ctx: &mut Ctx<'_>) {
        let Some(channel) = &mut self.channel else { return };
        let held = channel.held.take().unwrap_or_default();
        // A client that fetches the complete state does not ask for missed lines.
        (channel.muted, channel.away) = (false, false);
        channel.ring = Ring::default();
        for event in held {
            self.rtm_event(event, ctx);
        }
        self.publish_count(ctx);
    }

    /// Holds back an event; returns true if it did.
    pub(crate) fn held(&mut self, id: &ChannelId, event: &RtmEvent, ctx: &mut Ctx<'_>) -> bool {
        let Some(channel) = self.channel.as_mut().filter(|c| c.id == *id) else {
            return false;
        };
        let Some(held) = &mut channel.held else { return false };
        if held.len() < MAX_HELD {
            held.push(event.clone());
        } else {
            ctx.out.push(crate::Effect::Dropped(DropReason::HeldChannelEvents));
        }
        true
    }
}
