//! What goes into a client and what comes out of it.

use rtm::value::{Text, Value};

use crate::client::catalog::BadCall;
use crate::client::events::ClientEvent;

/// Most calls that may wait for their answers.
pub const MAX_OPEN_CALLS: usize = 256;

/// Who logs in.
#[derive(Clone)]
pub struct Login {
    /// The app id.
    pub vid: Text,
    /// The account.
    pub account: Text,
    /// The token; `_no_need_token` where none is needed.
    pub token: Text,
}

/// Prints no token.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({} {}, ..)", self.vid, self.account)
    }
}

/// What a client does, and what its application gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this frame.
    Send(String),
    /// The login succeeded.
    LoggedIn,
    /// The login was refused, for this reason.
    Refused(Text),
    /// An event.
    Event(ClientEvent),
    /// An answer.
    Reply(Reply),
    /// A frame that the tables do not explain, or the answer to a call that is not open.
    Unknown(Text),
    /// The session has ended as it was asked to.
    LoggedOut,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The call's number.
    pub id: i64,
    /// The call's documented name, or the function's.
    pub call: Text,
    /// The reply, or the reason for a refusal.
    pub result: Result<Value, Text>,
}

/// Why a call cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It is no call.
    #[error(transparent)]
    Bad(#[from] BadCall),
    /// Only after the login.
    #[error("not logged in")]
    NotLoggedIn,
    /// Too many calls wait for an answer.
    #[error("{MAX_OPEN_CALLS} calls are not answered yet")]
    TooMany,
}
