//! Replica of a session's RTM state, updated by successful calls, for a restore after an agent loss.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rtm::value::Text;
use rtm::{
    ChannelId, ConnectionState, InvitationId, LocalInvitation, LocalInvitationErr, RemoteInvitation,
    RemoteInvitationErr, RtmCall, RtmEvent, RtmReply, UserId, limits,
};

/// RTM state of a session.
#[derive(Debug, Default)]
pub struct SessionReplica {
    /// Logged-in user.
    pub user: Option<UserId>,
    /// Joined channels with their known members; none above 512.
    channels: BTreeMap<ChannelId, BTreeSet<UserId>>,
    attributes: BTreeMap<Text, Text>,
    following: BTreeSet<UserId>,
    sent: HashMap<InvitationId, LocalInvitation>,
    received: HashMap<InvitationId, RemoteInvitation>,
}

impl SessionReplica {
    /// Applies a successful call.
    pub fn learn(&mut self, call: RtmCall, reply: &RtmReply) {
        match call {
            RtmCall::Login { uid, .. } => self.user = Some(uid),
            RtmCall::Logout {} => *self = Self::default(),
            RtmCall::Join { channel_id } => {
                self.channels.entry(channel_id).or_default();
            }
            RtmCall::Leave { channel_id } => {
                self.channels.remove(&channel_id);
            }
            RtmCall::GetMembers { channel_id } => {
                if let (Some(members), RtmReply::UserIds(list)) = (self.channels.get_mut(&channel_id), reply) {
                    *members = known(list);
                }
            }
            RtmCall::SetLocalUserAttributes { attributes } => self.attributes = attributes.into_iter().collect(),
            RtmCall::AddOrUpdateLocalUserAttributes { attributes } => self.attributes.extend(attributes),
            RtmCall::DeleteLocalUserAttributesByKeys { keys } => {
                self.attributes.retain(|key, _| !keys.contains(key));
            }
            RtmCall::ClearLocalUserAttributes {} => self.attributes.clear(),
            RtmCall::SubscribePeersOnlineStatus { peer_ids } => self.following.extend(peer_ids),
            RtmCall::UnsubscribePeersOnlineStatus { peer_ids } => {
                self.following.retain(|peer| !peer_ids.contains(peer));
            }
            RtmCall::LocalInvitationSend {
                invitation,
                callee_id,
                channel_id,
                content,
            } => {
                let sent = LocalInvitation {
                    invitation,
                    callee_id,
                    channel_id,
                    content,
                    response: "".into(),
                };
                self.sent.insert(invitation, sent);
            }
            _ => {}
        }
    }

    /// Applies an event.
    pub fn apply_event(&mut self, event: &RtmEvent) {
        match event {
            RtmEvent::ConnectionStateChanged {
                state: ConnectionState::Aborted,
                ..
            } => *self = Self::default(),
            RtmEvent::MemberJoined { channel_id, member_id } => {
                if let Some(members) = self.channels.get_mut(channel_id)
                    && !members.is_empty()
                    && members.len() < limits::MEMBERS_CUT_OFF
                {
                    members.insert(member_id.clone());
                }
            }
            RtmEvent::MemberLeft { channel_id, member_id } => {
                if let Some(members) = self.channels.get_mut(channel_id) {
                    members.remove(member_id);
                }
            }
            RtmEvent::LocalInvitationAccepted { invitation, .. }
            | RtmEvent::LocalInvitationRefused { invitation, .. }
            | RtmEvent::LocalInvitationCanceled { invitation }
            | RtmEvent::LocalInvitationFailure { invitation, .. } => {
                self.sent.remove(&invitation.invitation);
            }
            RtmEvent::RemoteInvitationReceived { invitation } => {
                self.received.insert(invitation.invitation, invitation.clone());
            }
            RtmEvent::RemoteInvitationAccepted { invitation }
            | RtmEvent::RemoteInvitationRefused { invitation }
            | RtmEvent::RemoteInvitationCanceled { invitation, .. }
            | RtmEvent::RemoteInvitationFailure { invitation, .. } => {
                self.received.remove(&invitation.invitation);
            }
            _ => {}
        }
    }

