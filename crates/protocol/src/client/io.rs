//! Inputs and outputs of a client.

use rtm::value::{Text, Value};

use crate::client::catalog::BadCall;
use crate::client::events::ClientEvent;

/// Maximum number of pending calls.
pub const MAX_PENDING_CALLS: usize = 256;

/// The credentials of a login.
#[derive(Clone)]
pub struct Login {
    /// The app id.
    pub vid: Text,
    pub account: Text,
    /// The token; `_no_need_token` if none is required.
    pub token: Text,
}

/// Prints no token.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({} {}, ..)", self.vid, self.account)
    }
}

/// An output of the client: a frame to send, or a result for its application.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A frame to send.
    Send(String),
    LoggedIn,
    /// The login was refused, with this reason.
    Refused(Text),
    Event(ClientEvent),
    Reply(Reply),
    /// A frame that the tables do not explain, or the answer to a call that is not pending.
    Unknown(Text),
    /// The session has ended after a logout.
    LoggedOut,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub id: i64,
    /// The call's documented name, or the function's.
    pub call: Text,
    pub result: Result<Value, Text>,
}

/// The reason why a call cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call is invalid.
    #[error(transparent)]
    Bad(#[from] BadCall),
    /// The client is not logged in.
    #[error("not logged in")]
    NotLoggedIn,
    /// Too many calls are pending.
    #[error("{MAX_PENDING_CALLS} calls are already pending")]
    TooMany,
}
