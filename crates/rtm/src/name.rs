//! Names of projects, accounts and channels: visible and bounded.

use crate::text_type;

/// Longest name, bytes.
///
/// Source: signaling-wire 3 and 8 ("at most 128 visible characters"). Bytes are the stricter
/// reading: every such name fits the buffers of all clients.
pub const MAX_NAME_BYTES: usize = 128;

/// The rule that a name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The text is empty.
    #[error("a name must not be empty")]
    Empty,
    /// More than [`MAX_NAME_BYTES`].
    #[error("a name has at most {MAX_NAME_BYTES} bytes, got {0}")]
    TooLong(usize),
    /// White space, at which message lines are split, or a control character.
    #[error("a name must not contain {0:?}")]
    Invisible(char),
}

text_type!(
    /// The id of a project: the vendor's App ID, the `vid` of a legacy login. Users and channels belong to it.
    AppId, check_name, BadName
);

/// Accepts 1..=128 bytes without white space and control characters (by Unicode's definition).
///
/// # Errors
/// The rule that the text breaks.
pub fn check_name(text: &str) -> Result<(), BadName> {
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(BadName::TooLong(text.len()));
    }
    match text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) => Err(BadName::Invisible(c)),
        None => Ok(()),
    }
}
