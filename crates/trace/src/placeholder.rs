//! Placeholders for secrets in redacted traces, and their stand-ins in a replay.
//!
//! `<account:1 len=5>`: the class at first use, the number within the trace, the length in bytes. `1.7` is the
//! seventh secret of those too short for their numbers. Flags after the length describe relevant characters: `spaced`
//! (so it is not a legal name), `digits`, `number`.
//!
//! A stand-in has that length and these characters, is unique per placeholder of a trace, and needs no escapes in JSON.
//! Thus limits, name rules and comparisons behave as for the secret.

use std::fmt;

/// Longest secret in bytes; a larger length is not a placeholder.
const MAX_BYTES: usize = 1 << 20;
/// Longest placeholder in bytes.
const MAX_WRITTEN: usize = 96;
/// Characters of one-letter stand-ins: valid in RTM IDs, and not a word of the wire.
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()+-:;=?@[]^{}|~,";
/// End of stand-ins.
const DOTS: &str = "................................................................";
/// First digits of numbers that are too short for their labels.
const DIGITS: &[u8] = b"23456781";

/// Class of a secret at its first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Legacy account, or an equal RTM ID.
    Account,
    /// Channel name.
    Channel,
    /// RTM ID that differs from its name.
    Id,
    /// Vendor key.
    App,
    /// Session line.
    Line,
    /// Client's device and address data.
    Client,
    /// Message, value, or other text.
    Text,
    /// Bytes of a raw message.
    Bytes,
}

impl Class {
    const NAMES: &[(&str, char, Class)] = &[
        ("account", 'a', Self::Account),
        ("channel", 'c', Self::Channel),
        ("id", 'i', Self::Id),
        ("app", 'p', Self::App),
        ("line", 'l', Self::Line),
        ("client", 'd', Self::Client),
        ("text", 't', Self::Text),
        ("bytes", 'b', Self::Bytes),
    ];

    fn entry(self) -> (&'static str, char) {
        let entry = Self::NAMES.iter().find(|(.., class)| *class == self);
        entry.map_or(("text", 't'), |(name, letter, _)| (*name, *letter))
    }

    /// Returns true for classes governed by the names policy.
    pub fn is_name(self) -> bool {
        !matches!(self, Self::Text | Self::Bytes)
    }
}

/// Relevant characters of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Visible characters.
    Plain,
    /// With white space or control characters.
    Spaced,
    /// DTMF digits.
    Digits,
    /// Non-integer JSON number.
    Number,
}

impl Shape {
    const NAMES: &[(&str, Shape)] = &[
        ("spaced", Self::Spaced),
        ("digits", Self::Digits),
        ("number", Self::Number),
    ];
    /// Shortest number with a stand-in.
    const MIN_NUMBER: usize = 6;

    /// Returns the shape of a text.
    pub fn of(text: &str) -> Self {
        if text.bytes().all(|b| b.is_ascii_digit() || b"*#".contains(&b)) {
            return Self::Digits;
        }
        let is_numeric = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
        let begins = |text: &str| text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if text.len() >= Self::MIN_NUMBER && begins(text) && text.bytes().all(is_numeric) && text.parse::<f64>().is_ok()
        {
            return Self::Number;
        }
        let is_spaced = if text.is_ascii() {
            // A full scan without branches: most texts have spaces or are short.
            text.bytes().fold(false, |any, b| any | (b <= b' ') | (b == 0x7f))
        } else {
            text.chars().any(|c| c.is_whitespace() || c.is_control())
        };
        if is_spaced {
            return Self::Spaced;
        }
        Self::Plain
    }
}

/// Number of a secret within its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// In order of first use, from 1.
    Number(u64),
    /// Keyed hash.
    Hash(u32),
}

impl Label {
    fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Hash(hash) => hash.into(),
        }
    }
}

/// Placeholder of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placeholder {
    pub class: Class,
    pub label: Label,
    /// Index among secrets of its length and shape, if the length is too short for the label.
    pub short: Option<u64>,
    /// In bytes.
    pub len: usize,
    pub shape: Shape,
}

impl Placeholder {
    /// Returns true if the label fits into a stand-in.
    pub fn has_room(&self) -> bool {
        let number = self.label.number();
        match self.shape {
            Shape::Plain => count_digits(number, 36) < self.len,
            Shape::Spaced => 2 + count_digits(number, 36) <= self.len,
            Shape::Digits => count_digits(number, 10) < self.len,
            Shape::Number => 2 + count_digits(number, 10) <= self.len,
        }
    }

