//! Streaming redaction of frames to clients; see [`crate::redact::fast_path`].

use crate::redact::allowlist;
use crate::redact::fast_path::FastRedactor;
use crate::redact::scan::{Quoted, Scan, push_plain, push_quote, unescape};
use crate::redact::texts;
use crate::redact::texts::{FUNCTION, Json, LINE, MAILBOX, MAX_DEPTH, NAME, RPC};

/// Short answers in bytes.
const SHORT: usize = 64;

impl FastRedactor<'_> {
    /// Redacts a frame to a client.
    pub fn output(&mut self, frame: &str, out: &mut String) -> Option<()> {
        if frame.starts_with(['[', '{']) {
            return self.json(frame, Json::Own, 0, out);
        }
        let words = if frame.starts_with("call_ret ") {
            4
        } else if frame.starts_with(MAILBOX) {
            2
        } else {
            return None;
        };
        let tail = frame.splitn(words + 1, ' ').nth(words)?;
        push_plain(&frame[..frame.len() - tail.len()], out)?;
        tail.starts_with(['[', '{'])
            .then(|| self.json(tail, Json::Own, 0, out))?
    }

    /// Redacts nested JSON text.
    pub(super) fn json(&mut self, text: &str, whose: Json, depth: usize, out: &mut String) -> Option<()> {
        let mut scan = Scan(text);
        let mut key = "";
        loop {
            let at = memchr::memchr(b'"', scan.0.as_bytes()).unwrap_or(scan.0.len());
            let (between, rest) = scan.0.split_at(at);
            match whose {
                Json::Own => {
                    push_plain(between, out)?;
                    if between.contains(['{', '}']) {
                        key = "";
                    }
                }
                Json::Body => self.between(between, &mut key, out)?,
            }
            let Some(rest) = rest.strip_prefix('"') else {
                return Some(());
            };
            scan.0 = rest;
            let quoted = scan.quoted()?;
            match scan.0.as_bytes().first() {
                Some(b':') => {
                    key = Some(quoted).filter(|quoted| !quoted.is_escaped)?.inner;
                    push_quote(depth + 1, out)?;
                    out.push_str(key);
                    push_quote(depth + 1, out)?;
                }
                // It may still be a key.
                Some(byte) if byte.is_ascii_whitespace() => return None,
                _ if whose == Json::Own => self.own_text(key, quoted, depth, out)?,
                _ => self.body_text(key, quoted, depth, out)?,
            }
        }
    }

    /// Redacts a text under a key.
    fn text(&mut self, key: &str, text: &str, depth: usize, out: &mut String) -> Option<()> {
        // Their meaning depends on more than the text.
        if key == NAME || allowlist::is_built_in(key) || depth == 0 && RPC.contains(&key) {
            return None;
        }
        self.echo(text, depth + 1, out)
    }

    /// Redacts a repeated input, or a text composed of such.
    fn echo(&mut self, text: &str, depth: usize, out: &mut String) -> Option<()> {
        if !self.dictionary.is_composed(text) {
            if let Some(entry) = self.known(text) {
                return self.put(entry, text, depth, out);
            }
            if texts::may_have_parts(text) {
                return None;
            }
        }
        if let Some(pair) = text.strip_prefix(MAILBOX) {
            out.push_str(MAILBOX);
            return self.pair(pair, depth, out);
        }
        if let Some(line) = text.strip_prefix(LINE) {
            return self.line(line, depth, out);
        }
        let is_other = depth >= MAX_DEPTH || FUNCTION.iter().any(|start| text.starts_with(start));
        if is_other || !self.is_syntax(text) {
            return None;
        }
        self.json(text, Json::Own, depth, out)
    }

    /// Redacts the rest of a line after `msg-v2`.
    fn line(&mut self, line: &str, depth: usize, out: &mut String) -> Option<()> {
        let mut parts = line.splitn(6, ' ');
        let mut next = || parts.next();
        let (src, dst, flag, kind, time, content) = (next()?, next()?, next()?, next()?, next()?, next()?);
        let words = &self.redaction.words;
        let is_usual = words.has(flag) && words.has(kind) && time.parse::<u64>().is_ok();
        if !is_usual || src.contains('<') || dst.contains('<') {
            return None;
        }
        out.push_str(LINE);
        for name in [src, dst] {
            let entry = self.known(name)?;
            self.put(entry, name, depth, out)?;
            out.push(' ');
        }
        for word in [flag, kind, time] {
            push_plain(word, out)?;
            out.push(' ');
        }
        self.echo(content, depth, out)
    }

    fn is_syntax(&mut self, text: &str) -> bool {
        if *self.last_json == *text {
            return true;
        }
        let is_syntax = texts::is_syntax(text);
        if is_syntax && text.len() <= SHORT {
            self.last_json.clear();
            self.last_json.push_str(text);
        }
        is_syntax
    }

    /// Redacts `[number,"text"]`.
    fn pair(&mut self, pair: &str, depth: usize, out: &mut String) -> Option<()> {
        let mut scan = Scan(pair);
        scan.pass("[")?;
        let number = scan.number()?;
        scan.pass(",\"")?;
        let text = scan.quoted().filter(|_| scan.0 == "]")?;
        out.push('[');
        out.push_str(number);
        out.push(',');
        self.own_text("", text, depth, out)?;
        out.push(']');
        Some(())
    }

    /// Redacts a quoted text under a key.
    fn own_text(&mut self, key: &str, text: Quoted<'_>, depth: usize, out: &mut String) -> Option<()> {
        let nest = depth + 1;
        push_quote(nest, out)?;
        if text.is_escaped {
            let mut inner = String::with_capacity(text.inner.len());
            unescape(text.inner, &mut inner)?;
            self.text(key, &inner, depth, out)?;
        } else {
            self.text(key, text.inner, depth, out)?;
        }
        push_quote(nest, out)
    }
}
