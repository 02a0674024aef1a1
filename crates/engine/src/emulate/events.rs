//! RTM events: selection of the row's outcome and its inputs.

use rtm::value::{Text, Value};
use rtm::{ChannelAttribute, ConnectionReason, ConnectionState, Message, RtmError, RtmEvent};
use tables::condition::{Emulation, EmulationOutcome, EmulationValue};
use tables::expr::{parse_end_call, parse_signal};
use tables::wire::ResumeMode;

use crate::api::{Effect, EndReason};
use crate::emulate::attributes::{Change, shown};
use crate::emulate::invitations::{CallState, Role};
use crate::invocation::Run;
use crate::session::{Ctx, Session};

impl Session {
    /// Runs the row of an RTM event.
    pub(crate) fn rtm_event(&mut self, event: RtmEvent, ctx: &mut Ctx<'_>) {
        if self.is_of_other_channel(&event) {
            return;
        }
        if self.waits_for_name(&event, ctx) {
            return;
        }
        if let Some(id) = channel_of(&event)
            && !matches!(event, RtmEvent::MemberCountUpdated { .. })
            && self.held(&id.clone(), &event, ctx)
        {
            return;
        }
        match &event {
            RtmEvent::MemberCountUpdated { member_count, .. } => self.counted(*member_count, ctx),
            RtmEvent::PeersOnlineStatusChanged { status } => self.peers_turned(&status.clone(), ctx),
            RtmEvent::RemoteInvitationAccepted { invitation } => self.accept_confirmed(invitation.invitation),
            _ => {}
        }
        let Some(row) = self.context.tables.row_on(event.kind()) else {
            return;
        };
        let mut run = self.new_run(row, event.values());
        run.error = reason_of(&event);
        match self.context.tables.rows[row].emulation {
            None => self.fire_named(&mut run, EmulationOutcome::Default, ctx),
            Some(emulation) => self.sort(emulation, run, event, ctx),
        }
    }

    fn sort(&mut self, emulation: Emulation, mut run: Run, event: RtmEvent, ctx: &mut Ctx<'_>) {
        match emulation {
            Emulation::MemberSet => {
                if self.member_changed(&event) {
                    if self
                        .channel
                        .as_ref()
                        .is_some_and(|c| c.system_attributes.reports_members())
                    {
                        self.fire_named(&mut run, EmulationOutcome::Changed, ctx);
                    }
                    self.publish_count(ctx);
                }
            }
            Emulation::PeerText | Emulation::ChannelText => self.sort_message(run, &event, ctx),
            Emulation::AttrDiff => {
                if let RtmEvent::AttributesUpdated { attributes, .. } = &event {
                    self.sort_attributes(&mut run, attributes, ctx);
                }
            }
            Emulation::Calls | Emulation::Refusal | Emulation::IncomingCall | Emulation::RingingOnly => {
                self.sort_call(run, &event, ctx);
            }
            Emulation::Status => self.sort_status(run, &event, ctx),
            // These emulations affect rows of calls.
            Emulation::SingleChannel
            | Emulation::AttrWrite
            | Emulation::SystemAttributeWrite
            | Emulation::InviteTimers
            | Emulation::AnswerCall
            | Emulation::RefuseCall
            | Emulation::CloseCall
            | Emulation::Outbox
            | Emulation::TransientJoin => {}
        }
    }

    fn member_changed(&mut self, event: &RtmEvent) -> bool {
        let Some(channel) = &mut self.channel else {
            return false;
        };
        let (changed, by) = match event {
            RtmEvent::MemberJoined { member_id, .. } => (channel.members.insert(member_id.clone()), 1),
            RtmEvent::MemberLeft { member_id, .. } => (channel.members.remove(member_id), -1),
            _ => (false, 0),
        };
        // Above 512 members, duplicates cannot be detected.
        let changed = changed || channel.large;
        if let (true, Some(counted)) = (changed, &mut channel.counted) {
            // RTM sends the count at most once a second; apps may query it earlier.
            *counted = counted.saturating_add_signed(by);
        }
        changed
    }

