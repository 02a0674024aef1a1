//! The session's channel: the member list on join, and events before it is sent (decisions H1, H8).

use protocol::event::{Event, Form, SocketId};
use rtm::limits::MEMBERS_CUT_OFF;
use rtm::value::{Text, Value};
use rtm::{ChannelAttribute, ChannelId, Field, JoinChannelErr, RtmCall, RtmError, RtmEvent, RtmReply, UserId};
use tables::condition::{Emulation, EmulationInput};
use tables::row::Limit;

use crate::api::{DropReason, Effect, TimerKey};
use crate::context::{Ctx, Env};
use crate::emulate::attributes::{Attributes, Change, listed, shown, write_of};
use crate::emulate::channel_lines::ChannelLines;
use crate::emulate::members::Members;
use crate::emulate::system_attributes::SystemAttributes;
use crate::requests::Requests;
use crate::run::Run;

/// Maximum number of events held back for a list; more are dropped and counted.
const MAX_HELD: usize = 2_000;

/// The channel of a session, if it is in one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChannelState {
    /// In a box: many sessions are in none.
    current: Option<Box<Channel>>,
    /// Number of joins so far, which is the number of the current channel.
    joins: i64,
}

#[derive(Clone, Debug)]
struct Channel {
    /// The legacy name.
    name: Text,
    id: ChannelId,
    /// RTM has confirmed the join.
    joined: bool,
    members: Members,
    lines: ChannelLines,
    attributes: Attributes,
    system_attributes: SystemAttributes,
    /// The events that are held back until the list is sent.
    held: Option<Vec<RtmEvent>>,
}

impl Channel {
    fn new(name: Text, id: ChannelId) -> Self {
        Self {
            name,
            id,
            joined: false,
            members: Members::default(),
            lines: ChannelLines::default(),
            attributes: Attributes::default(),
            system_attributes: SystemAttributes::default(),
            held: None,
        }
    }
}

impl ChannelState {
    /// Returns the legacy name of the channel.
    pub fn name(&self) -> Option<&Text> {
        self.current.as_ref().map(|channel| &channel.name)
    }

    /// Returns the legacy name, if that is the RTM id of the channel.
    pub fn name_of(&self, id: &Text) -> Option<&Text> {
        let channel = self.current.as_ref()?;
        (channel.id.text() == id).then_some(&channel.name)
    }

    /// Returns the RTM id of the joined channel.
    pub fn joined_id(&self) -> Option<&ChannelId> {
        self.current.as_ref().filter(|channel| channel.joined).map(|c| &c.id)
    }

    /// Returns true if that is the RTM id of the channel.
    pub fn is(&self, id: &ChannelId) -> bool {
        self.current.as_ref().is_some_and(|channel| channel.id == *id)
    }

    /// Returns true if RTM has confirmed the join of that channel.
    pub fn has_joined(&self, name: Option<&Text>) -> bool {
        let channel = self.current.as_ref().filter(|channel| channel.joined);
        channel.is_some_and(|channel| Some(&channel.name) == name)
    }

    /// Returns true if the session is in another channel.
    pub fn is_other(&self, name: Option<&Text>) -> bool {
        self.name().is_some_and(|own| Some(own) != name)
    }

    /// Returns true if no join is pending and no event is held back.
    pub fn is_settled(&self) -> bool {
        self.current
            .as_ref()
            .is_none_or(|channel| channel.joined && channel.held.is_none())
    }

