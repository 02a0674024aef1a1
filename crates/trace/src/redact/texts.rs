//! Redaction of texts, as a whole or by parts, so that the engine treats them alike.
//!
//! The treatment depends on the text and its first use, not on its place. So a repeated text is replaced like the
//! original.

use serde::de::IgnoredAny;

use identity::Account;
use rtm::value::Value;
use tables::bridge_messages::{end_call, parse_end_call};

use crate::placeholder::{Class, Placeholder, Shape};
use crate::placeholder_expand;
use crate::redact::Redactor;
use crate::redact::allowlist;
use crate::redact::allowlist::{LINE, MAILBOX};
use crate::redact::json::{Piece, Pieces, quoted, unquoted};
use crate::redact::pseudonyms::Entry;

/// Maximum nesting of decomposed JSON texts; deeper ones are replaced as a whole.
const MAX_DEPTH: usize = 8;
/// Longest decomposed JSON text in bytes; longer ones are replaced as a whole.
const MAX_JSON: usize = 1 << 22;
/// Shorter numbers in bodies are kept: they are types and states.
const MIN_SECRET_DIGITS: usize = 5;
/// Prefixes of the program's errors about unknown functions.
const FUNCTION: &[&str] = &["unknown func ", "there is no method "];
/// JSON-RPC members with the program's own texts.
const RPC: &[&str] = &["jsonrpc", "method", "event", "message"];
/// Member with an attribute's name.
const NAME: &str = "name";
/// Prefix of an empty attribute value, or one with this prefix (decisions H7).
const EMPTY: char = '\u{E000}';
/// Length of short JSON texts of the program in bytes.
const SHORT: usize = 64;
/// Prefix of a hashed RTM ID (decisions H5).
const HASHED: &str = "~h.";

/// Origin of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Json {
    /// An app: other bytes and the length are kept.
    Body,
    /// The program: re-encoded in the program's form.
    Own,
}

impl Redactor {
    /// Returns the replacement of a text of a class; `None` to keep it.
    pub(super) fn replace(&mut self, text: &str, class: Class) -> Option<String> {
        self.replace_at(text, class, 0)
    }

    fn replace_at(&mut self, text: &str, class: Class, depth: usize) -> Option<String> {
        if let Some(known) = self.known(text, depth) {
            return known;
        }
        if let Some(parts) = self.by_parts(text, depth) {
            return parts;
        }
        let is_one = class.is_name() && Account::new(text).is_ok();
        if !is_one && self.replaces_bodies() && is_json(text, depth) {
            self.dictionary.is_json(text);
            return Some(self.json(text, Json::Body, depth));
        }
        self.assign(text, class)
    }

    /// Returns the replacement of an output text: a repeated input, or composed of such.
    pub(super) fn echo(&mut self, text: &str) -> Option<String> {
        self.echo_at(text, 0)
    }

    fn echo_at(&mut self, text: &str, depth: usize) -> Option<String> {
        if !self.dictionary.is_composed(text) {
            if let Some(known) = self.known(text, depth) {
                return known;
            }
            if let Some(parts) = self.by_parts(text, depth) {
                return parts;
            }
        }
        if let Some(pair) = text.strip_prefix(MAILBOX).filter(|pair| self.is_syntax(pair)) {
            let pair = self.json(pair, Json::Own, depth);
            return Some(format!("{MAILBOX}{pair}"));
        }
        if let Some(line) = text.strip_prefix(LINE).and_then(|line| self.line(line, depth)) {
            return Some(line);
        }
        // Function names are not secret.
        if FUNCTION.iter().any(|start| text.starts_with(start)) {
            return None;
        }
        if depth < MAX_DEPTH && self.is_syntax(text) {
            return Some(self.json(text, Json::Own, depth));
        }
        // An unknown text: a difference is better than a leak.
        self.assign(text, Class::Text)
    }

