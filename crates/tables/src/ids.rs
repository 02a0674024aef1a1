//! Numbers of compiled things.

/// Number of a row in its [`Tables`](crate::Tables).
pub type RowId = usize;
/// Number of a declared Signaling call or event.
pub type SigId = usize;
/// Number of a failure class.
pub type FailId = usize;
/// Number of a limitation code.
pub type CodeId = usize;
