//! Line-by-line reading of large files.

use std::io::{self, BufRead};

use crate::text::BOM;

/// A line, or the reason why it is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number, from 1.
    pub number: usize,
    /// The text without its line end.
    pub text: Result<String, BadLine>,
    /// True if the line has a line end. Only the last one may lack it.
    pub ended: bool,
}

/// The reason why a line is invalid. Later lines can still be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// The line exceeds the reader's limit.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// The line is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
}

/// The lines of a file that are not blank. A line above the limit is skipped without buffering it.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    max: usize,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines of at most `max` bytes each.
    pub fn new(from: R, max: usize) -> Self {
        Self { from, max, number: 0 }
    }

    /// Returns the number of the last line that was read; 0 before the first.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Reads the next line, blank or not.
    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut too_long = false;
        let ended = loop {
            let buffer = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                filled => filled?,
            };
            if buffer.is_empty() {
                break false;
            }
            let end = memchr::memchr(b'\n', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            // Allows for the extra byte of a Windows line end.
            too_long |= bytes.len() + part.len() > self.max + 1;
            if !too_long {
                bytes.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_some() {
                break true;
            }
        };
        if bytes.is_empty() && !ended && !too_long {
            return Ok(None);
        }
        self.number += 1;
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        if self.number == 1 && bytes.starts_with(BOM) {
            bytes.drain(..BOM.len());
        }
        let text = match String::from_utf8(bytes) {
            _ if too_long => Err(BadLine::TooLong(self.max)),
            Ok(text) if text.len() > self.max => Err(BadLine::TooLong(self.max)),
            Ok(text) => Ok(text),
            Err(_) => Err(BadLine::NotUtf8),
        };
        Ok(Some(Line {
            number: self.number,
            text,
            ended,
        }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.read().transpose()?;
            let blank = |text: &String| text.trim().is_empty();
            if !line.as_ref().is_ok_and(|line| line.text.as_ref().is_ok_and(blank)) {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &[(usize, Result<&str, BadLine>, bool)]) {
        // A buffer smaller than a line.
        let lines = Lines::new(io::BufReader::with_capacity(3, bytes), 5);
        let found: Vec<Line> = lines.collect::<io::Result<_>>().expect("bytes");
        let found: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.text.as_deref().map_err(|bad| *bad), line.ended))
            .collect();
        assert_eq!(found, expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn line_ends_and_blank_lines_are_normalized() {
        check(b"", &[]);
        check(b"\xef\xbb\xbf", &[]);
        check(b"\n \r\n\t", &[]);
        check(b"a\nb", &[(1, Ok("a"), true), (2, Ok("b"), false)]);
        check(
            b"\xef\xbb\xbfa\r\n\r\nb\r\n\r\n",
            &[(1, Ok("a"), true), (3, Ok("b"), true)],
        );
        check(b"12345\r\n", &[(1, Ok("12345"), true)]);
    }

    #[test]
    fn lines_after_an_invalid_line_are_read() {
        let long = Err(BadLine::TooLong(5));
        check(b"123456\n7\n", &[(1, long, true), (2, Ok("7"), true)]);
        check(
            b"a\n123456789012\r\nb\n",
            &[(1, Ok("a"), true), (2, long, true), (3, Ok("b"), true)],
        );
        check(b"1234567890", &[(1, long, false)]);
        check(b"a\xff\nb\n", &[(1, Err(BadLine::NotUtf8), true), (2, Ok("b"), true)]);
    }
}
