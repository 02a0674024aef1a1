//! The sides of a call.

/// The session's side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The session has called.
    Caller,
    /// The session was called.
    Callee,
}
