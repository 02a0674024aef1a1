//! Whole-file reading of small text files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest file, bytes: configs, tables, secrets and reports are far smaller.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes that some editors put in front of UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads a small text file: UTF-8, without its BOM, with `\n` as the only line end.
///
/// # Errors
/// The file cannot be read, is not UTF-8, or is larger than 16 MiB.
pub fn read_text(path: &Path) -> io::Result<String> {
    text_from(File::open(path)?, MAX_BYTES)
}

/// Reads all of `from` like [`read_text`]; at most `max` bytes.
///
/// # Errors
/// As [`read_text`].
pub fn text_from(from: impl Read, max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(invalid(format!("the text is larger than {max} bytes")));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(invalid("the text is UTF-16: save it as UTF-8".into()));
    }
    let bytes = match bytes.starts_with(BOM) {
        true => bytes.split_off(BOM.len()),
        false => bytes,
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        invalid(format!("invalid UTF-8 at line {line}"))
    })?;
    Ok(match text.contains("\r\n") {
        true => text.replace("\r\n", "\n"),
        false => text,
    })
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The reason why a text is not a single line. It contains nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SingleLineError {
    /// Only white space.
    #[error("is empty")]
    Empty,
    /// More than one line.
    #[error("has {0} lines")]
    Lines(usize),
}

/// Returns the only line of a text, without surrounding white space: a token, a certificate, a
/// secret.
///
/// # Errors
/// [`SingleLineError`]: the text is empty, or has several lines.
pub fn one_line(text: &str) -> Result<&str, SingleLineError> {
    let text = text.trim();
    match text.lines().count() {
        0 => Err(SingleLineError::Empty),
        1 => Ok(text),
        lines => Err(SingleLineError::Lines(lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<&str, &str>) {
        let got = text_from(bytes, 20).map_err(|error| error.to_string());
        assert_eq!(got.as_deref().map_err(|error| &**error), expected);
    }

    #[test]
    fn bom_and_line_ends_are_normalized() {
        check(b"", Ok(""));
        check(b"\xef\xbb\xbf", Ok(""));
        check(b"\xef\xbb\xbfa\r\nb\r\n", Ok("a\nb\n"));
        // A lone CR is not a line end.
        check(b"a\rb\n\n", Ok("a\rb\n\n"));
        check("a\u{feff}b".as_bytes(), Ok("a\u{feff}b"));
    }

    #[test]
    fn invalid_texts_are_refused_with_their_line() {
        check(b"a\nb\xff\nc", Err("invalid UTF-8 at line 2"));
        check(b"\xff\xfea\0", Err("the text is UTF-16: save it as UTF-8"));
        check(b"\xfe\xff\0a", Err("the text is UTF-16: save it as UTF-8"));
        check(&[b'a'; 20], Ok("aaaaaaaaaaaaaaaaaaaa"));
        check(&[b'a'; 21], Err("the text is larger than 20 bytes"));
    }

    #[test]
    fn a_secret_is_one_line() {
        assert_eq!(one_line(" a b\t\n\n"), Ok("a b"));
        assert_eq!(one_line("\n \n"), Err(SingleLineError::Empty));
        assert_eq!(one_line("a\nb\n"), Err(SingleLineError::Lines(2)));
        assert_eq!(one_line("a\n\nb"), Err(SingleLineError::Lines(3)));
    }
}
