//! Streaming redaction of frequent records, without value trees and intermediate texts.
//!
//! It handles fewer forms than [`crate::redact::frames`] and [`crate::redact::texts`], and returns `None` for any
//! unusual form. Its output and its new pseudonyms equal those of the full algorithm.

use crate::placeholder::{Class, Placeholder};
use crate::policy::{Policy, Redaction};
use crate::redact::allowlist;
use crate::redact::arg_policy::{ArgPolicy, Plan, Plans};
use crate::redact::pseudonyms::{Dictionary, Entry};
use crate::redact::scan::{Quoted, Scan, push_plain, push_quote, unescape};
use crate::redact::texts::{Json, may_be_json, may_have_parts};

/// Nesting depth of a frame: the text of a trace line.
const FRAME: usize = 1;

/// Writer of redacted lines. `None` means an unsupported form; the caller must discard the output.
pub struct FastRedactor<'r> {
    pub(super) dictionary: &'r mut Dictionary,
    pub(super) redaction: &'r Redaction,
    /// Last text found to be JSON, since most answers are equal.
    pub(super) last_json: &'r mut String,
}

impl<'r> FastRedactor<'r> {
    pub fn new(dictionary: &'r mut Dictionary, redaction: &'r Redaction, last_json: &'r mut String) -> Self {
        Self {
            dictionary,
            redaction,
            last_json,
        }
    }

    /// Redacts `["call2",["function",id,{…}]]`.
    pub fn input_json(&mut self, plans: &Plans, frame: &str, out: &mut String) -> Option<()> {
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

    /// Redacts `call function id … {…}`.
    pub fn input_line(&mut self, plans: &Plans, frame: &str, out: &mut String) -> Option<()> {
        let rest = frame.strip_prefix("call ")?;
        let at = rest.bytes().position(|b| b == b'{')?;
        let (head, json) = rest.split_at(at);
        let mut words = head.split(' ');
        let plan = plans.find(words.next()?)?;
        // Two more words, and the end.
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

    /// Redacts the rest of an object.
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
            self.arg(plan.policy(key), scan, out)?;
            if scan.pass(",").is_some() {
                out.push(',');
                continue;
            }
            scan.pass("}")?;
            out.push('}');
            return Some(());
        }
    }

    fn arg(&mut self, policy: &ArgPolicy, scan: &mut Scan<'_>, out: &mut String) -> Option<()> {
        if scan.pass("\"").is_none() {
            let number = scan.number()?;
            let is_small = number.trim_start_matches('-').len() <= 4;
            let stays = match policy {
                ArgPolicy::Number | ArgPolicy::Constant => true,
                ArgPolicy::Unknown => is_small,
                ArgPolicy::Secret(_) | ArgPolicy::After(_) | ArgPolicy::Other => false,
            };
            return stays.then(|| out.push_str(number));
        }
        let text = scan.quoted()?;
        push_quote(FRAME, out)?;
        match policy {
            ArgPolicy::Secret(class) => self.quoted(text, *class, out),
            ArgPolicy::Unknown => self.quoted(text, Class::Text, out),
            ArgPolicy::Number => {
                let stays = !text.is_escaped && (text.inner.is_empty() || allowlist::is_plain_number(text.inner));
                stays.then(|| out.push_str(text.inner))
            }
            ArgPolicy::After(prefix) => {
                let rest = text.inner.strip_prefix(&**prefix).filter(|_| !text.is_escaped)?;
                rest.parse::<i64>().ok().map(|_| out.push_str(text.inner))
            }
            ArgPolicy::Constant | ArgPolicy::Other => None,
        }?;
        push_quote(FRAME, out)?;
        Some(())
    }

    fn quoted(&mut self, text: Quoted<'_>, class: Class, out: &mut String) -> Option<()> {
        if text.is_escaped {
            let mut stands_for = String::with_capacity(text.inner.len());
            unescape(text.inner, &mut stands_for)?;
            self.secret(&stands_for, || class, FRAME, out)
        } else {
            self.secret(text.inner, || class, FRAME, out)
        }
    }

    /// Redacts a nested text; asks for its class at its first use.
    pub fn secret(&mut self, text: &str, class: impl FnOnce() -> Class, depth: usize, out: &mut String) -> Option<()> {
        if let Some(entry) = self.known(text) {
            return self.put(entry, text, depth, out);
        }
        if may_have_parts(text) {
            return None;
        }
        let class = class();
        if !may_be_json(text) {
            let entry = self.assign(text, class);
            return self.put(entry, text, depth, out);
        }
        let is_body = !class.is_name() && self.redaction.bodies != Policy::Keep;
        if !is_body || !Self::is_surely_json(text) {
            return None;
        }
        self.dictionary.is_json(text);
        self.json(text, Json::Body, depth, out)
    }

    /// Assigns a placeholder at the first use of a text.
    pub(super) fn assign(&mut self, text: &str, class: Class) -> Entry {
        let words = &self.redaction.words;
        self.dictionary.assign(text, class, text.len(), self.redaction, words)
    }

    /// Writes the replacement of a text, if it needs no escapes.
    pub(super) fn put(&mut self, entry: Entry, text: &str, depth: usize, out: &mut String) -> Option<()> {
        match entry {
            Entry::By(placeholder) => placeholder.write(out),
            Entry::Kept => push_plain(text, out)?,
            Entry::Json => self.json(text, Json::Body, depth, out)?,
        }
        Some(())
    }