    /// Returns the events of the stored lines.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        self.current.iter_mut().flat_map(|channel| channel.lines.events_mut())
    }

    /// Returns the number of joins.
    pub fn joins(&self) -> i64 {
        self.joins
    }

    /// Returns the number of members.
    pub fn count(&self) -> u64 {
        self.current.as_ref().map_or(0, |channel| channel.members.count())
    }

    /// Returns the size of the stored lines, in bytes.
    pub fn bytes(&self) -> usize {
        self.current.as_ref().map_or(0, |channel| channel.lines.bytes())
    }

    fn by_id(&mut self, id: &ChannelId) -> Option<&mut Channel> {
        self.current.as_deref_mut().filter(|channel| channel.id == *id)
    }

    /// Holds back channel events at a repeated join too, because its list is rebuilt.
    pub fn hold(&mut self, name: Option<&Text>) {
        if let Some(channel) = self.current.as_mut().filter(|c| Some(&c.name) == name) {
            channel.held.get_or_insert_default();
        }
    }

    /// Handles the start of a join.
    pub fn join(&mut self, name: Text, id: ChannelId) {
        self.joins += 1;
        self.current = Some(Box::new(Channel {
            held: Some(Vec::new()),
            ..Channel::new(name, id)
        }));
    }

    /// Handles the start of a join that continues a stored session: the client has the list.
    pub fn join_again(&mut self, name: Text, id: ChannelId) {
        let mut channel = Channel::new(name, id);
        channel.lines.restored = true;
        self.current = Some(Box::new(channel));
    }

    /// Sets the number of joins of a stored session.
    pub fn set_joins(&mut self, joins: i64) {
        self.joins = joins;
    }

    /// Takes the members of a channel that was joined again, without events.
    pub fn list_silently(&mut self, id: &ChannelId, list: &[UserId]) {
        if let Some(channel) = self.by_id(id) {
            let is_complete = list.len() < MEMBERS_CUT_OFF;
            channel.members.replace(list.iter().cloned(), is_complete);
        }
    }

    /// Handles the reply to a join.
    pub fn join_replied(&mut self, id: &ChannelId, result: &Result<RtmReply, RtmError>) {
        let already = matches!(
            result,
            Err(RtmError::JoinChannel(
                JoinChannelErr::AlreadyJoined | JoinChannelErr::AlreadyJoinedChannelOfSameId
            ))
        );
        let Some(channel) = self.by_id(id) else { return };
        if result.is_ok() || already {
            channel.joined = true;
        } else {
            self.current = None;
        }
    }

    /// Handles the start of a leave: from now on, channel events are dropped.
    pub fn leave(&mut self, id: &ChannelId) {
        if self.is(id) {
            self.current = None;
        }
    }

    /// Applies the joins and leaves since the list was fetched, for the run that answers with it.
    pub fn settle_list(&mut self, run: &mut Run, env: &Env) {
        let slot = |input: EmulationInput| env.row(run.row).emulation_inputs[input as usize];
        let (members, attrs) = (slot(EmulationInput::Members), slot(EmulationInput::Attributes));
        let own = env.own_user();
        let Some(channel) = &mut self.current else { return };
        let (mut list, complete) = match members.map(|at| Vec::<UserId>::from_value(&run.slots[at])) {
            Some(Ok(list)) if list.len() < MEMBERS_CUT_OFF => (list, true),
            Some(Ok(list)) => (list, false),
            _ => (own.iter().cloned().collect(), false),
        };
        let held = channel.held.take().unwrap_or_default();
        channel.held = Some(apply_held(&mut list, held));
        channel
            .members
            .replace(list.iter().cloned().chain(own.clone()), complete);
        if let Some(at) = members {
            run.slots[at] = Value::List(list.iter().map(Field::to_value).collect());
        }
        if let Some(at) = attrs {
            if let Some(own) = &own {
                channel.attributes.relist(&run.slots[at], own);
            }
            channel.system_attributes.refresh(&listed(&run.slots[at]));
        }
    }

    /// Returns the events that were held back, after the list was sent.
    pub fn release(&mut self) -> Option<Vec<RtmEvent>> {
        let channel = self.current.as_mut()?;
        channel.lines.restart();
        Some(channel.held.take().unwrap_or_default())
    }

    /// Holds back an event of the channel; returns true if it did.
    pub fn holds_back(&mut self, event: &RtmEvent, ctx: &mut Ctx<'_>) -> bool {
        let Some(held) = self.current.as_mut().and_then(|channel| channel.held.as_mut()) else {
            return false;
        };
        if held.len() < MAX_HELD {
            held.push(event.clone());
        } else {
            ctx.dropped(DropReason::HeldChannelEvents);
        }
        true
    }

    /// Returns true if the client receives the events of the channel.
    pub fn gets_events(&self) -> bool {
        self.current.as_ref().is_some_and(|channel| !channel.lines.muted)
    }

    /// Numbers an event as a line of the channel, and stores it if `keeps`. Returns its form if the
    /// client receives it now.
    pub fn add_line(&mut self, event: &Event, keeps: bool) -> Option<Form> {
        let cid = self.joins.unsigned_abs();
        let msgid = self.current.as_mut()?.lines.add(event, keeps)?;
        Some(Form::Channel { cid, msgid })
    }

    /// Handles a new login of the client, which must join again.
    pub fn mute(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(channel) = &mut self.current {
            (channel.lines.muted, channel.lines.away) = (true, false);
            ctx.set_timer_in(TimerKey::Rejoin, ctx.env.limits.rejoin);
        }
    }

    /// Handles a resume by session line. The client sends its last line number; until then its
    /// channel events are held, to keep their order.
    pub fn wait_for_resume(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(channel) = self.current.as_mut().filter(|channel| !channel.lines.muted) {
            channel.lines.away = true;
            ctx.set_timer_in(TimerKey::Rejoin, ctx.env.limits.rejoin);
        }
    }

    /// Handles the client's acknowledgement of the resumed channel subscription.
    pub fn resume_lines(&mut self, socket: SocketId, cid: u64, msgid: u64, ctx: &mut Ctx<'_>) {
        let is_current = cid == self.joins.unsigned_abs();
        let channel = self.current.as_mut().filter(|c| is_current && c.lines.away);
        let Some(channel) = channel else { return };
        let (missed, gap) = channel.lines.resume(msgid);
        if gap {
            ctx.dropped(DropReason::ChannelLines);
        }
        for (msgid, event) in missed {
            let form = Form::Channel { cid, msgid };
            ctx.push(Effect::Notify { socket, form, event });
        }
    }

    /// Handles the end of the time to join again, or to resume.
    pub fn rejoin_timer(&mut self, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        if let Some(channel) = self.current.take_if(|channel| channel.lines.muted) {
            requests.send_aside(RtmCall::Leave { channel_id: channel.id }, ctx);
        } else if let Some(channel) = &mut self.current {
            channel.lines.away = false;
        }
    }

    /// Handles a join or leave; returns false for a duplicate.
    pub fn member_changed(&mut self, event: &RtmEvent) -> bool {
        self.current
            .as_mut()
            .is_some_and(|channel| channel.members.changed(event))
    }

    /// Returns true if joins and leaves are reported.
    pub fn reports_members(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|channel| channel.system_attributes.reports_members())
    }

    /// Handles RTM's member count.
    pub fn counted(&mut self, count: u64, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        let Some(channel) = &mut self.current else { return };
        if channel.members.counted(count) {
            let channel_id = channel.id.clone();
            requests.send_aside(RtmCall::GetMembers { channel_id }, ctx);
        }
        self.publish_count(ctx);
    }

    /// Handles the member list of a channel that is no longer large. Returns the joins and leaves
    /// that RTM has not sent, and the number of members.
    pub fn recounted(&mut self, id: &ChannelId, reply: Option<&RtmReply>) -> Option<(Vec<RtmEvent>, u64)> {
        let list = match reply {
            Some(RtmReply::UserIds(list)) => Some(&list[..]),
            _ => None,
        };
        let difference = self.by_id(id)?.members.recounted(list)?;
        let left = difference.left.into_iter().map(|member_id| RtmEvent::MemberLeft {
            channel_id: id.clone(),
            member_id,
        });
        let joined = difference.joined.into_iter().map(|member_id| RtmEvent::MemberJoined {
            channel_id: id.clone(),
            member_id,
        });
        Some((left.chain(joined).collect(), list?.len() as u64))
    }

    /// Sets the number of members.
    pub fn set_count(&mut self, count: u64) {
        if let Some(channel) = &mut self.current {
            channel.members.set_count(count);
        }
    }

    /// Sets the timer to publish the member count, if the channel's attributes demand it.
    pub fn publish_count(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(channel) = self.current.as_mut().filter(|channel| channel.joined) {
            channel.system_attributes.publish_later(channel.members.count(), ctx);
        }
    }

    /// Handles that timer: returns the channel's name, and the attribute with its value.
    pub fn count_to_publish(&mut self) -> Option<(Text, (Text, Value))> {
        let channel = self.current.as_mut()?;
        let attribute = channel.system_attributes.publish(channel.members.count())?;
        Some((channel.name.clone(), attribute))
    }

    /// Returns the changes of a new list of attributes, with the name of the channel.
    pub fn attributes_updated(&mut self, list: &[(Text, ChannelAttribute)], env: &Env) -> Option<(Text, Vec<Change>)> {
        let own = env.own_user()?;
        let channel = self.current.as_mut()?;
        let changes = channel.attributes.diff(list, &own);
        channel.system_attributes.refresh(&shown(list));
        Some((channel.name.clone(), changes))
    }

    /// Registers a call that may be an attribute write.
    pub fn write_sent(&mut self, call: &RtmCall) {
        if let Some((id, write)) = write_of(call)
            && let Some(channel) = self.by_id(id)
        {
            channel.attributes.writes(write);
        }
    }

    /// Marks a write as completed.
    pub fn write_done(&mut self, call: &RtmCall) {
        if let Some((id, write)) = write_of(call)
            && let Some(channel) = self.by_id(id)
        {
            channel.attributes.written(&write);
        }
    }

    /// Removes a write that has failed or is retried.
    pub fn write_failed(&mut self, call: &RtmCall) {
        if let Some((id, write)) = write_of(call)
            && let Some(channel) = self.by_id(id)
        {
            channel.attributes.failed(&write);
        }
    }

    /// Counts a call; returns false if it exceeds the channel's own limits.
    pub fn admits(&mut self, run: &Run, ctx: &Ctx<'_>) -> bool {
        let env = ctx.env;
        let name = run.channel(env);
        let channel = self.current.as_mut().filter(|c| c.joined && Some(&c.name) == name);
        let Some(channel) = channel else { return true };
        let row = env.row(run.row);
        if row.limit == Some(Limit::ChannelMessages) {
            return channel.system_attributes.admits_message(ctx.now);
        }
        let writes = matches!(
            row.emulation,
            Some(Emulation::AttrWrite | Emulation::SystemAttributeWrite)
        );
        let attribute = run.input(env, EmulationInput::Name).filter(|_| writes);
        let attribute = attribute.and_then(Value::as_text);
        attribute.is_none_or(|name| channel.system_attributes.admits_write(name, ctx.now))
    }
}

