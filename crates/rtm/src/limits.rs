//! RTM's documented limits and timers (rtm-api 2, 8, 9).

use std::time::Duration;

pub use crate::ids::MAX_ID_BYTES;

/// Largest text, or raw message with its description, bytes.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024;
/// Largest content or response of an invitation, bytes.
pub const MAX_INVITATION_BYTES: usize = 8 * 1024;
/// Longest attribute key, bytes.
pub const MAX_ATTRIBUTE_KEY_BYTES: usize = 32;
/// Largest attribute value, bytes; an empty value is invalid, too.
pub const MAX_ATTRIBUTE_VALUE_BYTES: usize = 8 * 1024;
/// Maximum number of attributes of a user or a channel.
pub const MAX_ATTRIBUTES: usize = 32;
/// Maximum size of all attributes of a user, bytes.
pub const MAX_USER_ATTRIBUTES_BYTES: usize = 16 * 1024;
/// Maximum size of all attributes of a channel, bytes.
pub const MAX_CHANNEL_ATTRIBUTES_BYTES: usize = 32 * 1024;
/// Maximum number of joined channels of one instance.
pub const MAX_JOINED_CHANNELS: usize = 20;
/// Maximum number of members in `getMembers`; joins and leaves are not reported above it.
pub const MEMBERS_CUT_OFF: usize = 512;
/// Maximum number of ids in one `queryPeersOnlineStatus`.
pub const MAX_QUERY_PEERS: usize = 256;
/// Maximum number of presence subscriptions of one instance.
pub const MAX_SUBSCRIPTIONS: usize = 512;
/// Maximum number of channels in one `getChannelMemberCount`.
pub const MAX_COUNT_CHANNELS: usize = 32;
/// Time after the send until `PEER_OFFLINE` for an offline callee, or `PEER_NO_RESPONSE` without an
/// acknowledgement.
pub const INVITATION_NO_RESPONSE: Duration = Duration::from_secs(30);
/// Time after the send until a delivered, unanswered invitation expires.
pub const INVITATION_EXPIRE: Duration = Duration::from_secs(60);
/// Minimum interval of `MemberCountUpdated`, up to 512 members.
pub const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Minimum interval of `MemberCountUpdated` above 512 members.
pub const COUNT_INTERVAL_LARGE: Duration = Duration::from_secs(3);
/// Lifetime of a channel's attributes after its last member left: "some minutes" in the documents.
pub const CHANNEL_ATTRIBUTES_LINGER: Duration = Duration::from_secs(300);
