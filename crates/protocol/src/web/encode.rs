//! Encoding of frames for WebSocket clients. Always two elements, always text (signaling-wire 2).

use std::cell::RefCell;

use rtm::json::write;
use rtm::value::Value;

use crate::encoder::{NamedCall, Resumed};
use crate::line_encoder::Frames;
use crate::reply::{Reply, number, write_message};

/// `[name, arg]`.
#[derive(Debug)]
pub struct WebFrames;

impl Frames for WebFrames {
    fn login(&self, reply: Reply, _: bool) -> String {
        frame("login_ret", reply.json.len() + 64, |out| {
            out.push('[');
            write::quote(&reply.err, out);
            out.push(',');
            write::quote(&reply.json, out);
            out.push(']');
        })
    }

    /// These clients do not resume by line.
    fn resumed(&self, _: Resumed) -> Option<String> {
        None
    }

    fn reply(&self, call: NamedCall<'_>, Reply { err, json }: Reply) -> String {
        frame("call2-ret", err.len() + json.len() + json.len() / 4 + 32, |out| {
            out.push('[');
            write::number(call.id, out);
            out.push(',');
            write::quote(&err, out);
            out.push(',');
            write::quote(&json, out);
            out.push(']');
        })
    }

    /// The SDK delivers the string form at once; the array form would only cause a poll.
    fn message(&self, version: u64, line: String) -> String {
        let mut text = String::with_capacity(line.len() + line.len() / 8 + 48);
        text.push_str("notify recvmsg ");
        write_message(version, &line, &mut text);
        frame("notify", text.len() + text.len() / 8 + 32, |out| {
            write::quote(&text, out)
        })
    }

    fn channel(&self, cid: u64, msgid: u64, line: String) -> String {
        frame("notify", line.len() + line.len() / 8 + 64, |out| {
            out.push_str("[\"channel2\",");
            write::value(&number(cid), out);
            out.push(',');
            write::value(&number(msgid), out);
            out.push(',');
            quote_again(line, out);
            out.push(']');
        })
    }

    fn hint(&self, version: u64) -> String {
        frame("notify", 32, |out| {
            out.push_str("[\"msg\",");
            write::value(&number(version), out);
            out.push(']');
        })
    }

    fn pong(&self, value: &Value) -> String {
        frame("pong", value.bytes() + 16, |out| write::value(value, out))
    }

    fn control(&self, name: &str) -> String {
        frame(name, 2, |out| out.push_str("\"\""))
    }
}

thread_local! {
    /// Last line and its JSON string.
    static LAST: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Appends a line as a JSON string. The members of a channel get the same line, one after another.
fn quote_again(line: String, out: &mut String) {
    LAST.with_borrow_mut(|last| match last {
        Some((last, quoted)) if *last == line => out.push_str(quoted),
        _ => {
            let mut quoted = String::with_capacity(line.len() + line.len() / 8 + 2);
            write::quote(&line, &mut quoted);
            out.push_str(&quoted);
            *last = Some((line, quoted));
        }
    });
}

/// Encodes a frame by name, with an argument of about that many bytes.
fn frame(name: &str, bytes: usize, arg: impl FnOnce(&mut String)) -> String {
    let mut text = String::with_capacity(name.len() + bytes + 5);
    text.push('[');
    write::quote(name, &mut text);
    text.push(',');
    arg(&mut text);
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_gets_the_line_of_its_message() {
        for line in [
            "",
            "msg-v2 a b f instant 1 \"hi\"",
            "msg-v2 a b f instant 1 \"hi\"",
            "x",
            "",
        ] {
            let mut quoted = String::new();
            write::quote(line, &mut quoted);
            let frame = WebFrames.channel(1, 5, line.into());
            assert_eq!(frame, format!("[\"notify\",[\"channel2\",1,5,{quoted}]]"));
        }
    }
}
