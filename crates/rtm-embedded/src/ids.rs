//! Numbers of the service.

/// One RTM instance in a [`RtmService`](crate::RtmService).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A call that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReplyTo {
    pub(super) client: ClientId,
    pub(super) request: u64,
}

/// The key of an invitation in the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InvitationKey(pub(super) u64);