    /// Parses a placeholder at the start of a text; returns the rest.
    pub fn parse(text: &str) -> Option<(Self, &str)> {
        let rest = text.strip_prefix('<')?;
        let name = rest.get(..rest.bytes().take(9).position(|b| b == b':')?)?;
        let (.., class) = Class::NAMES.iter().find(|(known, ..)| *known == name)?;
        let rest = &rest[name.len() + 1..];
        let end = rest.bytes().take(MAX_WRITTEN).position(|b| b == b'>')?;
        // Single characters are found much faster than texts, and a long trace has a placeholder in most records.
        let (label, len) = rest[..end].split_once(' ')?;
        let len = len.strip_prefix("len=")?;
        let (len, shape) = match len.split_once(' ') {
            None => (len, Shape::Plain),
            Some((len, name)) => (len, Shape::NAMES.iter().find(|(known, _)| *known == name)?.1),
        };
        let (label, short) = label
            .split_once('.')
            .map_or((label, None), |(label, short)| (label, Some(short)));
        let label = match label.strip_prefix('#') {
            Some(hash) => Label::Hash(u32::from_str_radix(hash, 16).ok()?),
            None => Label::Number(label.parse().ok()?),
        };
        let found = Self {
            class: *class,
            label,
            short: short.map(str::parse).transpose().ok()?,
            len: len.parse().ok().filter(|len| (1..=MAX_BYTES).contains(len))?,
            shape,
        };
        Some((found, &rest[end + 1..]))
    }

    /// Returns true if the whole text is one placeholder.
    pub fn is_all_of(text: &str) -> bool {
        Self::parse(text).is_some_and(|(_, rest)| rest.is_empty())
    }

    /// Returns the stand-in.
    pub fn stand_in(&self) -> String {
        let mut text = String::new();
        self.write_stand_in(&mut text);
        text
    }

    /// Appends the stand-in.
    pub fn write_stand_in(&self, out: &mut String) {
        let end = out.len() + self.len;
        out.reserve(self.len);
        match (self.shape, self.short) {
            (Shape::Plain, None) => {
                out.push(self.class.entry().1);
                base36(self.label.number(), out);
            }
            (Shape::Spaced, None) => {
                out.push(self.class.entry().1);
                out.push(' ');
                base36(self.label.number(), out);
            }
            _ => out.push_str(&self.rare_stand_in()),
        }
        while out.len() < end {
            out.push_str(&DOTS[..DOTS.len().min(end - out.len())]);
        }
        out.truncate(end);
    }

    /// Returns the start of a stand-in of digits, or of a secret that is too short for its label.
    fn rare_stand_in(&self) -> String {
        let len = self.len;
        let number = self.label.number();
        match (self.shape, self.short) {
            (Shape::Plain | Shape::Spaced, None) => String::new(),
            (Shape::Digits, None) => format!("9{number:0>0$}", len.saturating_sub(1)),
            (Shape::Number, None) => format!("9.{number:0>0$}", len.saturating_sub(2)),
            (Shape::Plain, Some(short)) => lettered("", short, len),
            (Shape::Spaced, Some(_)) if len == 1 => " ".into(),
            (Shape::Spaced, Some(short)) => lettered(" ", short, len),
            (Shape::Digits, Some(short)) if len == 1 => {
                let symbols = b"23456789*#";
                char::from(symbols[at(short, symbols.len())]).into()
            }
            (Shape::Digits, Some(short)) => {
                let rest = len - 1;
                let (first, short) = split(short, 10, rest);
                format!("{}{short:0>rest$}", char::from(DIGITS[at(first, DIGITS.len())]))
            }
            (Shape::Number, Some(short)) => {
                let (_, short) = split(short, 10, len.saturating_sub(2));
                format!("8.{short:0>0$}", len.saturating_sub(2))
            }
        }
    }
}

impl Placeholder {
    /// Writes the placeholder.
    pub fn write(&self, out: &mut String) {
        let mut digits = itoa::Buffer::new();
        out.push('<');
        out.push_str(self.class.entry().0);
        out.push(':');
        match self.label {
            Label::Number(number) => out.push_str(digits.format(number)),
            Label::Hash(hash) => {
                let _ = fmt::Write::write_fmt(out, format_args!("#{hash:08x}"));
            }
        }
        if let Some(short) = self.short {
            out.push('.');
            out.push_str(digits.format(short));
        }
        out.push_str(" len=");
        out.push_str(digits.format(self.len));
        let shape = Shape::NAMES.iter().find(|(_, shape)| *shape == self.shape);
        if let Some((name, _)) = shape {
            out.push(' ');
            out.push_str(name);
        }
        out.push('>');
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = String::with_capacity(MAX_WRITTEN);
        self.write(&mut written);
        f.write_str(&written)
    }
}

