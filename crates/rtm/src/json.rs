//! The reader of external JSON.
//!
//! It accepts the grammar of RFC 8259. serde_json rejects two kinds of input that clients send:
//!
//! - **Lone surrogates.** `JSON.stringify` and Python's `json.dumps` write `"\ud83d"` for an emoji
//!   that was cut in half. UTF-8 cannot hold it, so it is read as U+FFFD.
//! - **Numbers of any size.** A message may be any JSON and is passed on as text:
//!   `18446744073709551615` and `1e400` are unchanged.

pub mod shared_texts;
pub mod write;

use std::borrow::Cow;

use memchr::{memchr, memmem};
use serde::de::DeserializeOwned;

use crate::value::{Number, Text, Value};

/// Maximum nesting depth of lists and objects, as in serde_json.
const MAX_DEPTH: usize = 127;
/// Number of members of an object that fit into its first allocation.
const USUAL_ENTRIES: usize = 8;
/// Length of `\u` and four digits.
const CODE_BYTES: usize = 6;

/// An invalid JSON text: the error and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at line {line} column {column}")]
pub struct JsonError {
    kind: ErrorKind,
    line: usize,
    column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum ErrorKind {
    #[error("end of the text inside a value")]
    Unfinished,
    #[error("expected a value")]
    NoValue,
    #[error("expected a name in quotes")]
    NoName,
    #[error("expected `:`")]
    NoColon,
    #[error("expected `,` or `]`")]
    NoEndOfList,
    #[error("expected `,` or `}}`")]
    NoEndOfObject,
    #[error("invalid number")]
    BadNumber,
    #[error("invalid escape")]
    BadEscape,
    #[error("control character in a string")]
    Control,
    #[error("nested too deeply")]
    TooDeep,
    #[error("trailing characters")]
    Trailing,
}

impl Value {
    /// Returns compact JSON.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(self.bytes() + 16);
        write::value(self, &mut json);
        json
    }

    /// Reads JSON text.
    ///
    /// # Errors
    /// [`JsonError`]: the text is not JSON.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        parse(text)
    }
}

/// Reads a text as a value.
///
/// # Errors
/// [`JsonError`]: the text is not JSON, or is nested deeper than 127 levels.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    let paired = paired(text);
    let mut parser = Parser {
        text: &paired,
        at: 0,
        depth: 0,
        reads_code_points: true,
    };
    let read = parser.value().and_then(|value| match parser.peek() {
        Some(_) => Err(ErrorKind::Trailing),
        None => Ok(value),
    });
    // `paired` does not change lengths, so positions are those of the original text.
    read.map_err(|kind| parser.error(kind))
}

/// Reads a text as a type.
///
/// # Errors
/// The error of serde_json.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(&paired(text))
}

