//! Names as legacy clients write them: accounts, channels, the vendor key.

use std::fmt;

use crate::value::Text;

/// Longest legacy name, bytes.
///
/// Source: signaling-wire 3 and 8 ("at most 128 visible characters"). Bytes are the stricter reading and the one under
/// which every name fits every client's buffers.
pub const MAX_NAME_BYTES: usize = 128;

/// Why a text is no legacy name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAccount {
    /// No bytes at all.
    #[error("a name must not be empty")]
    Empty,
    /// More than [`MAX_NAME_BYTES`].
    #[error("a name has at most {MAX_NAME_BYTES} bytes, got {0}")]
    TooLong(usize),
    /// White space, which message lines are split at, or a control character.
    #[error("a name must not contain {0:?}")]
    Invisible(char),
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Text);

        impl $name {
            /// Accepts 1..=128 bytes without white space and control characters (Unicode's sense of both).
            ///
            /// # Errors
            /// [`BadAccount`] with the rule that the text breaks.
            pub fn new(text: impl Into<Text>) -> Result<Self, BadAccount> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The name's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name's text, shared.
            pub fn text(&self) -> &Text {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A legacy user's account.
    Account
);
name_type!(
    /// A legacy channel's name.
    ChannelName
);
name_type!(
    /// The vendor key (`vid`) that a login names: the project that its accounts and channels belong to.
    AppId
);

fn check(text: &str) -> Result<(), BadAccount> {
    if text.is_empty() {
        return Err(BadAccount::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(BadAccount::TooLong(text.len()));
    }
    match text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) => Err(BadAccount::Invisible(c)),
        None => Ok(()),
    }
}

/// Returns whether a name has no U+FFFD, which replaces lone surrogates: two accounts that were cut differently would be
/// one.
pub fn is_whole(name: &str) -> bool {
    !name.contains(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_name(text: &str, expected: Result<(), BadAccount>) {
        assert_eq!(Account::new(text).map(|_| ()), expected, "{text:?}");
        assert_eq!(ChannelName::new(text).map(|_| ()), expected, "{text:?}");
        assert_eq!(AppId::new(text).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn names_are_visible_and_bounded() {
        check_name("alice", Ok(()));
        check_name("null", Ok(()));
        check_name("user@example.com/\"x\"", Ok(()));
        check_name("張三", Ok(()));
        check_name(&"x".repeat(128), Ok(()));
        check_name(&"x".repeat(129), Err(BadAccount::TooLong(129)));
        check_name(&"張".repeat(43), Err(BadAccount::TooLong(129)));
        check_name("", Err(BadAccount::Empty));
        check_name(" a", Err(BadAccount::Invisible(' ')));
        check_name("a b", Err(BadAccount::Invisible(' ')));
        check_name("a\n", Err(BadAccount::Invisible('\n')));
        check_name("a\u{3000}b", Err(BadAccount::Invisible('\u{3000}')));
        check_name("a\0", Err(BadAccount::Invisible('\0')));
        check_name("\u{85}", Err(BadAccount::Invisible('\u{85}')));
    }
}
