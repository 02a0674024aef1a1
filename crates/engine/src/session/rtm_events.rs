//! RTM events: each is passed to its state machine, which selects the outcome of the event's row.

use rtm::value::{Text, Value};
use rtm::{ChannelAttribute, ChannelId, EventKind, OnlineState, RtmError, RtmEvent, RtmReply, UserId};
use tables::condition::{Emulation, EmulationOutcome, EmulationValue};
use tables::errors::EngineCode;
use tables::row::RowId;
use tables::wire::ResumeMode;

use crate::api::EndReason;
use crate::context::Ctx;
use crate::emulate::attributes::Change;
use crate::emulate::call_role::Role;
use crate::emulate::directory::Resolved;
use crate::emulate::invitations::{CallEvent, Origin};
use crate::emulate::messages::Content;
use crate::run::Run;
use crate::session::Session;

impl Session {
    /// Runs the row of an RTM event.
    #[inline(never)]
    pub(super) fn rtm_event(&mut self, event: RtmEvent, ctx: &mut Ctx<'_>) {
        let channel = channel_of(&event);
        if channel.is_some_and(|id| !self.channel.is(id)) {
            return;
        }
        if self.directory.holds_back(&event, &mut self.requests, ctx) {
            return;
        }
        let is_count = matches!(event, RtmEvent::MemberCountUpdated { .. });
        if channel.is_some() && !is_count && self.channel.holds_back(&event, ctx) {
            return;
        }
        match &event {
            RtmEvent::MemberCountUpdated { member_count, .. } => {
                self.channel.counted(*member_count, &mut self.requests, ctx);
            }
            RtmEvent::PeersOnlineStatusChanged { status } => self.peers_changed(status, ctx),
            RtmEvent::RemoteInvitationAccepted { invitation } => {
                self.invitations.accept_confirmed(invitation.invitation);
            }
            _ => {}
        }
        let Some(row) = ctx.env.tables.row_on(event.kind()) else {
            return;
        };
        let mut values = Vec::with_capacity(ctx.env.row(row).slots.len());
        event.push_values(&mut values);
        let mut run = self.new_run(row, values, ctx);
        run.error = reason_of(&event);
        match ctx.env.row(row).emulation {
            None => self.fire_emulated(&mut run, EmulationOutcome::Default, ctx),
            Some(emulation) => self.emulate_event(emulation, run, &event, ctx),
        }
    }