/// Returns JSON text of the same length in which each lone surrogate escape is `\ufffd`.
///
/// The text is copied only if an escape is replaced.
pub fn paired(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if memmem::find(bytes, b"\\u").is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let (mut at, mut done) = (0, 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr(b'\\', rest)) {
        at += found;
        match (surrogate(bytes, at), surrogate(bytes, at + CODE_BYTES)) {
            (Some(Half::First), Some(Half::Second)) => at += 2 * CODE_BYTES,
            (Some(_), _) => {
                out.push_str(&text[done..at]);
                out.push_str("\\ufffd");
                at += CODE_BYTES;
                done = at;
            }
            // The next character may be a backslash itself.
            (None, _) => at += 2,
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

enum Half {
    First,
    Second,
}

/// Returns the half of a surrogate pair whose escape is at a position.
fn surrogate(bytes: &[u8], at: usize) -> Option<Half> {
    let escape = bytes.get(at..at + CODE_BYTES)?;
    let is_escape = escape.starts_with(b"\\u") && escape[2..].iter().all(u8::is_ascii_hexdigit);
    match (is_escape, escape[2] | 0x20, escape[3] | 0x20) {
        (true, b'd', b'8'..=b'9' | b'a'..=b'b') => Some(Half::First),
        (true, b'd', b'c'..=b'f') => Some(Half::Second),
        _ => None,
    }
}

/// Reader of a text with a known form, part by part.
pub struct Reader<'t>(Parser<'t>);

impl<'t> Reader<'t> {
    /// Begins to read a text. Values count as nested in `depth` lists and objects. Escaped code points are not read;
    /// [`parse`] reads them.
    pub fn new(text: &'t str, depth: usize) -> Self {
        Self(Parser {
            text,
            at: 0,
            depth,
            reads_code_points: false,
        })
    }

    /// Reads a character of the JSON syntax.
    pub fn token(&mut self, token: u8) -> Option<()> {
        self.0.ends(token).then_some(())
    }

    /// Reads a string.
    pub fn text(&mut self) -> Option<Text> {
        (self.0.peek() == Some(b'"')).then(|| self.0.quoted().ok())?
    }

    /// Reads any value.
    pub fn value(&mut self) -> Option<Value> {
        self.0.value().ok()
    }

    /// Reads the end of the text.
    pub fn end(&mut self) -> Option<()> {
        self.0.peek().is_none().then_some(())
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// True if the surrogates of the text are [`paired`].
    reads_code_points: bool,
}

impl<'t> Parser<'t> {
    fn error(&self, kind: ErrorKind) -> JsonError {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        JsonError {
            kind,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start + 1,
        }
    }

    /// Returns the next byte that is not white space, without consuming it.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let space = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += space.count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn value(&mut self) -> Result<Value, ErrorKind> {
        match self.peek() {
            Some(b'"') => self.quoted().map(Value::Text),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(ErrorKind::NoValue),
            None => Err(ErrorKind::Unfinished),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, ErrorKind> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(ErrorKind::NoValue);
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Value, ErrorKind>) -> Result<Value, ErrorKind> {
        if self.depth == MAX_DEPTH {
            return Err(ErrorKind::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Value, ErrorKind> {
        let mut items = Vec::new();
        if self.ends(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if !self.comma_or_end(b']', ErrorKind::NoEndOfList)? {
                return Ok(Value::List(items));
            }
        }
    }

    fn object(&mut self) -> Result<Value, ErrorKind> {
        if self.ends(b'}') {
            return Ok(Value::Map(Vec::new()));
        }
        let mut entries = Vec::with_capacity(USUAL_ENTRIES);
        loop {
            match self.peek() {
                Some(b'"') => {}
                Some(_) => return Err(ErrorKind::NoName),
                None => return Err(ErrorKind::Unfinished),
            }
            let name = self.quoted()?;
            match self.peek() {
                Some(b':') => self.at += 1,
                Some(_) => return Err(ErrorKind::NoColon),
                None => return Err(ErrorKind::Unfinished),
            }
            entries.push((name, self.value()?));
            if !self.comma_or_end(b'}', ErrorKind::NoEndOfObject)? {
                return Ok(Value::Map(entries));
            }
        }
    }

    /// Consumes the end of a list or an object, if it is next.
    fn ends(&mut self, end: u8) -> bool {
        let is_end = self.peek() == Some(end);
        self.at += usize::from(is_end);
        is_end
    }

    /// Consumes a comma or the end; returns true for a comma.
    fn comma_or_end(&mut self, end: u8, otherwise: ErrorKind) -> Result<bool, ErrorKind> {
        let next = self.peek().ok_or(ErrorKind::Unfinished)?;
        if next != b',' && next != end {
            return Err(otherwise);
        }
        self.at += 1;
        Ok(next == b',')
    }

    /// Reads a string whose opening quote is next.
    fn quoted(&mut self) -> Result<Text, ErrorKind> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            let rest = &self.text.as_bytes()[start..];
            let len = write::first_escaped(rest).ok_or(ErrorKind::Unfinished)?;
            if rest[len] < b' ' {
                self.at += len;
                return Err(ErrorKind::Control);
            }
            let piece = &self.text[start..start + len];
            self.at += len + 1;
            if rest[len] == b'"' {
                if out.is_empty() {
                    return Ok(shared_texts::text(piece));
                }
                out.push_str(piece);
                return Ok(out.into());
            }
            out.push_str(piece);
            out.push(self.escaped()?);
        }
    }

    /// Reads an escape whose backslash is consumed.
    fn escaped(&mut self) -> Result<char, ErrorKind> {
        let escape = *self.text.as_bytes().get(self.at).ok_or(ErrorKind::Unfinished)?;
        self.at += 1;
        Ok(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' if self.reads_code_points => {
                let first = self.code()?;
                // The first half of a pair: `paired` has checked that the other half follows.
                match char::from_u32(first) {
                    Some(char) => char,
                    None => {
                        self.at += 2;
                        let second = self.code()?;
                        let pair = 0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff);
                        char::from_u32(pair).ok_or(ErrorKind::BadEscape)?
                    }
                }
            }
            _ => return Err(ErrorKind::BadEscape),
        })
    }

    fn code(&mut self) -> Result<u32, ErrorKind> {
        let digits = self
            .text
            .as_bytes()
            .get(self.at..self.at + 4)
            .ok_or(ErrorKind::Unfinished)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(ErrorKind::BadEscape)?;
            Ok(code << 4 | digit)
        })
    }

    fn number(&mut self) -> Result<Value, ErrorKind> {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = |from: usize| rest[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let minus = usize::from(rest[0] == b'-');
        let whole = digits(minus);
        let mut len = minus + whole;
        let mut is_good = whole > 0 && (whole == 1 || rest[minus] != b'0');
        if rest.get(len) == Some(&b'.') {
            let fraction = digits(len + 1);
            len += 1 + fraction;
            is_good &= fraction > 0;
        }
        if matches!(rest.get(len), Some(b'e' | b'E')) {
            len += 1 + usize::from(matches!(rest.get(len + 1), Some(b'+' | b'-')));
            let exponent = digits(len);
            len += exponent;
            is_good &= exponent > 0;
        }
        if !is_good {
            return Err(ErrorKind::BadNumber);
        }
        let number = &self.text[self.at..self.at + len];
        self.at += len;
        Ok(match number.parse() {
            Ok(whole) if number != "-0" => Value::Int(whole),
            _ => Value::Number(Number::from_checked(number)),
        })
    }
}

#[cfg(test)]
mod tests;
