//! Inputs of expressions besides their literals.

use rtm::RtmError;
use rtm::value::{Text, Value};

use crate::ty::Conv;

/// The fields of `$state` and `$self`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateField {
    /// The session's account.
    Account,
    /// The session line.
    Line,
    /// The joined channel's name.
    Channel,
    /// The number of the joined channel in this session.
    Cid,
    /// The joined channel's member count.
    MemberCount,
    /// The documented number of the session's state: 0 not logged in, 1 logging in, 2 logged in, 3
    /// reconnecting.
    Status,
    /// 1 if that number is 2, else 0.
    Online,
}

/// Values that exist only while an outcome is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambient {
    /// A failure's text.
    Reason,
    /// The number of the failure in the session's family.
    Ecode,
    /// The name of an entry of `each`.
    Key,
    /// The value of an entry of `each`, or of a `value` step.
    Value,
}

/// The inputs of expressions besides their row's slots.
pub trait Scope {
    /// Converts an id.
    fn convert(&self, conv: Conv, text: &Text) -> Text;
    /// Returns the number of an account.
    fn uid(&self, account: &Text) -> i64;
    /// Returns a field of the session's state.
    fn state(&self, field: StateField) -> Value;
    /// Returns an ambient value.
    fn ambient(&self, ambient: Ambient) -> Value;
    /// Returns the value in a slot.
    fn slot(&self, slot: usize) -> Value;
    /// Returns the text of the current error in row number `row`.
    fn member_reason(&self, row: usize) -> Text;
    /// Returns the current error.
    fn error(&self) -> Option<RtmError> {
        None
    }
}
