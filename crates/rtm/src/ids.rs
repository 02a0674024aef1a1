//! User ids and channel ids by RTM's rules (rtm-api 2).

use crate::text_type;

/// Longest user or channel id, bytes (rtm-api 2: 64 is accepted, 65 is not).
pub const MAX_ID_BYTES: usize = 64;

/// The rule that an RTM id breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// The text is empty.
    #[error("an RTM id must not be empty")]
    Empty,
    /// More than [`MAX_ID_BYTES`].
    #[error("an RTM id has at most {MAX_ID_BYTES} bytes, got {0}")]
    TooLong(usize),
    /// The literal `null`.
    #[error("an RTM id must not be the word `null`")]
    Null,
    /// Starts with a space, which REST and the mobile SDKs refuse.
    #[error("an RTM id must not start with a space")]
    LeadingSpace,
    /// A character outside RTM's set.
    #[error("an RTM id must not contain {0:?}")]
    Character(char),
}

text_type!(
    /// The id of an RTM user: 1..=64 bytes of RTM's character set.
    UserId, check, BadId
);
text_type!(
    /// The id of an RTM channel: 1..=64 bytes of RTM's character set.
    ChannelId, check, BadId
);

/// Returns true for a character of the documented set (rtm-api 2, confirmed against the Web SDK).
pub fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || " !#$%&()+-:;<=.>?@[]^_{}|~,".contains(c)
}

fn check(text: &str) -> Result<(), BadId> {
    if text.is_empty() {
        return Err(BadId::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(BadId::TooLong(text.len()));
    }
    if text == "null" {
        return Err(BadId::Null);
    }
    if text.starts_with(' ') {
        return Err(BadId::LeadingSpace);
    }
    match text.chars().find(|&c| !is_id_char(c)) {
        Some(c) => Err(BadId::Character(c)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_id(text: &str, expected: Result<(), BadId>) {
        assert_eq!(UserId::new(text).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn ids_follow_the_measured_rules() {
        check_id("alice", Ok(()));
        check_id("a b", Ok(()));
        check_id("NULL", Ok(()));
        check_id("50%25", Ok(()));
        check_id(&"x".repeat(64), Ok(()));
        check_id(&"x".repeat(65), Err(BadId::TooLong(65)));
        check_id("", Err(BadId::Empty));
        check_id("null", Err(BadId::Null));
        check_id(" a", Err(BadId::LeadingSpace));
        check_id("a/b", Err(BadId::Character('/')));
        check_id("a\"b", Err(BadId::Character('"')));
        check_id("é", Err(BadId::Character('é')));
    }
}
