//! Checks of SDKs that only need the call and the joined channels (rtm-api 2, 10).

use std::collections::HashSet;

use rtm::limits::{
    MAX_COUNT_CHANNELS, MAX_ID_BYTES, MAX_INVITATION_BYTES, MAX_JOINED_CHANNELS, MAX_MESSAGE_BYTES, MAX_QUERY_PEERS,
    MAX_SUBSCRIPTIONS, MAX_USER_ATTRIBUTES_BYTES,
};
use rtm::{
    AttributeOperation, ChannelId, ChannelMessageErr, GetChannelMemberCountErr, GetMembersErr, InvitationApiCall,
    JoinChannelErr, LeaveChannelErr, PeerMessageErr, PeerSubscriptionStatusErr, QueryPeersOnlineStatusErr, RtmCall,
    RtmError, UserId,
};

use crate::attributes::{check_channel_pairs, check_keys, check_total, check_user_pairs};
use crate::client::Session;
use rtm::value::Text;

/// State of a login for the checks.
pub trait LoginState {
    /// Returns true if the instance is in a channel.
    fn has_joined(&self, channel: &ChannelId) -> bool;

    /// Returns the number of its channels.
    fn joined_count(&self) -> usize;

    /// Returns true if it follows a user.
    fn follows(&self, user: &UserId) -> bool;

    /// Returns the number of users that it follows.
    fn followed_count(&self) -> usize;
}

impl LoginState for Session {
    fn has_joined(&self, channel: &ChannelId) -> bool {
        self.joined(channel).is_some()
    }

    fn joined_count(&self) -> usize {
        self.joined.len()
    }

    fn follows(&self, user: &UserId) -> bool {
        self.following.contains(user)
    }

    fn followed_count(&self) -> usize {
        self.following.len()
    }
}

/// Checks that precede the login check: form and size of attributes and invitations.
///
/// # Errors
/// The member of the call's enum.
pub fn without_login(call: &RtmCall) -> Result<(), RtmError> {
    use RtmCall as C;
    match call {
        C::SetLocalUserAttributes { attributes } | C::AddOrUpdateLocalUserAttributes { attributes } => {
            check_user_pairs(attributes)?;
        }
        C::SetChannelAttributes { attributes, .. } | C::AddOrUpdateChannelAttributes { attributes, .. } => {
            check_channel_pairs(attributes)?;
        }
        C::DeleteLocalUserAttributesByKeys { keys }
        | C::GetUserAttributesByKeys { keys, .. }
        | C::DeleteChannelAttributesByKeys { keys, .. }
        | C::GetChannelAttributesByKeys { keys, .. } => check_keys(keys)?,
        C::LocalInvitationSend {
            channel_id, content, ..
        } => {
            let channel_bytes = channel_id.as_ref().map_or(0, |id| id.len());
            refuse_if(
                content.len() > MAX_INVITATION_BYTES || channel_bytes > MAX_ID_BYTES,
                InvitationApiCall::InvalidArgument,
            )?;
        }
        C::LocalInvitationCancel { content: text, .. }
        | C::RemoteInvitationAccept { response: text, .. }
        | C::RemoteInvitationRefuse { response: text, .. } => refuse_if(
            text.as_ref().is_some_and(|text| text.len() > MAX_INVITATION_BYTES),
            InvitationApiCall::InvalidArgument,
        )?,
        _ => {}
    }
    Ok(())
}

/// Checks the total size of a user's attributes after a write.
///
/// # Errors
/// `SIZE_OVERFLOW`.
pub fn user_attributes(all: &[(Text, Text)]) -> Result<(), AttributeOperation> {
    check_total(all.iter().map(|(key, value)| (key, value)), MAX_USER_ATTRIBUTES_BYTES)
}

/// Checks a message of the RESTful API.
///
/// # Errors
/// `INVALID_MESSAGE`.
pub fn rest_message(payload: &str) -> Result<(), RtmError> {
    refuse_if(payload.len() > MAX_MESSAGE_BYTES, ChannelMessageErr::InvalidMessage)
}

/// Checks that follow the login check.
///
/// # Errors
/// The member of the call's enum.
pub fn with_login(session: &impl LoginState, call: &RtmCall) -> Result<(), RtmError> {
    use RtmCall as C;
    match call {
        C::SendMessageToPeer { message, .. } => {
            refuse_if(message.size() > MAX_MESSAGE_BYTES, PeerMessageErr::InvalidMessage)
        }
        C::QueryPeersOnlineStatus { peer_ids } => refuse_if(
            peer_ids.is_empty() || peer_ids.len() > MAX_QUERY_PEERS,
            QueryPeersOnlineStatusErr::InvalidArgument,
        ),
        C::SubscribePeersOnlineStatus { peer_ids } => {
            refuse_if(peer_ids.is_empty(), PeerSubscriptionStatusErr::InvalidArgument)?;
            refuse_if(
                would_follow(session, peer_ids) > MAX_SUBSCRIPTIONS,
                PeerSubscriptionStatusErr::Overflow,
            )
        }
        C::UnsubscribePeersOnlineStatus { peer_ids } => {
            refuse_if(peer_ids.is_empty(), PeerSubscriptionStatusErr::InvalidArgument)
        }
        C::Join { channel_id } => {
            refuse_if(
                session.has_joined(channel_id),
                JoinChannelErr::AlreadyJoinedChannelOfSameId,
            )?;
            refuse_if(
                session.joined_count() >= MAX_JOINED_CHANNELS,
                JoinChannelErr::ExceedLimit,
            )
        }
        C::Leave { channel_id } => refuse_if(!session.has_joined(channel_id), LeaveChannelErr::NotInChannel),
        C::SendMessage { channel_id, message } => {
            refuse_if(!session.has_joined(channel_id), ChannelMessageErr::NotInChannel)?;
            refuse_if(message.size() > MAX_MESSAGE_BYTES, ChannelMessageErr::InvalidMessage)
        }
        C::GetMembers { channel_id } => refuse_if(!session.has_joined(channel_id), GetMembersErr::NotInChannel),
        C::GetChannelMemberCount { channel_ids } => {
            refuse_if(channel_ids.is_empty(), GetChannelMemberCountErr::InvalidArgument)?;
            refuse_if(
                channel_ids.len() > MAX_COUNT_CHANNELS,
                GetChannelMemberCountErr::ExceedLimit,
            )
        }
        _ => Ok(()),
    }
}

fn would_follow(session: &impl LoginState, peers: &[UserId]) -> usize {
    let new: HashSet<_> = peers.iter().filter(|&peer| !session.follows(peer)).collect();
    session.followed_count() + new.len()
}

fn refuse_if(refused: bool, error: impl Into<RtmError>) -> Result<(), RtmError> {
    if refused { Err(error.into()) } else { Ok(()) }
}