    /// Returns the calls of a restore, in order; none without a login.
    pub fn plan(&self) -> VecDeque<RtmCall> {
        let Some(user) = &self.user else {
            return VecDeque::new();
        };
        let mut plan = VecDeque::from([RtmCall::Login {
            uid: user.clone(),
            token: None,
        }]);
        if !self.following.is_empty() {
            plan.push_back(RtmCall::SubscribePeersOnlineStatus {
                peer_ids: self.following.iter().cloned().collect(),
            });
        }
        if !self.attributes.is_empty() {
            let attributes = self.attributes.iter().map(|(key, value)| (key.clone(), value.clone()));
            plan.push_back(RtmCall::AddOrUpdateLocalUserAttributes {
                attributes: attributes.collect(),
            });
        }
        let joins = self.channels.keys().cloned();
        plan.extend(joins.map(|channel_id| RtmCall::Join { channel_id }));
        plan
    }

    /// Returns the channels with known members.
    pub fn listed(&self) -> VecDeque<RtmCall> {
        let listed = self.channels.iter().filter(|(_, members)| !members.is_empty());
        let channels = listed.map(|(channel, _)| channel.clone());
        channels.map(|channel_id| RtmCall::GetMembers { channel_id }).collect()
    }

    /// Returns true if a member is known to be in a channel.
    pub fn has_member(&self, channel: &ChannelId, member: &UserId) -> bool {
        self.channels
            .get(channel)
            .is_some_and(|members| members.contains(member))
    }

    /// Compares the members after a rejoin; returns the missed events.
    pub fn compare(&mut self, channel_id: &ChannelId, list: &[UserId]) -> Vec<RtmEvent> {
        let Some(members) = self.channels.get_mut(channel_id) else {
            return Vec::new();
        };
        let now = known(list);
        if now.is_empty() {
            return Vec::new();
        }
        let before = std::mem::replace(members, now);
        let own = self.user.as_ref();
        let of = |member: &UserId| (channel_id.clone(), member.clone());
        let left = before
            .difference(members)
            .filter(|member| Some(*member) != own)
            .map(|member| {
                let (channel_id, member_id) = of(member);
                RtmEvent::MemberLeft { channel_id, member_id }
            });
        let joined = members
            .difference(&before)
            .filter(|member| Some(*member) != own)
            .map(|member| {
                let (channel_id, member_id) = of(member);
                RtmEvent::MemberJoined { channel_id, member_id }
            });
        left.chain(joined).collect()
    }

    /// Returns events that end all open invitations, which the lost agent held.
    pub fn lose_invitations(&mut self) -> Vec<RtmEvent> {
        let mut sent: Vec<_> = self.sent.drain().collect();
        let mut received: Vec<_> = self.received.drain().collect();
        sent.sort_by_key(|(number, _)| *number);
        received.sort_by_key(|(number, _)| *number);
        let sent = sent
            .into_iter()
            .map(|(_, invitation)| RtmEvent::LocalInvitationFailure {
                invitation,
                reason: LocalInvitationErr::Unknown,
            });
        let received = received
            .into_iter()
            .map(|(_, invitation)| RtmEvent::RemoteInvitationFailure {
                invitation,
                reason: RemoteInvitationErr::Unknown,
            });
        sent.chain(received).collect()
    }
}

/// RTM lists a random part of a larger channel and reports no joins there, so such a list is not usable.
fn known(list: &[UserId]) -> BTreeSet<UserId> {
    if list.len() >= limits::MEMBERS_CUT_OFF {
        return BTreeSet::new();
    }
    list.iter().cloned().collect()
}