    /// Redacts the rest of a line after `msg-v2`: source, destination, flag, type, time, content (signaling-wire 5).
    fn line(&mut self, line: &str, depth: usize) -> Option<String> {
        let (src, rest) = word(line);
        let (dst, rest) = word(rest);
        let mut words = rest.splitn(4, ' ');
        let (flag, kind, time) = (words.next()?, words.next()?, words.next()?);
        if !self.words().has(flag) || !self.words().has(kind) || time.parse::<u64>().is_err() {
            return None;
        }
        let content = words.next()?;
        let head = &rest[..rest.len() - content.len()];
        let src = self.replace(src, Class::Account).unwrap_or_else(|| src.into());
        let dst = self.replace(dst, Class::Account).unwrap_or_else(|| dst.into());
        let content = self.echo_at(content, depth).unwrap_or_else(|| content.into());
        Some(format!("{LINE}{src} {dst} {head}{content}"))
    }

    /// Looks up a known text; the outer `None` means unknown.
    fn known(&mut self, text: &str, depth: usize) -> Option<Option<String>> {
        if text.is_empty() || self.words().has(text) || Placeholder::is_all_of(text) {
            return Some(None);
        }
        Some(match self.dictionary.find(text)? {
            Entry::Kept => None,
            Entry::Json => Some(self.json(text, Json::Body, depth)),
            Entry::By(placeholder) => Some(placeholder.to_string()),
        })
    }

    /// Redacts composed texts by parts; only the parts are registered.
    fn by_parts(&mut self, text: &str, depth: usize) -> Option<Option<String>> {
        // Most texts start otherwise.
        if !matches!(text.as_bytes().first(), Some(0xEE | b'~' | b'A')) {
            return None;
        }
        if let Some(value) = text.strip_prefix(EMPTY) {
            let value = self.replace_at(value, Class::Text, depth);
            return Some(value.map(|value| format!("{EMPTY}{value}")));
        }
        if let Some(hash) = text.strip_prefix(HASHED).filter(|hash| !hash.is_empty()) {
            let hash = self.replace_at(hash, Class::Id, depth);
            return Some(hash.map(|hash| format!("{HASHED}{hash}")));
        }
        let (channel, info) = parse_end_call(text)?;
        let new_channel = self.replace_at(&channel, Class::Channel, depth);
        let new_info = self.replace_at(&info, Class::Text, depth);
        if new_channel.is_none() && new_info.is_none() {
            return Some(None);
        }
        let channel = new_channel.as_deref().unwrap_or(&channel);
        Some(Some(end_call(channel, new_info.as_deref().unwrap_or(&info))))
    }

    fn assign(&mut self, text: &str, class: Class) -> Option<String> {
        self.assign_len(text, class, text.len())
    }

    pub(super) fn assign_len(&mut self, text: &str, class: Class, len: usize) -> Option<String> {
        let entry = self
            .dictionary
            .assign(text, class, len, &self.redaction, &self.redaction.words);
        match entry {
            Entry::By(placeholder) => Some(placeholder.to_string()),
            Entry::Kept | Entry::Json => None,
        }
    }

