//! Words of an input line, quoted as in a shell.

/// An unquoted word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    /// Number of bytes at its start that were not quoted.
    pub plain: usize,
}

impl Word {
    /// Splits `name=value`, if the name and the `=` are not quoted.
    pub fn named(&self) -> Option<(&str, &str)> {
        let (name, value) = self.text.split_once('=')?;
        (name.len() < self.plain).then_some((name, value))
    }
}

/// Splits a line at white space. `'…'` is literal; in `"…"` and plain text, `\` escapes the next
/// character.
///
/// # Errors
/// The quote that is not closed.
pub(super) fn split(line: &str) -> Result<Vec<Word>, char> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let current = word.get_or_insert(Word {
            text: String::new(),
            plain: 0,
        });
        match c {
            '\'' | '"' => quoted(c, &mut chars, &mut current.text)?,
            '\\' => current.text.extend(chars.next()),
            c => {
                // Only while all text before it was unquoted, too.
                if current.plain == current.text.len() {
                    current.plain += c.len_utf8();
                }
                current.text.push(c);
            }
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, text: &mut String) -> Result<(), char> {
    loop {
        match chars.next() {
            None => return Err(quote),
            Some(c) if c == quote => return Ok(()),
            Some('\\') if quote == '"' => match chars.next() {
                None => return Err(quote),
                Some(c @ ('"' | '\\')) => text.push(c),
                Some(c) => text.extend(['\\', c]),
            },
            Some(c) => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<&[&str], char>) {
        let words = split(line).map(|words| words.into_iter().map(|word| word.text).collect::<Vec<_>>());
        assert_eq!(
            words,
            expected.map(|words| words.iter().map(ToString::to_string).collect()),
            "{line}"
        );
    }

    #[test]
    fn words_are_quoted_as_in_a_shell() {
        check("", Ok(&[]));
        check("  a  b ", Ok(&["a", "b"]));
        check(r#"a "b c" 'd "e"'"#, Ok(&["a", "b c", r#"d "e""#]));
        check(r#""" ''"#, Ok(&["", ""]));
        check(r#"a\ b "c\"d\\e\n""#, Ok(&["a b", r#"c"d\e\n"#]));
        check(r#"'{"_timeout":5}'"#, Ok(&[r#"{"_timeout":5}"#]));
        check(r#"x="a b"c"#, Ok(&["x=a bc"]));
        check(r#"a "b"#, Err('"'));
        check("it's", Err('\''));
    }

    fn check_named(line: &str, expected: Option<(&str, &str)>) {
        let words = split(line).unwrap();
        assert_eq!(words[0].named(), expected, "{line}");
    }

    #[test]
    fn a_quoted_name_is_a_plain_word() {
        check_named("a=b", Some(("a", "b")));
        check_named("a='b=c'", Some(("a", "b=c")));
        check_named("a=", Some(("a", "")));
        check_named("'a=b'", None);
        check_named("'a'=b", None);
        check_named(r"a\=b", None);
        check_named("a", None);
    }
}