/// Initial states for examples.
impl ChannelState {
    pub fn assume_joined(&mut self, name: Text, id: ChannelId, own: Option<UserId>) {
        let mut channel = Channel::new(name, id);
        channel.joined = true;
        channel.members.extend(own);
        self.joins = 1;
        self.current = Some(Box::new(channel));
    }

    pub fn assume_members(&mut self, members: Vec<UserId>) {
        if let Some(channel) = &mut self.current {
            channel.members.extend(members);
        }
    }

    pub fn assume_attributes(&mut self, list: &Value) {
        if let Some(channel) = &mut self.current {
            channel.attributes = Attributes::known(list);
        }
    }
}

/// Applies the joins and leaves among the events to a list; returns the events that the list does
/// not show.
fn apply_held(list: &mut Vec<UserId>, held: Vec<RtmEvent>) -> Vec<RtmEvent> {
    let mut later = Vec::new();
    for event in held {
        match &event {
            RtmEvent::MemberJoined { member_id, .. } if list.contains(member_id) => {}
            RtmEvent::MemberLeft { member_id, .. } => {
                list.retain(|member| member != member_id);
                later.retain(|other| !matches!(other, RtmEvent::MemberJoined { member_id: m, .. } if m == member_id));
            }
            _ => later.push(event),
        }
    }
    later
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, joins: bool) -> RtmEvent {
        let (channel_id, member_id) = (ChannelId::new("r").unwrap(), UserId::new(name).unwrap());
        if joins {
            RtmEvent::MemberJoined { channel_id, member_id }
        } else {
            RtmEvent::MemberLeft { channel_id, member_id }
        }
    }

    #[test]
    fn held_joins_and_leaves_are_in_the_list_or_follow_it() {
        let user = |name| UserId::new(name).unwrap();
        let mut list = vec![user("bob"), user("carol")];
        let held = [
            ("bob", true),
            ("carol", false),
            ("dave", true),
            ("erin", true),
            ("dave", false),
        ];
        let later = apply_held(&mut list, held.map(|(name, joins)| event(name, joins)).into());
        assert_eq!((list, later), (vec![user("bob")], vec![event("erin", true)]));
    }

    #[test]
    fn a_failed_join_ends_the_channel_of_its_id() {
        let mut state = ChannelState::default();
        let id = |id| ChannelId::new(id).unwrap();
        state.join("room".into(), id("r"));
        assert!(!state.has_joined(Some(&"room".into())) && state.is_other(Some(&"hall".into())));
        state.join_replied(&id("other"), &Err(JoinChannelErr::Failure.into()));
        state.join_replied(&id("r"), &Err(JoinChannelErr::AlreadyJoined.into()));
        assert!(state.has_joined(Some(&"room".into())));
        assert_eq!((state.joins(), state.joined_id()), (1, Some(&id("r"))));
        state.join("room".into(), id("r"));
        state.join_replied(&id("r"), &Err(JoinChannelErr::Failure.into()));
        assert_eq!((state.joins(), state.name()), (2, None));
    }
}