/// Builds a stand-in from a capital letter, which no label's stand-in starts with, and a number.
fn lettered(between: &str, short: u64, len: usize) -> String {
    let rest = len.saturating_sub(1 + between.len());
    if rest == 0 {
        return format!("{}{between}", char::from(LETTERS[at(short, LETTERS.len())]));
    }
    let (first, short) = split(short, 36, rest);
    let letter = char::from(LETTERS[at(first, 26)]);
    let mut digits = String::new();
    base36(short, &mut digits);
    format!("{letter}{between}{digits:0>rest$}")
}

/// Splits a number in a base into leading digits and the last `rest` digits.
fn split(number: u64, base: u64, rest: usize) -> (u64, u64) {
    let rest = u32::try_from(rest).unwrap_or(u32::MAX);
    base.checked_pow(rest)
        .map_or((0, number), |all| (number / all, number % all))
}

/// Wraps around at `count`.
fn at(number: u64, count: usize) -> usize {
    usize::try_from(number).unwrap_or(0) % count
}

fn count_digits(number: u64, base: u64) -> usize {
    number.checked_ilog(base).map_or(1, |log| log as usize + 1)
}

fn base36(number: u64, out: &mut String) {
    if number >= 36 {
        base36(number / 36, out);
    }
    out.push(char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[at(number % 36, 36)]));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use identity::Account;
    use rtm::UserId;

    fn check(written: &str, stand_in: &str) {
        let (placeholder, rest) = Placeholder::parse(written).expect(written);
        assert_eq!((placeholder.to_string(), rest), (written.to_owned(), ""));
        assert_eq!(placeholder.stand_in(), stand_in, "{written}");
        assert_eq!(placeholder.stand_in().len(), placeholder.len, "{written}");
    }

    #[test]
    fn stand_ins_have_the_length_and_the_characters() {
        check("<account:1 len=5>", "a1...");
        check("<channel:35 len=2>", "cz");
        check("<channel:36.0 len=2>", "A0");
        check("<channel:37.36 len=2>", "B0");
        check("<text:7 len=6 spaced>", "t 7...");
        check("<text:7.3 len=1>", "D");
        check("<text:7.3 len=1 spaced>", " ");
        check("<text:7.3 len=2 spaced>", "D ");
        check("<text:7.3 len=3 spaced>", "A 3");
        check("<text:7 len=4 digits>", "9007");
        check("<text:7.3 len=1 digits>", "5");
        check("<text:12.13 len=2 digits>", "33");
        check("<text:12 len=7 number>", "9.00012");
        check("<account:#0000002a len=5>", "a16..");
        check("<account:#ab12cd34.1 len=5>", "A0001");
    }

    #[test]
    fn invalid_placeholders_stay_text() {
        for text in [
            "",
            "<",
            "<account:1 len=5",
            "<account:x len=5>",
            "<account:1 len=0>",
            "<account:1 len=9999999>",
            "<name:1 len=5>",
            "<token>",
            "account:1 len=5>",
            "<é:1 len=5>",
        ] {
            assert_eq!(Placeholder::parse(text), None, "{text}");
        }
        assert!(!Placeholder::is_all_of("<account:1 len=5> "));
    }

    fn check_shape(text: &str, expected: Shape) {
        assert_eq!(Shape::of(text), expected, "{text:?}");
    }

    #[test]
    fn shapes_are_what_the_engine_asks_of_texts() {
        check_shape("alice", Shape::Plain);
        check_shape("張三", Shape::Plain);
        check_shape("hi there", Shape::Spaced);
        check_shape("a\n", Shape::Spaced);
        check_shape("12*#", Shape::Digits);
        check_shape("12345.6", Shape::Number);
        check_shape("-12345", Shape::Number);
        check_shape("1.5", Shape::Plain);
    }

    #[test]
    fn all_of_a_trace_differ_and_are_legal_names() {
        let mut seen = HashSet::new();
        for shape in [Shape::Plain, Shape::Digits] {
            for len in [1, 2, 3, 5, 9, 64] {
                let few = if len == 1 { 8 } else { 70 };
                let labels = (1..=few).map(|n| (Label::Number(n), n - 1));
                for (label, short) in labels {
                    let mut placeholder = Placeholder {
                        class: Class::Account,
                        label,
                        short: None,
                        len,
                        shape,
                    };
                    if !placeholder.has_room() {
                        placeholder.short = Some(short);
                    }
                    let text = placeholder.stand_in();
                    assert!(Account::new(text.as_str()).is_ok(), "{text}");
                    assert!(UserId::new(text.as_str()).is_ok(), "{text}");
                    assert_eq!(Shape::of(&text), shape, "{text}");
                    assert!(seen.insert(text.clone()), "{text} twice");
                }
            }
        }
    }
}
