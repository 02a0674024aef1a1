//! Byte scanner for JSON as programs write it: no spaces, no unusual escapes. Other forms give `None` and need a
//! parser.

/// Quote at each nesting depth.
const QUOTES: [&str; 4] = ["\"", "\\\"", "\\\\\\\"", "\\\\\\\\\\\\\\\""];

/// Writes a quote at a nesting depth; `None` if too deep.
pub fn push_quote(nest: usize, out: &mut String) -> Option<()> {
    out.push_str(QUOTES.get(nest)?);
    Some(())
}

/// Returns true if JSON needs no escapes for the text.
pub fn is_plain(text: &str) -> bool {
    // A full scan without branches processes many bytes at once; most texts are plain.
    let odd = |b: u8| (b < 0x20) | (b == b'"') | (b == b'\\');
    !text.bytes().fold(false, |any, b| any | odd(b))
}

/// Writes a text that needs no escapes.
pub fn push_plain(text: &str, out: &mut String) -> Option<()> {
    is_plain(text).then(|| out.push_str(text))
}

/// Quoted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'t> {
    /// Content between the quotes.
    pub inner: &'t str,
    pub is_escaped: bool,
}

/// Rest of the input.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'t>(pub &'t str);

impl<'t> Scan<'t> {
    /// Consumes an expected text.
    pub fn pass(&mut self, what: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(what)?;
        Some(())
    }

    /// Reads a quoted text after its first quote.
    pub fn quoted(&mut self) -> Option<Quoted<'t>> {
        let (mut at, mut is_escaped) = (0, false);
        let bytes = self.0.as_bytes();
        loop {
            at += memchr::memchr2(b'"', b'\\', &bytes[at..])?;
            if bytes[at] == b'"' {
                break;
            }
            is_escaped = true;
            at += 2;
            if at > bytes.len() {
                return None;
            }
        }
        let inner = &self.0[..at];
        self.0 = &self.0[at + 1..];
        let has_control = inner.bytes().fold(false, |any, b| any | (b < 0x20));
        (!has_control).then_some(Quoted { inner, is_escaped })
    }

    /// Reads an integer in canonical form.
    pub fn number(&mut self) -> Option<&'t str> {
        let is_negative = self.0.starts_with('-');
        let digits = &self.0[usize::from(is_negative)..];
        let len = digits.bytes().take_while(u8::is_ascii_digit).count();
        let is_usual = match len {
            1 => !is_negative || !digits.starts_with('0'),
            2..=18 => !digits.starts_with('0'),
            _ => false,
        };
        let (number, rest) = self.0.split_at(len + usize::from(is_negative));
        if !is_usual || rest.starts_with(['.', 'e', 'E']) {
            return None;
        }
        self.0 = rest;
        Some(number)
    }
}

/// Decodes escapes.
pub fn unescape(inner: &str, out: &mut String) -> Option<()> {
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push(match rest.as_bytes().get(at + 1)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            // A code point; otherwise invalid JSON.
            _ => return None,
        });
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, inner: Option<(&str, bool)>, stands_for: Option<&str>) {
        let mut scan = Scan(text);
        let found = scan.pass("\"").and_then(|()| scan.quoted());
        assert_eq!(found.map(|found| (found.inner, found.is_escaped)), inner, "{text}");
        let mut out = String::new();
        let read = found.and_then(|found| unescape(found.inner, &mut out)).map(|()| &*out);
        assert_eq!(read, stands_for, "{text}");
    }

    #[test]
    fn texts_in_quotes() {
        check(r#""""#, Some(("", false)), Some(""));
        check(r#""é!","b""#, Some(("é!", false)), Some("é!"));
        check(r#""a\"b\\"]"#, Some((r#"a\"b\\"#, true)), Some(r#"a"b\"#));
        check(
            r#""\n\t\r\b\f\/""#,
            Some((r"\n\t\r\b\f\/", true)),
            Some("\n\t\r\u{8}\u{c}/"),
        );
        check(r#""\u00e9""#, Some((r"\u00e9", true)), None);
        check(r#""\x""#, Some((r"\x", true)), None);
        check(r#""\é""#, Some((r"\é", true)), None);
        check("\"a\nb\"", None, None);
        check(r#""a"#, None, None);
        check(r#""a\"#, None, None);
        check(r#""a\""#, None, None);
    }

    #[test]
    fn numbers_as_programs_write_them() {
        let number = |text| Scan(text).number();
        for text in ["0", "7", "-7", "10", "123456789012345678"] {
            assert_eq!(number(text), Some(text));
        }
        for text in [
            "",
            "-",
            "00",
            "01",
            "-0",
            "1.0",
            "1e3",
            "1234567890123456789",
            "a",
            "+1",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
