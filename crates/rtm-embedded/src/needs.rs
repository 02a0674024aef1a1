//! Preconditions of calls.

use rtm::CallKind;

/// The requirements of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// None.
    Nothing,
    /// A login, with or without a link.
    Login,
    /// A link, and an invitation with further requirements.
    Handle,
    /// A login with a link.
    Link,
}

/// Returns the preconditions of a call.
pub const fn needs(kind: CallKind) -> Needs {
    match kind {
        CallKind::Login | CallKind::Logout | CallKind::LocalInvitationSend | CallKind::RestChannelMessage => {
            Needs::Nothing
        }
        CallKind::RenewToken => Needs::Login,
        CallKind::LocalInvitationCancel | CallKind::RemoteInvitationAccept | CallKind::RemoteInvitationRefuse => {
            Needs::Handle
        }
        _ => Needs::Link,
    }
}
