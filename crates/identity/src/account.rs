//! Legacy names: accounts and channels.

use rtm::{BadName, check_name, text_type};

text_type!(
    /// A legacy user's account.
    Account, check_name, BadName
);
text_type!(
    /// A legacy channel's name.
    ChannelName, check_name, BadName
);

/// Returns true if a name has no U+FFFD, which replaces lone surrogates. Different accounts with
/// lone surrogates would otherwise become equal.
pub fn is_lossless(name: &str) -> bool {
    !name.contains(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use rtm::AppId;

    use super::*;

    fn check_name(text: &str, expected: Result<(), BadName>) {
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
        check_name(&"x".repeat(129), Err(BadName::TooLong(129)));
        check_name(&"張".repeat(43), Err(BadName::TooLong(129)));
        check_name("", Err(BadName::Empty));
        check_name(" a", Err(BadName::Invisible(' ')));
        check_name("a b", Err(BadName::Invisible(' ')));
        check_name("a\n", Err(BadName::Invisible('\n')));
        check_name("a\u{3000}b", Err(BadName::Invisible('\u{3000}')));
        check_name("a\0", Err(BadName::Invisible('\0')));
        check_name("\u{85}", Err(BadName::Invisible('\u{85}')));
    }
}
