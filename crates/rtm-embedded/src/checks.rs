//! Checks of SDKs that only need the call and the joined channels (rtm-api 2, 10).

use std::collections::HashSet;

use rtm::limits::{
    MAX_COUNT_CHANNELS, MAX_ID_BYTES, MAX_INVITATION_BYTES, MAX_JOINED_CHANNELS, MAX_MESSAGE_BYTES, MAX_QUERY_PEERS,
    MAX_SUBSCRIPTIONS,
};
use rtm::{
    ChannelMessageErr, GetChannelMemberCountErr, GetMembersErr, InvitationApiCall, JoinChannelErr, LeaveChannelErr,
    PeerMessageErr, PeerSubscriptionStatusErr, QueryPeersOnlineStatusErr, RtmCall, RtmError, UserId,
};

use crate::attributes::{check_channel_pairs, check_keys, check_user_pairs};
use crate::client::Session;

/// Checks that precede the login check: form and size of attributes and invitations.
pub(super) fn without_login(call: &RtmCall) -> Result<(), RtmError> {
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

/// Checks that follow the login check.
pub(super) fn with_login(session: &Session, call: &RtmCall) -> Result<(), RtmError> {
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
                session.joined(channel_id).is_some(),
                JoinChannelErr::AlreadyJoinedChannelOfSameId,
            )?;
            refuse_if(session.joined.len() >= MAX_JOINED_CHANNELS, JoinChannelErr::ExceedLimit)
        }
        C::Leave { channel_id } => refuse_if(session.joined(channel_id).is_none(), LeaveChannelErr::NotInChannel),
        C::SendMessage { channel_id, message } => {
            refuse_if(session.joined(channel_id).is_none(), ChannelMessageErr::NotInChannel)?;
            refuse_if(message.size() > MAX_MESSAGE_BYTES, ChannelMessageErr::InvalidMessage)
        }
        C::GetMembers { channel_id } => refuse_if(session.joined(channel_id).is_none(), GetMembersErr::NotInChannel),
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

fn would_follow(session: &Session, peers: &[UserId]) -> usize {
    let new: HashSet<_> = peers.iter().filter(|&peer| !session.following.contains(peer)).collect();
    session.following.len() + new.len()
}

fn refuse_if(refused: bool, error: impl Into<RtmError>) -> Result<(), RtmError> {
    if refused { Err(error.into()) } else { Ok(()) }
}
