//! What is said most, redacted while it is written: no tree of values, no text in between.
//!
//! It knows less than [`super::frames`] and [`super::texts`]: where anything is unusual, it gives up, and they do it. What
//! it writes is what they would have written, and what it has taken into the dictionary by then is what they
//! would have.

use super::super::placeholder::{Class, Placeholder};
use super::super::policy::Redaction;
use super::dictionary::{Dictionary, Entry};
use super::plan::{Fate, Plan, Plans};
use super::scan::{Quoted, Scan, push_plain, push_quote, unescape};
use super::texts::{may_be_json, may_have_parts};
use super::words;

/// What frames are inside of: the text of a line of the trace.
const FRAME: usize = 1;

/// Writes into the lines of one trace. None is: it is something else, and what was written is to be taken back.
pub struct Swift<'r> {
    pub(super) dictionary: &'r mut Dictionary,
    pub(super) redaction: &'r Redaction,
}

impl<'r> Swift<'r> {
    /// With what is known so far.
    pub fn new(dictionary: &'r mut Dictionary, redaction: &'r Redaction) -> Self {
        Self { dictionary, redaction }
    }

    /// `["call2",["function",id,{…}]]`.
    pub fn heard_json(&mut self, plans: &Plans, frame: &str, out: &mut String) -> Option<()> {
        let mut scan = Scan(frame);
        scan.pass("[\"call2\",[\"")?;
        let function = scan.quoted()?;
        let plan = plans.find(function.inner)?;
        scan.pass(",")?;
        let id = scan.number()?;
        scan.pass(",{")?;
        out.push_str("[\\\"call2\\\",[\\\"");
        out.push_str(function.inner);
        out.push_str("\\\",");
        out.push_str(id);
        out.push_str(",{");
        self.args(plan, &mut scan, out)?;
        out.push_str("]]");
        (scan.0 == "]]").then_some(())
    }

    /// `call function id … {…}`.
    pub fn heard_line(&mut self, plans: &Plans, frame: &str, out: &mut String) -> Option<()> {
        let rest = frame.strip_prefix("call ")?;
        let at = rest.bytes().position(|b| b == b'{')?;
        let (head, json) = rest.split_at(at);
        let mut words = head.split(' ');
        let plan = plans.find(words.next()?)?;
        // Two more, and the end.
        if words.count() != 3 || !head.ends_with(' ') {
            return None;
        }
        out.push_str("call ");
        push_plain(head, out)?;
        out.push('{');
        let mut scan = Scan(&json[1..]);
        self.args(plan, &mut scan, out)?;
        scan.0.is_empty().then_some(())
    }

    /// The rest of an object, up to its end.
    fn args(&mut self, plan: &Plan, scan: &mut Scan<'_>, out: &mut String) -> Option<()> {
        if scan.pass("}").is_some() {
            out.push('}');
            return Some(());
        }
        loop {
            scan.pass("\"")?;
            let key = scan.quoted().filter(|key| !key.is_escaped)?.inner;
            scan.pass(":")?;
            out.push_str("\\\"");
            out.push_str(key);
            out.push_str("\\\":");
            self.arg(plan.fate(key), scan, out)?;
            if scan.pass(",").is_some() {
                out.push(',');
                continue;
            }
            scan.pass("}")?;
            out.push('}');
            return Some(());
        }
    }

    fn arg(&mut self, fate: &Fate, scan: &mut Scan<'_>, out: &mut String) -> Option<()> {
        if scan.pass("\"").is_none() {
            let number = scan.number()?;
            let is_small = number.trim_start_matches('-').len() <= 4;
            let stays = match fate {
                Fate::Number | Fate::Constant => true,
                Fate::Unknown => is_small,
                Fate::Secret(_) | Fate::After(_) | Fate::Other => false,
            };
            return stays.then(|| out.push_str(number));
        }
        let text = scan.quoted()?;
        push_quote(FRAME, out)?;
        match fate {
            Fate::Secret(class) => self.quoted(text, *class, out),
            Fate::Unknown => self.quoted(text, Class::Text, out),
            Fate::Number => {
                let stays = !text.is_escaped && (text.inner.is_empty() || words::is_plain_number(text.inner));
                stays.then(|| out.push_str(text.inner))
            }
            Fate::After(prefix) => {
                let rest = text.inner.strip_prefix(&**prefix).filter(|_| !text.is_escaped)?;
                rest.parse::<i64>().ok().map(|_| out.push_str(text.inner))
            }
            Fate::Constant | Fate::Other => None,
        }?;
        push_quote(FRAME, out)?;
        Some(())
    }

    fn quoted(&mut self, text: Quoted<'_>, class: Class, out: &mut String) -> Option<()> {
        if text.is_escaped {
            let mut stands_for = String::with_capacity(text.inner.len());
            unescape(text.inner, &mut stands_for)?;
            self.secret(&stands_for, class, out)
        } else {
            self.secret(text.inner, class, out)
        }
    }

    /// A text that something of a class is.
    pub fn secret(&mut self, text: &str, class: Class, out: &mut String) -> Option<()> {
        self.secret_of(text, || class, out)
    }

    /// The same, where the class is asked for at its first use only.
    pub fn secret_of(&mut self, text: &str, class: impl FnOnce() -> Class, out: &mut String) -> Option<()> {
        let entry = match self.known(text) {
            Some(entry) => entry,
            // Its first use.
            None if may_have_parts(text) || may_be_json(text) => return None,
            None => {
                let words = &self.redaction.words;
                self.dictionary.assign(text, class(), text.len(), self.redaction, words)
            }
        };
        entry.push(text, out)
    }

    /// What becomes of a text that was used before, or stays in any case.
    pub(super) fn known(&self, text: &str) -> Option<Entry> {
        if text.is_empty() || self.redaction.words.has(text) || Placeholder::is_all_of(text) {
            return Some(Entry::Kept);
        }
        self.dictionary.find(text)
    }
}

impl Entry {
    /// Adds what stands for a text, when that is plain.
    pub(super) fn push(self, text: &str, out: &mut String) -> Option<()> {
        match self {
            Self::By(placeholder) => placeholder.write(out),
            Self::Kept => push_plain(text, out)?,
            Self::Json => return None,
        }
        Some(())
    }
}