    fn emulate_event(&mut self, emulation: Emulation, mut run: Box<Run>, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        match emulation {
            Emulation::MemberSet => {
                if self.channel.member_changed(event) {
                    if self.channel.reports_members() {
                        self.fire_emulated(&mut run, EmulationOutcome::Changed, ctx);
                    }
                    self.channel.publish_count(ctx);
                }
            }
            Emulation::PeerText | Emulation::ChannelText => self.message(run, event, ctx),
            Emulation::AttrDiff => {
                if let RtmEvent::AttributesUpdated { attributes, .. } = event {
                    self.attributes_updated(&mut run, attributes, ctx);
                }
            }
            Emulation::Calls | Emulation::Refusal | Emulation::IncomingCall | Emulation::RingingOnly => {
                self.call_event(run, event, ctx);
            }
            Emulation::Status => self.status_event(run, event, ctx),
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

    fn message(&mut self, mut run: Box<Run>, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        let (content, peer) = match event {
            RtmEvent::MessageFromPeer { message, peer_id, .. } => (Content::from_peer(message), Some(peer_id)),
            RtmEvent::ChannelMessage { message, .. } => (Content::from_channel(message), None),
            _ => return,
        };
        let outcome = match content {
            Content::Text(text) => {
                run.set(env, EmulationValue::Text, text.into());
                EmulationOutcome::Text
            }
            Content::EndOfCall { channel, info } => {
                let is_known = peer.is_some_and(|peer| self.call_ended_by_peer(&channel, peer.text(), ctx));
                let has_no_calls = self.client.lost_calls() || env.wire.resume_mode == ResumeMode::Never;
                if !is_known && has_no_calls {
                    return;
                }
                run.set(env, EmulationValue::Channel, channel.into());
                run.set(env, EmulationValue::Info, info.into());
                EmulationOutcome::Ended
            }
            Content::Digits { channel, digits } => {
                run.set(env, EmulationValue::Channel, channel.into());
                run.set(env, EmulationValue::Digits, digits.into());
                EmulationOutcome::Dtmf
            }
            Content::Raw => EmulationOutcome::Raw,
        };
        self.fire_emulated(&mut run, outcome, ctx);
    }

    /// Removes the call; returns true if there was one.
    fn call_ended_by_peer(&mut self, channel_id: &Text, peer_id: &Text, ctx: &Ctx<'_>) -> bool {
        let names = &ctx.env.names;
        let (channel, peer) = (names.channel(channel_id), names.account(peer_id));
        self.invitations.ended_by_peer(&channel, &peer)
    }

    fn attributes_updated(&mut self, run: &mut Run, list: &[(Text, ChannelAttribute)], ctx: &mut Ctx<'_>) {
        let Some((name, changes)) = self.channel.attributes_updated(list, ctx.env) else {
            return;
        };
        for change in changes {
            let (outcome, key, value) = match change {
                Change::Set(key, value) => (EmulationOutcome::Set, key, Value::Text(value)),
                Change::Removed(key) => (EmulationOutcome::Removed, key, Value::Null),
                Change::Cleared => (EmulationOutcome::Cleared, "".into(), Value::Null),
                Change::Nothing => {
                    self.fire_emulated(run, EmulationOutcome::Doubtful, ctx);
                    continue;
                }
            };
            self.report_attribute(run, &name, outcome, (key, value), ctx);
            if outcome == EmulationOutcome::Removed && list.is_empty() {
                self.fire_emulated(run, EmulationOutcome::Doubtful, ctx);
            }
        }
        self.channel.publish_count(ctx);
    }

    /// Reports a change of an attribute.
    fn report_attribute(
        &mut self,
        run: &mut Run,
        channel: &Text,
        outcome: EmulationOutcome,
        (name, value): (Text, Value),
        ctx: &mut Ctx<'_>,
    ) {
        run.set(ctx.env, EmulationValue::Channel, channel.clone().into());
        run.set(ctx.env, EmulationValue::Name, name.into());
        run.set(ctx.env, EmulationValue::Value, value);
        self.fire_emulated(run, outcome, ctx);
    }

    /// Handles the timer of the published member count.
    pub(super) fn member_num_timer(&mut self, ctx: &mut Ctx<'_>) {
        let Some((channel, attribute)) = self.channel.count_to_publish() else {
            return;
        };
        if let Some(row) = ctx.env.tables.row_on(EventKind::AttributesUpdated) {
            let mut run = self.new_run(row, Vec::new(), ctx);
            self.report_attribute(&mut run, &channel, EmulationOutcome::Set, attribute, ctx);
        }
    }

    fn call_event(&mut self, mut run: Box<Run>, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        let env = ctx.env;
        if let RtmEvent::RemoteInvitationReceived { invitation } = event {
            run.invitation = Some(invitation.invitation);
            let outcome = match invitation.channel_id.as_ref().filter(|id| !id.is_empty()) {
                None => EmulationOutcome::NoChannel,
                // The event is not stored for a later login, where a stale call would ring. This
                // applies as well to a client that logs in instead of resuming by line.
                Some(_) if self.client.misses_events(env) => EmulationOutcome::Unseen,
                Some(channel) => {
                    let party = (
                        env.names.channel(channel),
                        env.names.account(invitation.caller_id.text()),
                    );
                    self.invitations.received(&run, party, invitation.invitation, ctx);
                    EmulationOutcome::Ringing
                }
            };
            return self.fire_emulated(&mut run, outcome, ctx);
        }
        match self.invitations.event(event) {
            CallEvent::Nothing => {}
            CallEvent::AnsweredLate(origin) => self.fire_origin(origin, EmulationOutcome::AnsweredLate, ctx),
            CallEvent::Changed(invitation, outcome) => {
                run.invitation = Some(invitation);
                self.fire_emulated(&mut run, outcome, ctx);
            }
            CallEvent::Ended {
                invitation,
                channel,
                info,
            } => {
                run.invitation = Some(invitation);
                run.set(env, EmulationValue::Channel, channel.into());
                run.set(env, EmulationValue::Info, info.into());
                self.fire_emulated(&mut run, EmulationOutcome::Ended, ctx);
            }
        }
    }

    /// Runs an outcome of the row that started a call.
    pub(super) fn fire_origin(&mut self, origin: Origin, outcome: EmulationOutcome, ctx: &mut Ctx<'_>) {
        let mut run = self.runs.create(origin.row, origin.slots);
        run.invitation = Some(origin.invitation);
        run.set(ctx.env, EmulationValue::Info, "".into());
        self.fire_emulated(&mut run, outcome, ctx);
    }

    /// Handles the timeout of an incoming call without a cancel.
    pub(super) fn ring_timer(&mut self, invitation: rtm::InvitationId, ctx: &mut Ctx<'_>) {
        if self.invitations.is_ringing(invitation) {
            if let Some(origin) = self.invitations.origin(Role::Callee, invitation) {
                self.fire_origin(origin, EmulationOutcome::TimedOut, ctx);
            }
            self.invitations.remove(Role::Callee, invitation);
        }
    }

    fn status_event(&mut self, mut run: Box<Run>, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        let Some(outcome) = self.status.rtm_changed(event) else {
            return;
        };
        let end = match outcome {
            EmulationOutcome::Kicked => Some(EndReason::Kicked),
            EmulationOutcome::Banned => Some(EndReason::Banned),
            _ => None,
        };
        if end.is_some() {
            // RTM accepts no call of the user, so ringing calls cannot be withdrawn.
            for _ in self.invitations.outgoing() {
                self.fire_emulated(&mut run, EmulationOutcome::Abandoned, ctx);
            }
        }
        self.fire_emulated(&mut run, outcome, ctx);
        let Some(end) = end else { return };
        if end == EndReason::Kicked && !self.client.is_connected() {
            // The user has logged in on another device, whose session gets the waiting lines.
            self.client.store_lines(ctx);
        }
        self.end(end, ctx);
    }

    /// Sends the messages for peers that are online again.
    fn peers_changed(&mut self, states: &[(UserId, OnlineState)], ctx: &mut Ctx<'_>) {
        for (peer, state) in states {
            if *state != OnlineState::Online {
                continue;
            }
            for message in self.outbox.peer_online(peer, &mut self.requests, ctx) {
                let mut run = self.runs.create(message.row, message.slots);
                run.answered = true;
                run.until = Some(message.until);
                self.start(run, ctx);
            }
        }
    }

    /// Handles the expiry of messages to offline peers.
    pub(super) fn outbox_timer(&mut self, ctx: &mut Ctx<'_>) {
        for message in self.outbox.take_expired(ctx.now) {
            self.outbox.unfollow(&message.peer, &mut self.requests, ctx);
            let mut run = self.runs.create(message.row, message.slots);
            run.answered = true;
            self.fire_emulated(&mut run, EmulationOutcome::Undelivered, ctx);
        }
        self.outbox.set_timer(ctx);
    }

    /// Processes the events that waited for a name.
    pub(super) fn release_named(&mut self, resolved: Resolved, ctx: &mut Ctx<'_>) {
        for event in resolved.events {
            if !resolved.is_known
                && let Some(row) = ctx.env.tables.row_on(event.kind())
            {
                ctx.note(EngineCode::IdHash, row, None);
            }
            self.rtm_event(event, ctx);
        }
    }

    /// Handles the timeout of name lookups.
    pub(super) fn names_timer(&mut self, ctx: &mut Ctx<'_>) {
        for user in self.directory.requested() {
            let resolved = self.directory.settle(&user, None);
            self.release_named(resolved, ctx);
        }
    }

    /// Processes the channel events that were held back for the list.
    pub(super) fn release_channel(&mut self, ctx: &mut Ctx<'_>) {
        let Some(held) = self.channel.release() else { return };
        for event in held {
            self.rtm_event(event, ctx);
        }
        self.channel.publish_count(ctx);
    }

    /// Reports changed members in a channel that is no longer large.
    pub(super) fn recounted(&mut self, id: &ChannelId, reply: Option<&RtmReply>, ctx: &mut Ctx<'_>) {
        let Some((events, count)) = self.channel.recounted(id, reply) else {
            return;
        };
        for event in events {
            self.rtm_event(event, ctx);
        }
        self.channel.set_count(count);
    }

    /// Executes an outcome about the connection to RTM.
    pub(super) fn report_status(&mut self, outcome: EmulationOutcome, ctx: &mut Ctx<'_>) {
        let row: Option<RowId> = ctx.env.tables.row_on(EventKind::ConnectionStateChanged);
        if let Some(row) = row {
            let mut run = self.new_run(row, Vec::new(), ctx);
            self.fire_emulated(&mut run, outcome, ctx);
        }
    }
}

fn channel_of(event: &RtmEvent) -> Option<&ChannelId> {
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
