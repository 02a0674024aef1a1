//! Calls: immediate refusals, calls behind a pending one, operations.

use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::value::Text;
use rtm::{
    CallKind, ConnectionReason, ConnectionState, LoginErr, LogoutErr, RenewTokenErr, RtmCall, RtmError, RtmEvent,
    RtmReply, UserId,
};
use rtm_embedded::{Needs, checks, limits, needs, state_changed, upsert};

use crate::node::client::{Phase, WaitingCall};
use crate::node::op::{Call, Op, ReplyHandler, fields};
use crate::node::{ForClient as _, Node, Outputs, Timer, failed, replied};
use crate::wire::{attributes_out, message_out};

type Pairs = Vec<(Text, Text)>;

impl Node {
    /// Checks a call in the SDKs' order, and performs it: attributes and invitations, the login, the other arguments, rates.
    pub(super) fn admit(&mut self, now: Time, client: u64, waiting: WaitingCall, out: &mut Outputs) {
        let WaitingCall {
            request,
            call,
            until,
            as_member,
        } = waiting;
        let kind = call.kind();
        let call_of = Call {
            client,
            request: Some(request),
            kind,
            until,
        };
        let checked = self.check(now, client, &call, as_member);
        if let Err(error) = checked.and_then(|()| self.perform(now, call_of, call, out)) {
            out.push(failed(request, error).for_client(client));
        }
    }

    fn check(&mut self, now: Time, client: u64, call: &RtmCall, as_member: bool) -> Result<(), RtmError> {
        let kind = call.kind();
        let Some(found) = self.clients.get_mut(&client) else {
            return Ok(());
        };
        checks::without_login(call)?;
        match (&found.phase, needs(kind)) {
            (_, Needs::Nothing) => {
                found
                    .rates
                    .admit(now, call, &self.config.service.rates, self.config.service.rate_scale)?
            }
            (Phase::LoggedIn(session), _) => {
                if !as_member {
                    checks::with_login(&**session, call)?;
                }
                found
                    .rates
                    .admit(now, call, &self.config.service.rates, self.config.service.rate_scale)?;
            }
            // Their handles know better than "not logged in": not started, or over.
            (_, Needs::Handle) => {}
            (_, Needs::Login | Needs::Link) => return Err(refusal(kind, Refusal::NotLoggedIn)),
        }
        // A logout is never refused.
        if self.is_full() && kind != CallKind::Logout {
            return Err(refusal(kind, Refusal::TooOften));
        }
        Ok(())
    }

    /// Runs the calls that waited for one that has been answered.
    pub(super) fn release(&mut self, now: Time, client: u64, out: &mut Outputs) {
        if let Some(found) = self.clients.get_mut(&client) {
            found.busy = false;
        }
        while let Some(found) = self.clients.get_mut(&client).filter(|found| !found.busy) {
            let Some(waiting) = found.waiting.pop_front() else {
                return;
            };
            self.admit(now, client, waiting, out);
        }
    }

    /// Sends an operation for a call. Later calls of the instance wait for it.
    pub(super) fn push_exclusive(&mut self, call: Call, fields: Vec<Vec<u8>>, handler: ReplyHandler) {
        if let Some(found) = self.clients.get_mut(&call.client) {
            found.busy = true;
        }
        self.push_call(call, fields, handler);
    }

    fn push_call(&mut self, call: Call, fields: Vec<Vec<u8>>, handler: ReplyHandler) {
        let call = Some(call);
        self.push(Op { fields, call, handler });
    }

