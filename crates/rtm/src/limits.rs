//! RTM's documented limits and timers (rtm-api 2, 8, 9), in one place.

use std::time::Duration;

pub use crate::ids::MAX_ID_BYTES;

/// Largest text, or raw message with its description, bytes.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024;
/// Largest content or response of an invitation, bytes.
pub const MAX_INVITATION_BYTES: usize = 8 * 1024;
/// Longest attribute key, bytes.
pub const MAX_ATTRIBUTE_KEY_BYTES: usize = 32;
/// Largest attribute value, bytes; it must not be empty either.
pub const MAX_ATTRIBUTE_VALUE_BYTES: usize = 8 * 1024;
/// Most attributes of a user or a channel.
pub const MAX_ATTRIBUTES: usize = 32;
/// All attributes of a user together, bytes.
pub const MAX_USER_ATTRIBUTES_BYTES: usize = 16 * 1024;
/// All attributes of a channel together, bytes.
pub const MAX_CHANNEL_ATTRIBUTES_BYTES: usize = 32 * 1024;
/// Channels that one instance may have joined at once.
pub const MAX_JOINED_CHANNELS: usize = 20;
/// Members that `getMembers` lists, and above which joins and leaves are silent.
pub const MEMBERS_CUT_OFF: usize = 512;
/// Ids in one `queryPeersOnlineStatus`.
pub const MAX_QUERY_PEERS: usize = 256;
/// Users that one instance may follow.
pub const MAX_SUBSCRIPTIONS: usize = 512;
/// Channels in one `getChannelMemberCount`.
pub const MAX_COUNT_CHANNELS: usize = 32;
/// An offline callee: this long after send, `PEER_OFFLINE`; without an acknowledgement, `PEER_NO_RESPONSE`.
pub const INVITATION_NO_RESPONSE: Duration = Duration::from_secs(30);
/// A delivered invitation that nobody answers expires this long after send.
pub const INVITATION_EXPIRE: Duration = Duration::from_secs(60);
/// `MemberCountUpdated` comes at most once in this time, up to 512 members.
pub const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// The same above 512 members.
pub const COUNT_INTERVAL_LARGE: Duration = Duration::from_secs(3);
/// How long a channel's attributes outlive its last member: "some minutes" in the documents.
pub const CHANNEL_ATTRIBUTES_LINGER: Duration = Duration::from_secs(300);
