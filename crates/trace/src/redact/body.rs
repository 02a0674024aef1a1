//! Streaming redaction of apps' JSON; see [`crate::redact::fast_path`].

use serde::de::IgnoredAny;

use crate::placeholder::Class;
use crate::redact::allowlist;
use crate::redact::fast_path::FastRedactor;
use crate::redact::pseudonyms::Entry;
use crate::redact::scan::{Quoted, push_plain, push_quote, unescape};
use crate::redact::texts::{MAX_JSON, MIN_SECRET_DIGITS, may_be_json, may_have_parts};

impl FastRedactor<'_> {
    /// Returns true for text that is certainly JSON; false if a parser must decide.
    pub(super) fn is_surely_json(text: &str) -> bool {
        let is_odd = |pair: &[u8]| {
            let is_exponent = matches!(pair[1], b'e' | b'E') && matches!(pair[0], b'0'..=b'9' | b'.');
            is_exponent || pair == b"\\u" || pair[0] == b'<'
        };
        text.len() <= MAX_JSON
            && !text.as_bytes().windows(2).any(is_odd)
            && serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    /// Handles the bytes between texts, which include numbers.
    pub(super) fn between(&mut self, between: &str, key: &mut &str, out: &mut String) -> Option<()> {
        // Placeholder of a number from an earlier redaction.
        if between.contains('<') {
            return None;
        }
        let mut rest = between;
        while !rest.is_empty() {
            let begins = |b: u8| b == b'-' || b.is_ascii_digit();
            let (other, after) = rest.split_at(rest.bytes().position(begins).unwrap_or(rest.len()));
            push_plain(other, out)?;
            if other.contains(['{', '}']) {
                *key = "";
            }
            let goes_on = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
            let len = after.bytes().position(|b| !goes_on(b)).unwrap_or(after.len());
            let (number, after) = after.split_at(len);
            if !number.is_empty() {
                self.number(key, number, out)?;
            }
            rest = after;
        }
        Some(())
    }

    fn number(&mut self, key: &str, number: &str, out: &mut String) -> Option<()> {
        let words = &self.redaction.words;
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        if words.is_setting(key) || digits < MIN_SECRET_DIGITS && !words.is_part(key) {
            out.push_str(number);
            return Some(());
        }
        if digits < number.len() {
            return None;
        }
        match self.entry(number)? {
            Entry::By(placeholder) => placeholder.write(out),
            Entry::Kept => out.push_str(number),
            Entry::Json => return None,
        }
        Some(())
    }

    pub(super) fn body_text(&mut self, key: &str, quoted: Quoted<'_>, depth: usize, out: &mut String) -> Option<()> {
        let mut unescaped = String::new();
        let mut text = quoted.inner;
        if quoted.is_escaped {
            unescaped.reserve(text.len());
            unescape(text, &mut unescaped)?;
            text = &unescaped;
        }
        let stays = self.redaction.words.is_setting(key) && allowlist::is_plain_number(text);
        let entry = if stays { Entry::Kept } else { self.entry(text)? };
        push_quote(depth + 1, out)?;
        let mut short = 0;
        match entry {
            Entry::By(placeholder) => {
                placeholder.write(out);
                // Escapes are shorter now, but the text's length counts.
                short = quoted.inner.len().saturating_sub(placeholder.len);
            }
            Entry::Kept if !quoted.is_escaped => out.push_str(text),
            Entry::Kept | Entry::Json => return None,
        }
        push_quote(depth + 1, out)?;
        out.extend(std::iter::repeat_n(' ', short));
        Some(())
    }

    /// Looks up a part of a body, which may be new.
    fn entry(&mut self, text: &str) -> Option<Entry> {
        if let Some(known) = self.known(text) {
            return Some(known);
        }
        if may_have_parts(text) || may_be_json(text) {
            return None;
        }
        Some(self.assign(text, Class::Text))
    }
}