    /// Returns the entry of a known or kept text.
    pub(super) fn known(&self, text: &str) -> Option<Entry> {
        if text.is_empty() || self.redaction.words.has(text) || Placeholder::is_all_of(text) {
            return Some(Entry::Kept);
        }
        self.dictionary.find(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::{Dir, Leg, Record};
    use crate::redact::Redactor;
    use crate::{Policy, Redaction};
    use rtm::value::Value;
    use tables::Tables;

    fn redactor(profile: &str) -> Redactor {
        let tables = Arc::new(Tables::built_in().expect("the built-in tables"));
        let redaction = Redaction::new(&tables, Policy::Placeholder, Policy::Placeholder).expect("random bytes");
        let mut redactor = Redactor::new(redaction);
        let begin = format!(r#"{{"begin":{{"profile":"{profile}","account":"bobolink"}}}}"#);
        redactor.redact(Record {
            t_us: 0,
            session: 1,
            leg: Leg::Env,
            dir: Dir::In,
            row: None,
            data: Value::from_json(&begin).expect("JSON"),
        });
        redactor
    }

    /// Checks the redacted frame; `None` if the full algorithm is needed.
    fn check(profile: &str, dir: Dir, frame: &str, expected: Option<&str>) {
        let mut redactor = redactor(profile);
        let mut out = String::new();
        let mut fast = FastRedactor::new(&mut redactor.dictionary, &redactor.redaction, &mut redactor.last_json);
        let client_wire = &redactor.client_wires[&1];
        let written = match dir {
            Dir::Out => fast.output(frame, &mut out),
            Dir::In if profile == "native" => fast.input_line(&client_wire.plans, frame, &mut out),
            Dir::In => fast.input_json(&client_wire.plans, frame, &mut out),
        };
        let read = || serde_json::from_str::<String>(&format!("\"{out}\"")).expect("the inside of a text");
        assert_eq!(written.map(|()| read()).as_deref(), expected, "{frame}");
    }

    #[test]
    fn frames_of_clients() {
        let web = |frame, expected| check("web", Dir::In, frame, expected);
        web(
            r#"["call2",["user_sendmsg",7,{"line":"a line","peer":"quince","content":"hello\n","flag":"v1:E:3600","t":"instant"}]]"#,
            Some(
                r#"["call2",["user_sendmsg",7,{"line":"<line:2 len=6 spaced>","peer":"<account:3 len=6>","content":"<text:4 len=6 spaced>","flag":"v1:E:3600","t":"instant"}]]"#,
            ),
        );
        web(
            r#"["call2",["user_getmsg",8,{"line":"x","ver_clear":0,"max":30}]]"#,
            Some(r#"["call2",["user_getmsg",8,{"line":"<line:2.0 len=1>","ver_clear":0,"max":30}]]"#),
        );
        web(
            r#"["call2",["user_sendmsg",7,{}]]"#,
            Some(r#"["call2",["user_sendmsg",7,{}]]"#),
        );
        web(
            r#"["call2",["user_sendmsg",7,{"content":"{\"a\":\"quince\",\"b\":[123456,1.5,{\"c\":\"x\\ny\"}]}"}]]"#,
            Some(
                r#"["call2",["user_sendmsg",7,{"content":"{\"a\":\"<text:2 len=6>\",\"b\":[<text:3 len=6 digits>,1.5,{\"c\":\"<text:4 len=3 spaced>\" }]}"}]]"#,
            ),
        );
        // Full algorithm: odd JSON, spaces, other IDs or ends, unknown functions and frames.
        web(r#"["call2",["user_sendmsg",7,{"content":"[1e5]"}]]"#, None);
        web(r#"["call2",["user_sendmsg",7,{"peer": "quince"}]]"#, None);
        web(r#"["call2",["user_sendmsg",7.5,{}]]"#, None);
        web(r#"["call2",["user_sendmsg",7,{}]] "#, None);
        web(r#"["call2",["user_sing",7,{}]]"#, None);
        web(r#"["login",{}]"#, None);
        check(
            "native",
            Dir::In,
            r#"call user_sendmsg 1 0 {"peer":"quince"}"#,
            Some(r#"call user_sendmsg 1 0 {"peer":"<account:2 len=6>"}"#),
        );
        check("native", Dir::In, r#"call user_sendmsg 1 {"peer":"quince"}"#, None);
    }

    #[test]
    fn frames_for_clients() {
        let output = |frame, expected| check("web", Dir::Out, frame, expected);
        let stays = |frame| check("web", Dir::Out, frame, Some(frame));
        stays(r#"["call2-ret",[96,"","{\"result\":\"ok\"}"]]"#);
        stays(r#"["kick",""]"#);
        output(
            r#"["notify",["channel2",1,2,"msg-v2 bobolink bobolink v1:E:3600 instant 3 bobolink"]]"#,
            Some(
                r#"["notify",["channel2",1,2,"msg-v2 <account:1 len=8> <account:1 len=8> v1:E:3600 instant 3 <account:1 len=8>"]]"#,
            ),
        );
        output(
            r#"["notify","notify recvmsg [95,\"msg-v2 bobolink bobolink v1:E:3600 instant 1795269875558 bobolink\"]"]"#,
            Some(
                r#"["notify","notify recvmsg [95,\"msg-v2 <account:1 len=8> <account:1 len=8> v1:E:3600 instant 1795269875558 <account:1 len=8>\"]"]"#,
            ),
        );
        // Unknown names.
        output(r#"["notify","quince"]"#, None);
        output(
            r#"["notify","notify recvmsg [95,\"msg-v2 bobolink quince v1:E:3600 instant 1 hi\"]"]"#,
            None,
        );
        output(r#"["call2-ret",[96,"","{\"name\":\"bobolink\"}"]]"#, None);
    }
}