    fn sort_message(&mut self, mut run: Run, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        let (message, from_peer) = match event {
            RtmEvent::MessageFromPeer { message, .. } => (message, true),
            RtmEvent::ChannelMessage { message, .. } => (message, false),
            _ => return,
        };
        let Message::Text(text) = message else {
            return match parse_signal(message).filter(|_| from_peer) {
                Some((kind, channel, data)) if &*kind == "dtmf" => {
                    self.set_value(&mut run, EmulationValue::Channel, channel.into());
                    self.set_value(&mut run, EmulationValue::Digits, data.into());
                    self.fire_named(&mut run, EmulationOutcome::Dtmf, ctx);
                }
                _ => self.fire_named(&mut run, EmulationOutcome::Raw, ctx),
            };
        };
        if let Some((channel, info)) = parse_end_call(text).filter(|_| from_peer) {
            if let RtmEvent::MessageFromPeer { peer_id, .. } = event {
                let known = self.call_ended_by_peer(&channel, peer_id.text());
                if !known && (self.lost_calls || self.resume_mode() == ResumeMode::Never) {
                    return;
                }
            }
            self.set_value(&mut run, EmulationValue::Channel, channel.into());
            self.set_value(&mut run, EmulationValue::Info, info.into());
            return self.fire_named(&mut run, EmulationOutcome::Ended, ctx);
        }
        self.set_value(&mut run, EmulationValue::Text, text.clone().into());
        self.fire_named(&mut run, EmulationOutcome::Text, ctx);
    }

    /// Removes the call; returns true if there was one.
    fn call_ended_by_peer(&mut self, channel_id: &Text, peer_id: &Text) -> bool {
        let (channel, peer) = (
            self.context.names.channel(channel_id),
            self.context.names.account(peer_id),
        );
        self.ended_by_peer(&channel, &peer)
    }

    fn sort_attributes(&mut self, run: &mut Run, list: &[(Text, ChannelAttribute)], ctx: &mut Ctx<'_>) {
        let Ok(me) = rtm::UserId::new(self.context.names.user_id(&self.account)) else {
            return;
        };
        let Some(channel) = &mut self.channel else { return };
        let name = channel.name.clone();
        let changes = channel.attrs.diff(list, &me);
        channel.system_attributes.refresh(&shown(list));
        for change in changes {
            let (outcome, key, value) = match change {
                Change::Set(key, value) => (EmulationOutcome::Set, key, Value::Text(value)),
                Change::Removed(key) => (EmulationOutcome::Removed, key, Value::Null),
                Change::Cleared => (EmulationOutcome::Cleared, "".into(), Value::Null),
                Change::Nothing => {
                    self.fire_named(run, EmulationOutcome::Doubtful, ctx);
                    continue;
                }
            };
            self.report_attribute(run, &name, outcome, key, value, ctx);
            if outcome == EmulationOutcome::Removed && list.is_empty() {
                self.fire_named(run, EmulationOutcome::Doubtful, ctx);
            }
        }
        self.publish_count(ctx);
    }

    /// Reports a change of an attribute.
    pub(crate) fn report_attribute(
        &mut self,
        run: &mut Run,
        channel: &Text,
        outcome: EmulationOutcome,
        name: Text,
        value: Value,
        ctx: &mut Ctx<'_>,
    ) {
        self.set_value(run, EmulationValue::Channel, channel.clone().into());
        self.set_value(run, EmulationValue::Name, name.into());
        self.set_value(run, EmulationValue::Value, value);
        self.fire_named(run, outcome, ctx);
    }

    fn sort_call(&mut self, mut run: Run, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        use RtmEvent as E;
        let (role, invitation) = match event {
            E::LocalInvitationReceivedByPeer { invitation }
            | E::LocalInvitationAccepted { invitation, .. }
            | E::LocalInvitationRefused { invitation, .. }
            | E::LocalInvitationFailure { invitation, .. } => (Role::Caller, invitation.invitation),
            E::RemoteInvitationReceived { invitation }
            | E::RemoteInvitationCanceled { invitation, .. }
            | E::RemoteInvitationFailure { invitation, .. } => (Role::Callee, invitation.invitation),
            _ => return,
        };
        run.invitation = Some(invitation);
        if let E::RemoteInvitationReceived { invitation } = event {
            let Some(channel) = invitation.channel_id.as_ref().filter(|id| !id.is_empty()) else {
                return self.fire_named(&mut run, EmulationOutcome::NoChannel, ctx);
            };
            if self.socket.is_none() && !self.gets_missed_events() {
                // The event is not stored for a later login, where a stale call would ring. This
                // applies as well to a client that logs in instead of resuming by line.
                return self.fire_named(&mut run, EmulationOutcome::Unseen, ctx);
            }
            let channel = self.context.names.channel(channel);
            let peer = self.context.names.account(invitation.caller_id.text());
            self.called_by(&run, (channel, peer), invitation.invitation, ctx);
            return self.fire_named(&mut run, EmulationOutcome::Ringing, ctx);
        }
        let Some(call) = self.calls.by_invitation(role, invitation) else {
            return;
        };
        let is_accepted = matches!(event, E::LocalInvitationAccepted { .. });
        if call.state == CallState::Withdrawn {
            if is_accepted {
                // The answer preceded the cancel: the callee must not remain in a call without a
                // caller.
                self.fire_origin(role, invitation, EmulationOutcome::AnsweredLate, ctx);
            }
            return;
        }
        // A call confirmed by both sides cannot fail any more. A call accepted only by this side
        // can, because its caller may have disconnected.
        let is_settled = call.state == CallState::Talking;
        if is_accepted {
            call.state = CallState::Talking;
        }
        if call.is_closing() || is_settled {
            return;
        }
        if !matches!(
            event,
            E::LocalInvitationAccepted { .. } | E::LocalInvitationReceivedByPeer { .. }
        ) {
            self.calls.remove(role, invitation);
        }
        let outcome = match event {
            E::LocalInvitationRefused { response, .. } => match parse_end_call(response) {
                Some((channel, info)) => {
                    self.set_value(&mut run, EmulationValue::Channel, channel.into());
                    self.set_value(&mut run, EmulationValue::Info, info.into());
                    EmulationOutcome::Ended
                }
                None => EmulationOutcome::Refused,
            },
            E::RemoteInvitationFailure { .. } => EmulationOutcome::Ringing,
            _ => EmulationOutcome::Default,
        };
        self.fire_named(&mut run, outcome, ctx);
    }

