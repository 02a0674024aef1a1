//! JSON text split into pieces, so that some can be replaced and the rest is kept byte for byte.

use std::borrow::Cow;

use rtm::json;

use crate::placeholder::Placeholder;

/// Piece of JSON text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'t> {
    /// Brackets, commas, spaces, `true`, `null`.
    Other(&'t str),
    /// Object key with quotes.
    Key(&'t str),
    /// Text with quotes.
    Text(&'t str),
    /// Number, or a number's placeholder.
    Number(&'t str),
}

/// Iterator over the pieces; accepts any text.
pub struct Pieces<'t> {
    text: &'t str,
}

impl<'t> Pieces<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text }
    }

    fn take(&mut self, len: usize) -> &'t str {
        let (piece, rest) = self.text.split_at(len);
        self.text = rest;
        piece
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let bytes = self.text.as_bytes();
        let first = *bytes.first()?;
        Some(match first {
            b'"' => {
                let len = quoted_len(bytes);
                let piece = self.take(len);
                let is_key = self.text.trim_ascii_start().starts_with(':');
                if is_key { Piece::Key(piece) } else { Piece::Text(piece) }
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
                let len = bytes.iter().position(|b| !is_part(b)).unwrap_or(bytes.len());
                Piece::Number(self.take(len))
            }
            _ => {
                if let Some((_, rest)) = Placeholder::parse(self.text) {
                    let len = bytes.len() - rest.len();
                    return Some(Piece::Number(self.take(len)));
                }
                let begins = |b: &u8| b.is_ascii_digit() || b"\"-<".contains(b);
                let len = bytes.iter().skip(1).position(begins).map_or(bytes.len(), |at| at + 1);
                Piece::Other(self.take(len))
            }
        })
    }
}

/// Returns the length of the quoted text at the start, with quotes; the full length if unterminated.
fn quoted_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Decodes a quoted text.
pub fn unquoted(piece: &str) -> Option<Cow<'_, str>> {
    let inner = piece.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        json::read(piece).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Encodes a text as this program does.
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    json::write::quote(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[Piece<'_>]) {
        assert_eq!(Pieces::of(text).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn texts_by_their_pieces() {
        use Piece::{Key, Number, Other, Text};
        check("", &[]);
        check(
            r#"{"a" : "b\"", "c":[-1.5e3,true]}"#,
            &[
                Other("{"),
                Key("\"a\""),
                Other(" : "),
                Text(r#""b\"""#),
                Other(", "),
                Key("\"c\""),
                Other(":["),
                Number("-1.5e3"),
                Other(",true]}"),
            ],
        );
        check(
            "[<text:1 len=6 digits>,<x]",
            &[Other("["), Number("<text:1 len=6 digits>"), Other(","), Other("<x]")],
        );
        check("\"\\", &[Text("\"\\")]);
        check("é\"é\"", &[Other("é"), Text("\"é\"")]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_of_any_text(text in "[a\"\\\\<:>{}\\[\\]é0-9 ,-]{0,40}") {
            let all: String = Pieces::of(&text).map(|piece| match piece {
                Piece::Other(t) | Piece::Key(t) | Piece::Text(t) | Piece::Number(t) => t,
            }).collect();
            prop_assert_eq!(all, text);
        }
    }
}
