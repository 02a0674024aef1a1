//! The RTM 1.x vocabulary as closed types: calls, replies, events, error enums, limits.
//!
//! The canonical names are the Web SDK's call and event names (rtm-api 3 and 6) with the error
//! enums of rtm-api 5. `tables` checks every table against them; `mappings/platforms/*.toml`
//! translate them to the names of other SDKs. This crate does not depend on Signaling.

#![warn(missing_docs)]

mod call;
mod error;
mod event;
mod field;
mod ids;
pub mod json;
pub mod limits;
mod name;
pub mod rate;
pub mod rejection;
mod reply;
pub mod schema;
mod state;
mod text_type;
pub mod time;
pub mod upstream;
pub mod value;

pub use call::{CallKind, RtmCall};
pub use error::{
    AttributeOperation, ChannelMessageErr, CreateErr, ErrorEnum, GetChannelMemberCountErr, GetMembersErr, InitErr,
    InvitationApiCall, JoinChannelErr, LeaveChannelErr, LocalInvitationErr, LoginErr, LogoutErr, PeerMessageErr,
    PeerSubscriptionStatusErr, QueryPeersBySubscriptionOptionErr, QueryPeersOnlineStatusErr, RemoteInvitationErr,
    RenewTokenErr, RtmError,
};
pub use event::{EventKind, RtmEvent};
pub use field::{BadField, Field, FieldSpec, FieldType, Part};
pub use ids::{BadId, ChannelId, UserId};
pub use name::{AppId, BadName, MAX_NAME_BYTES, check_name};
pub use reply::{ReplyKind, RtmReply};
pub use state::{
    ChannelAttribute, ConnectionReason, ConnectionState, InvitationId, LocalInvitation, Message, OnlineState,
    RemoteInvitation,
};

/// Prefix of a peer text that is a legacy end-call: `<prefix>_<channelId>_<info>`.
///
/// Source: rtm-api 11 (`AgoraRTM.END_CALL_PREFIX`, since 1.2.1).
pub const END_CALL_PREFIX: &str = "AgoraRTMLegacyEndcallCompatibleMessagePrefix";