    /// Redacts the texts of JSON, and longer numbers of a body. Keys belong to the app's schema.
    pub(super) fn json(&mut self, text: &str, whose: Json, depth: usize) -> String {
        let mut out = String::with_capacity(text.len() + 32);
        let mut key = None;
        let mut is_counted = false;
        for piece in Pieces::of(text) {
            match piece {
                Piece::Other(other) => {
                    if other.contains(['{', '}']) {
                        (key, is_counted) = (None, false);
                    }
                    out.push_str(other);
                }
                Piece::Key(quoted) => {
                    key = unquoted(quoted);
                    out.push_str(quoted);
                }
                Piece::Text(old) => {
                    let Some(text) = unquoted(old) else {
                        out.push_str(old);
                        continue;
                    };
                    let under = key.as_deref().unwrap_or_default();
                    if under == NAME {
                        is_counted = allowlist::is_built_in(&text);
                    }
                    let means = match whose {
                        Json::Body => self.words().is_setting(under),
                        Json::Own => allowlist::is_built_in(under) || is_counted && under == "value",
                    };
                    let names = || is_counted || self.dictionary.has_attribute(&text);
                    let is_schema = whose == Json::Own && under == NAME && names();
                    let is_rpc = whose == Json::Own && depth == 0 && RPC.contains(&under);
                    if is_rpc || is_schema || means && allowlist::is_plain_number(&text) {
                        out.push_str(old);
                        continue;
                    }
                    let new = match whose {
                        Json::Body => self.replace_at(&text, Class::Text, depth + 1),
                        Json::Own => self.echo_at(&text, depth + 1),
                    };
                    let Some(new) = new else {
                        out.push_str(old);
                        continue;
                    };
                    let new = quoted(&new);
                    out.push_str(&new);
                    if whose == Json::Body {
                        // Escapes are shorter now, but the text's length counts.
                        pad(&mut out, old, &new);
                    }
                }
                Piece::Number(old) => {
                    let new = match whose {
                        Json::Body => self.number(key.as_deref().unwrap_or_default(), old),
                        Json::Own => None,
                    };
                    out.push_str(new.as_deref().unwrap_or(old));
                }
            }
        }
        out
    }

    /// Returns true for JSON in the program's own form.
    fn is_syntax(&mut self, text: &str) -> bool {
        if !text.starts_with(['{', '[']) {
            return false;
        }
        if *self.last_json == *text {
            return true;
        }
        let is_syntax = placeholder_expand::text(text, MAX_JSON)
            .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(&text).is_ok());
        if is_syntax && text.len() <= SHORT {
            self.last_json.clear();
            self.last_json.push_str(text);
        }
        is_syntax
    }

    fn number(&mut self, key: &str, old: &str) -> Option<String> {
        let digits = old.bytes().filter(u8::is_ascii_digit).count();
        if self.words().is_setting(key) || digits < MIN_SECRET_DIGITS && !self.words().is_part(key) {
            return None;
        }
        let new = self.replace(old, Class::Text)?;
        // The stand-in must be a number, too.
        match Shape::of(old) {
            Shape::Digits | Shape::Number => Some(new),
            Shape::Plain | Shape::Spaced => Some(quoted(&new)),
        }
    }
}

fn pad(out: &mut String, old: &str, new: &str) {
    let len = new.len() as isize - placeholder_expand::excess(new);
    let short = old.len() as isize - len;
    out.extend(std::iter::repeat_n(' ', usize::try_from(short).unwrap_or(0)));
}

/// Returns true for an object or array that the engine parses as JSON.
fn is_json(text: &str, depth: usize) -> bool {
    if depth >= MAX_DEPTH || !text.trim_ascii_start().starts_with(['{', '[']) {
        return false;
    }
    placeholder_expand::text(text, MAX_JSON).is_ok_and(|text| Value::from_json(&text).is_ok())
}

/// Splits off the first word: a placeholder, or the text before a space.
pub(super) fn word(text: &str) -> (&str, &str) {
    if let Some((_, rest)) = Placeholder::parse(text) {
        let first = &text[..text.len() - rest.len()];
        if let Some(rest) = rest.strip_prefix(' ') {
            return (first, rest);
        }
        if rest.is_empty() {
            return (first, rest);
        }
    }
    // `~h.` and other fixed prefixes.
    let inner = text.find('<').filter(|at| !text[..*at].contains(' '));
    if let Some((at, (_, rest))) = inner.and_then(|at| Some((at, Placeholder::parse(&text[at..])?)))
        && at > 0
    {
        return (&text[..text.len() - rest.len()], rest.strip_prefix(' ').unwrap_or(rest));
    }
    text.split_once(' ').unwrap_or((text, ""))
}