    fn perform(&mut self, now: Time, call: Call, args: RtmCall, out: &mut Outputs) -> Result<(), RtmError> {
        use RtmCall as C;
        match args {
            C::Login { uid, token } => return self.login(now, call, uid, token.as_deref(), out),
            C::Logout {} => return self.logout(call, out),
            C::RenewToken { token } => return self.renew_token(now, call, &token, out),
            C::LocalInvitationSend {
                invitation,
                callee_id,
                channel_id,
                content,
            } => return self.invite(call, invitation, callee_id, channel_id, content, out),
            C::LocalInvitationCancel { invitation, content } => return self.cancel(call, invitation, content),
            C::RemoteInvitationAccept { invitation, response } => return self.accept(call, invitation, response),
            C::RemoteInvitationRefuse { invitation, response } => {
                return self.refuse_invitation(call, invitation, response);
            }
            C::RestChannelMessage {
                user_id,
                channel,
                payload,
            } => return self.rest(call, &user_id, channel.as_str(), &payload),
            _ => {}
        }
        let session = self.clients.get(&call.client).and_then(|client| client.session());
        let Some(session) = session else { return Ok(()) };
        let (user, login) = (session.user.clone(), session.login.clone());
        let user_text = user.as_str();
        match args {
            C::SendMessageToPeer { peer_id, message } => {
                let fields = fields!["peer", user_text, peer_id.as_str(), message_out(&message)];
                self.push_call(call, fields, ReplyHandler::Peer);
            }
            C::SendMessage { channel_id, message } => {
                let fields = fields!["channel", user_text, channel_id.as_str(), message_out(&message)];
                self.push_call(call, fields, ReplyHandler::Status);
            }
            C::QueryPeersOnlineStatus { peer_ids } => {
                let mut peers: Vec<UserId> = Vec::with_capacity(peer_ids.len());
                for peer in peer_ids {
                    if !peers.contains(&peer) {
                        peers.push(peer);
                    }
                }
                self.push_call(
                    call,
                    list_operation("online", &peers, UserId::as_str),
                    ReplyHandler::Online(peers),
                );
            }
            C::SubscribePeersOnlineStatus { peer_ids } => self.follow(call, peer_ids),
            C::UnsubscribePeersOnlineStatus { peer_ids } => self.unfollow(call, &peer_ids),
            C::QueryPeersBySubscriptionOption {} => {
                let followed = session.following.keys().cloned().collect();
                self.answer_now(call, RtmReply::UserIds(followed), out);
            }
            C::SetLocalUserAttributes { attributes } => self.write_attributes(call, Vec::new(), attributes),
            C::AddOrUpdateLocalUserAttributes { attributes } => {
                let mut merged = session.attributes.clone();
                for (key, value) in attributes {
                    upsert(&mut merged, key, value);
                }
                checks::user_attributes(&merged)?;
                self.write_attributes(call, merged, Vec::new());
            }
            C::DeleteLocalUserAttributesByKeys { keys } => {
                let left = session.attributes.iter().filter(|(key, _)| !keys.contains(key));
                let left = left.cloned().collect();
                self.write_attributes(call, left, Vec::new());
            }
            C::ClearLocalUserAttributes {} => self.write_attributes(call, Vec::new(), Vec::new()),
            C::GetUserAttributes { user_id } => {
                self.push_call(
                    call,
                    fields!["attributes_of", user_id.as_str()],
                    ReplyHandler::AttributesOf(None),
                );
            }
            C::GetUserAttributesByKeys { user_id, keys } => {
                self.push_call(
                    call,
                    fields!["attributes_of", user_id.as_str()],
                    ReplyHandler::AttributesOf(Some(keys)),
                );
            }
            C::Join { channel_id } => {
                if let Some(session) = self
                    .clients
                    .get_mut(&call.client)
                    .and_then(|client| client.session_mut())
                {
                    session.moved.retain(|moved| *moved != channel_id);
                }
                let fields = fields!["join", user_text, login.as_bytes(), channel_id.as_str()];
                self.push_exclusive(call, fields, ReplyHandler::Join(channel_id));
            }
            C::Leave { channel_id } => {
                let fields = fields!["leave", user_text, login.as_bytes(), channel_id.as_str()];
                self.push_exclusive(call, fields, ReplyHandler::Leave(channel_id));
            }
            C::GetMembers { channel_id } => {
                self.push_call(call, fields!["members", channel_id.as_str()], ReplyHandler::Members)
            }
            C::GetChannelMemberCount { channel_ids } => {
                let mut ids: Vec<rtm::ChannelId> = Vec::with_capacity(channel_ids.len());
                for id in channel_ids {
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                self.push_call(
                    call,
                    list_operation("counts", &ids, rtm::ChannelId::as_str),
                    ReplyHandler::Counts(ids),
                );
            }
            C::SetChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => self.write_channel(
                call,
                "set",
                (&user, channel_id.as_str(), enable_notification),
                pairs(&attributes),
            ),
            C::AddOrUpdateChannelAttributes {
                channel_id,
                attributes,
                enable_notification,
            } => self.write_channel(
                call,
                "update",
                (&user, channel_id.as_str(), enable_notification),
                pairs(&attributes),
            ),
            C::DeleteChannelAttributesByKeys {
                channel_id,
                keys,
                enable_notification,
            } => {
                let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
                self.write_channel(call, "delete", (&user, channel_id.as_str(), enable_notification), keys);
            }
            C::ClearChannelAttributes {
                channel_id,
                enable_notification,
            } => self.write_channel(
                call,
                "set",
                (&user, channel_id.as_str(), enable_notification),
                Vec::new(),
            ),
            C::GetChannelAttributes { channel_id } => {
                self.push_call(
                    call,
                    fields!["channel_read", channel_id.as_str()],
                    ReplyHandler::ChannelRead(None),
                );
            }
            C::GetChannelAttributesByKeys { channel_id, keys } => {
                self.push_call(
                    call,
                    fields!["channel_read", channel_id.as_str()],
                    ReplyHandler::ChannelRead(Some(keys)),
                );
            }
            // They are above.
            C::Login { .. }
            | C::Logout {}
            | C::RenewToken { .. }
            | C::LocalInvitationSend { .. }
            | C::LocalInvitationCancel { .. }
            | C::RemoteInvitationAccept { .. }
            | C::RemoteInvitationRefuse { .. }
            | C::RestChannelMessage { .. } => {}
        }
        Ok(())
    }

    /// An empty token is refused without a state change, as the C++ SDK does; no token at all is fine.
    fn login(
        &mut self,
        now: Time,
        call: Call,
        user: UserId,
        token: Option<&str>,
        out: &mut Outputs,
    ) -> Result<(), RtmError> {
        let phase = self.clients.get(&call.client).map(|client| &client.phase);
        if !matches!(phase, Some(Phase::LoggedOut)) {
            return Err(LoginErr::AlreadyLoggedIn.into());
        }
        if token == Some("") {
            return Err(LoginErr::InvalidArgument.into());
        }
        let connecting = state_changed(ConnectionState::Connecting, ConnectionReason::Login);
        out.push(connecting.for_client(call.client));
        match token.map_or(Ok(None), |token| rtm_embedded::expiry(token, now)) {
            Ok(expiry) => {
                let needs_acknowledgement = self
                    .clients
                    .get(&call.client)
                    .is_some_and(|client| client.needs_acknowledgement);
                let moves = if needs_acknowledgement { "1" } else { "0" };
                let fields = fields!["login", user.as_str(), call.client.to_string(), moves];
                self.push_exclusive(call, fields, ReplyHandler::Login(user, expiry));
                Ok(())
            }
            Err(bad) => {
                let failure = state_changed(ConnectionState::Disconnected, ConnectionReason::LoginFailure);
                out.push(failure.for_client(call.client));
                Err(LoginErr::from(bad).into())
            }
        }
    }

    fn logout(&mut self, call: Call, out: &mut Outputs) -> Result<(), RtmError> {
        let Some(client) = self.clients.get_mut(&call.client) else {
            return Ok(());
        };
        match &client.phase {
            Phase::LoggedOut => return Err(LogoutErr::UserNotLoggedIn.into()),
            Phase::Aborted => {
                client.phase = Phase::LoggedOut;
                let event = state_changed(ConnectionState::Disconnected, ConnectionReason::Logout);
                out.push(event.for_client(call.client));
                self.answer_now(call, RtmReply::Void, out);
            }
            Phase::LoggedIn(session) => {
                let (user, login) = (session.user.clone(), session.login.clone());
                let sent = client.handles.local.pending.values().copied().collect();
                client.busy = true;
                self.push_logout(user, &login, sent, Some(call));
            }
        }
        Ok(())
    }

    fn renew_token(&mut self, now: Time, call: Call, token: &str, out: &mut Outputs) -> Result<(), RtmError> {
        let expiry = rtm_embedded::expiry(token, now).map_err(RenewTokenErr::from)?;
        let session = self
            .clients
            .get_mut(&call.client)
            .and_then(|client| client.session_mut());
        let Some(session) = session else { return Ok(()) };
        session.expiry = expiry;
        self.answer_now(call, RtmReply::Void, out);
        self.watch_token(now, call.client);
        Ok(())
    }

    /// Sets the timer of the token's warning, or of its end when the warning's time is past.
    pub(super) fn watch_token(&mut self, now: Time, client: u64) {
        let session = self.clients.get_mut(&client).and_then(|client| client.session_mut());
        let Some(session) = session else { return };
        if let Some(timer) = session.token_timer.take() {
            self.timers.cancel(timer);
        }
        session.token_timer = session.expiry.map(|end| {
            let before = limits::TOKEN_WARNING.as_millis() as u64;
            let warning = Time::from_millis(end.as_millis().saturating_sub(before));
            self.timers.set(warning.max(now), Timer::Token(client))
        });
    }

    /// Handles the timer of the token's warning or end.
    pub(super) fn token_due(&mut self, now: Time, client: u64, out: &mut Outputs) {
        let session = self.clients.get_mut(&client).and_then(|client| client.session_mut());
        let Some(session) = session else { return };
        session.token_timer = None;
        let Some(end) = session.expiry else { return };
        if now < end {
            session.token_timer = Some(self.timers.set(end, Timer::Token(client)));
            out.push(RtmEvent::TokenPrivilegeWillExpire {}.for_client(client));
        } else {
            self.abort(client, ConnectionReason::TokenExpired, out);
        }
    }

    /// Ends a login without a logout: ABORTED until the app logs out.
    pub(super) fn abort(&mut self, client: u64, reason: ConnectionReason, out: &mut Outputs) {
        out.push(state_changed(ConnectionState::Aborted, reason).for_client(client));
        if let Some((user, login, _)) = self.end_session(client)
            && reason != ConnectionReason::RemoteLogin
        {
            self.push_logout(user, &login, Vec::new(), None);
        }
        if let Some(found) = self.clients.get_mut(&client) {
            found.phase = Phase::Aborted;
        }
    }

    /// Removes the state of a login. Returns its user, its name and its invitations.
    pub(super) fn end_session(&mut self, client: u64) -> Option<(UserId, Text, Vec<u64>)> {
        let found = self.clients.get_mut(&client)?;
        let Phase::LoggedIn(session) = std::mem::take(&mut found.phase) else {
            return None;
        };
        let sent = found.handles.local.pending.values().copied().collect();
        if let Some(timer) = session.token_timer {
            self.timers.cancel(timer);
        }
        self.users.remove(&session.user);
        for channel in &session.joined {
            self.remove_member(client, channel);
        }
        self.remove_subscriptions(client, session.following.keys());
        self.end_invitations(client);
        Some((session.user, session.login, sent))
    }

    fn write_attributes(&mut self, call: Call, mut all: Pairs, given: Pairs) {
        for (key, value) in given {
            upsert(&mut all, key, value);
        }
        let session = self.clients.get(&call.client).and_then(|client| client.session());
        let Some(session) = session else { return };
        let fields = fields![
            "attributes",
            session.user.as_str(),
            session.login.as_bytes(),
            attributes_out(&all)
        ];
        self.push_exclusive(call, fields, ReplyHandler::Attributes(all));
    }

    fn write_channel(
        &mut self,
        call: Call,
        mode: &str,
        (user, channel, notify): (&UserId, &str, bool),
        given: Vec<Vec<u8>>,
    ) {
        let mut fields = fields![
            "channel_write",
            mode,
            user.as_str(),
            channel,
            if notify { "1" } else { "0" }
        ];
        fields.extend(given);
        self.push_call(call, fields, ReplyHandler::Status);
    }

    fn rest(&mut self, call: Call, user: &UserId, channel: &str, payload: &Text) -> Result<(), RtmError> {
        checks::rest_message(payload)?;
        let service = &self.config.service;
        let calls = u64::from(service.rates.rest.calls) * u64::from(service.rate_scale);
        let per = service.rates.rest.per.as_millis();
        let body = message_out(&rtm::Message::Text(payload.clone()));
        let fields = fields!["rest", user.as_str(), channel, body, calls.to_string(), per.to_string()];
        self.push_call(call, fields, ReplyHandler::Status);
        Ok(())
    }

    pub(super) fn answer_now(&self, call: Call, reply: RtmReply, out: &mut Outputs) {
        if let Some(request) = call.request {
            out.push(replied(request, reply).for_client(call.client));
        }
    }

    /// Handles an operation that was not executed.
    pub(super) fn refuse(&mut self, now: Time, op: Op, reason: Refusal, out: &mut Outputs) {
        if let ReplyHandler::Follow(all) = &op.handler
            && let Some(call) = op.call
        {
            self.follow_failed(call.client, all);
        }
        if let ReplyHandler::Heartbeat = op.handler {
            self.heartbeat_queued = false;
        }
        let Some(call) = op.call else { return };
        if let Some(request) = call.request {
            if call.kind == CallKind::Login {
                let failure = state_changed(ConnectionState::Disconnected, ConnectionReason::LoginFailure);
                out.push(failure.for_client(call.client));
            }
            out.push(failed(request, refusal(call.kind, reason)).for_client(call.client));
        }
        if let ReplyHandler::Invite(local) = &op.handler
            && let Some(client) = self.clients.get_mut(&call.client)
        {
            client.handles.local.end(local.invitation, rtm_embedded::End::Other);
        }
        self.release_if_first(now, &op, out);
    }

    /// Continues the calls behind an answered one.
    pub(super) fn release_if_first(&mut self, now: Time, op: &Op, out: &mut Outputs) {
        let first = matches!(
            op.handler,
            ReplyHandler::Login(..)
                | ReplyHandler::Logout
                | ReplyHandler::Follow(_)
                | ReplyHandler::Attributes(_)
                | ReplyHandler::Join(_)
                | ReplyHandler::Leave(_)
                | ReplyHandler::Invite(_)
                | ReplyHandler::Cancel(..)
                | ReplyHandler::Accept(..)
                | ReplyHandler::Refuse(..)
        );
        if let Some(call) = op.call.filter(|_| first) {
            self.release(now, call.client, out);
        }
    }
}

fn pairs(attributes: &[(Text, Text)]) -> Vec<Vec<u8>> {
    let fields = attributes.iter().flat_map(|(key, value)| [key, value]);
    fields.map(|field| field.as_bytes().to_vec()).collect()
}

fn list_operation<T>(name: &str, items: &[T], text: impl Fn(&T) -> &str) -> Vec<Vec<u8>> {
    let mut fields = fields![name];
    fields.extend(items.iter().map(|item| text(item).as_bytes().to_vec()));
    fields
}