    fn sort_status(&mut self, mut run: Run, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        let RtmEvent::ConnectionStateChanged { state, reason } = event else {
            return;
        };
        match (state, reason) {
            (ConnectionState::Aborted, ConnectionReason::RemoteLogin) => {
                self.abandon_calls(&mut run, ctx);
                self.fire_named(&mut run, EmulationOutcome::Kicked, ctx);
                if self.socket.is_none() {
                    // The user has logged in on another device, whose session gets the waiting
                    // lines.
                    self.store_lines(ctx);
                }
                self.end(EndReason::Kicked, ctx);
            }
            (ConnectionState::Aborted, _) => {
                self.abandon_calls(&mut run, ctx);
                self.fire_named(&mut run, EmulationOutcome::Banned, ctx);
                self.end(EndReason::Banned, ctx);
            }
            (ConnectionState::Reconnecting, _) if !self.reconnecting => {
                self.reconnecting = true;
                self.fire_named(&mut run, EmulationOutcome::Reconnecting, ctx);
            }
            (ConnectionState::Connected, _) if self.reconnecting => {
                self.reconnecting = false;
                self.fire_named(&mut run, EmulationOutcome::Recovered, ctx);
            }
            _ => {}
        }
    }

    /// Removes the calls of a banned user. RTM accepts no call of the user, so ringing calls cannot
    /// be withdrawn.
    fn abandon_calls(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        for _ in self.outgoing() {
            self.fire_named(run, EmulationOutcome::Abandoned, ctx);
        }
    }

    /// Sets a value for the outcomes of the row's emulation, if the row has it.
    pub(crate) fn set_value(&self, run: &mut Run, value: EmulationValue, content: Value) {
        if let Some(slot) = self.context.tables.rows[run.row].emulation_slots[value as usize] {
            run.slots[slot] = content;
        }
    }

    /// Returns true for events of a channel that the session is not in.
    fn is_of_other_channel(&self, event: &RtmEvent) -> bool {
        let Some(id) = channel_of(event) else { return false };
        self.channel.as_ref().is_none_or(|channel| channel.id != *id)
    }

    /// Ends the session; its socket is closed after pending writes.
    pub(crate) fn end(&mut self, how: EndReason, ctx: &mut Ctx<'_>) {
        if self.over {
            return;
        }
        if self.logged_in && matches!(how, EndReason::LoggedOut | EndReason::Lost) {
            self.withdraw_calls(ctx);
        }
        self.over = true;
        self.end_reason = Some(how);
        self.drop_messages(ctx);
        if let Some(socket) = self.socket.take() {
            ctx.out.push(Effect::Close(socket));
        }
        ctx.out.push(Effect::End);
    }
}

fn channel_of(event: &RtmEvent) -> Option<&rtm::ChannelId> {
    match event {
        RtmEvent::MemberJoined { channel_id, .. }
        | RtmEvent::MemberLeft { channel_id, .. }
        | RtmEvent::MemberCountUpdated { channel_id, .. }
        | RtmEvent::ChannelMessage { channel_id, .. }
        | RtmEvent::AttributesUpdated { channel_id, .. } => Some(channel_id),
        _ => None,
    }
}

fn reason_of(event: &RtmEvent) -> Option<RtmError> {
    match event {
        RtmEvent::LocalInvitationFailure { reason, .. } => Some((*reason).into()),
        RtmEvent::RemoteInvitationFailure { reason, .. } => Some((*reason).into()),
        _ => None,
    }
}
