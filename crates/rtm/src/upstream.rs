//! What every upstream offers to sessions.

use std::sync::Arc;

use crate::AppId;
use crate::value::Text;
use crate::{CallKind, ChannelAttribute, Message, RtmCall, RtmError, RtmEvent, RtmReply, UserId};

/// RTM as sessions use it. Calls never block and never fail by themselves: every one is told a reply.
pub trait Upstream: Send + Sync {
    /// An RTM client for a session; `tell` is called with everything that happens to it, in order, and must not block.
    fn open(&self, app: &AppId, tell: Tell) -> ClientKey;

    /// A call; its reply carries `request`.
    fn call(&self, client: &ClientKey, request: u64, call: RtmCall);

    /// The client is no longer needed: it is logged out.
    fn close(&self, client: &ClientKey);

    /// Whether the upstream has a call at all, for an app.
    fn can(&self, app: &AppId, kind: CallKind) -> bool;

    /// The page of the comparison whose SDK an app's RTM is, for traces; none for an upstream that is no SDK.
    fn platform(&self, _: &AppId) -> Option<Text> {
        None
    }
}

/// Where an upstream tells what happens.
pub type Tell = Arc<dyn Fn(UpstreamEvent) + Send + Sync>;

/// An RTM client of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey {
    /// The app id.
    pub app: AppId,
    /// The upstream's number.
    pub number: u64,
}

/// What an upstream tells.
#[derive(Clone, Debug)]
pub enum UpstreamEvent {
    /// The reply to a call.
    Reply {
        /// The call's number.
        request: u64,
        /// The result.
        result: Result<RtmReply, RtmError>,
    },
    /// An event.
    Event(RtmEvent),
    /// The upstream is there, or not.
    Up(bool),
    /// The calls that it lacks, now that this is known.
    Lacks(Arc<[CallKind]>),
}

impl UpstreamEvent {
    /// About how much memory its texts take.
    pub fn bytes(&self) -> usize {
        let attribute = |(name, attribute): &(Text, ChannelAttribute)| {
            name.len()
                + attribute.value.len()
                + attribute.last_update_user_id.text().len()
                + size_of::<ChannelAttribute>()
        };
        match self {
            Self::Event(RtmEvent::MessageFromPeer { message, .. } | RtmEvent::ChannelMessage { message, .. }) => {
                match message {
                    Message::Text(text) => text.len(),
                    Message::Raw { bytes, description } => bytes.len() + description.len(),
                }
            }
            Self::Event(RtmEvent::RemoteInvitationReceived { invitation }) => invitation.content.len(),
            Self::Reply { result: Ok(reply), .. } => match reply {
                RtmReply::UserIds(ids) => ids.iter().map(|id| size_of::<UserId>() + id.text().len()).sum(),
                RtmReply::Attributes(list) => list.iter().map(|(name, value)| name.len() + value.len()).sum(),
                RtmReply::ChannelAttributes(list) => list.iter().map(attribute).sum(),
                _ => 0,
            },
            // Other texts are short, or shared with others who are told the same.
            _ => 0,
        }
    }
}
