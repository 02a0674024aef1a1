//! The interface between sessions and RTM backends.

use std::sync::Arc;

use crate::value::Text;
use crate::{AppId, CallKind, ChannelAttribute, Message, RtmCall, RtmError, RtmEvent, RtmReply, UserId};

/// An RTM backend. Calls never block; each one gets a reply, also after a failure.
pub trait Upstream: Send + Sync {
    /// Opens an RTM client for a session. `sink` receives its events in order and must not block.
    fn open(&self, app: &AppId, sink: EventSink) -> ClientKey;

    /// Starts a call; its reply carries `request`.
    fn call(&self, client: &ClientKey, request: u64, call: RtmCall);

    /// Starts a call for a client outside of a channel that RTM permits to members of the channel only. Returns false if the
    /// backend cannot.
    fn call_as_member(&self, _client: &ClientKey, _request: u64, _call: &RtmCall) -> bool {
        false
    }

    /// Closes a client and logs it out.
    fn close(&self, client: &ClientKey);

    /// Leaves the acknowledgement of peer messages to the client's session. A backend that can keeps them until
    /// [`processed`](Self::processed).
    fn require_acknowledgement(&self, _client: &ClientKey) {}

    /// Acknowledges the oldest peer messages of a client.
    fn processed(&self, _client: &ClientKey, _count: usize) {}

    /// Returns true if the backend supports a call, for an app.
    fn can(&self, app: &AppId, kind: CallKind) -> bool;

    /// Returns the SDK platform recorded in traces, if the backend is an SDK.
    fn platform(&self, _: &AppId) -> Option<Text> {
        None
    }
}

/// The receiver of an upstream's events.
pub type EventSink = Arc<dyn Fn(UpstreamEvent) + Send + Sync>;

/// An RTM client of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey {
    /// The app id.
    pub app: AppId,
    /// The upstream's number.
    pub number: u64,
}

/// An event of an upstream.
#[derive(Clone, Debug)]
pub enum UpstreamEvent {
    /// The reply to a call.
    Reply {
        /// The call's number.
        request: u64,
        /// The result.
        result: Result<RtmReply, RtmError>,
    },
    /// An RTM event.
    Event(RtmEvent),
    /// The upstream is connected, or not.
    Up(bool),
    /// The calls that the upstream does not support.
    Unsupported(Arc<[CallKind]>),
}

impl UpstreamEvent {
    /// Returns the approximate memory size of its texts.
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
            // Other texts are short, or shared with other receivers.
            _ => 0,
        }
    }
}
