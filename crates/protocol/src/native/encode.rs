//! Encoding of lines for native clients (signaling-wire 10).

use rtm::value::Value;

use crate::encoder::{NamedCall, Resumed};
use crate::line_encoder::Frames;
use crate::reply::{Reply, write_message};

/// Words followed by JSON.
#[derive(Debug)]
pub struct NativeLines;

impl Frames for NativeLines {
    /// Words are counted, so the JSON must be one word: the fourth after a success, the third after
    /// a failure.
    fn login(&self, reply: Reply, refused: bool) -> String {
        let json = reply.json.replace(' ', "\\u0020");
        let words = if refused { "failed" } else { "ok ok" };
        format!("login_res {words} {json}")
    }

    /// `kick` is onLogout(103), after which apps stop; any other word is 102, after which they log
    /// in (signaling-wire 13).
    fn resumed(&self, resumed: Resumed) -> Option<String> {
        let word = match resumed {
            Resumed::Welcome => "ok",
            Resumed::Replaced => "kick",
            Resumed::Unknown => "outofsync",
        };
        Some(format!("line_login_res {word}"))
    }

    /// A failure is in the JSON alone, without `err`. The meaning of the third word is unknown.
    fn reply(&self, call: NamedCall<'_>, reply: Reply) -> String {
        format!("call_ret {} {} 0 {}", call.function, call.id, reply.json)
    }

    fn message(&self, version: u64, line: String) -> String {
        let mut text = String::from("notify recvmsg ");
        write_message(version, &line, &mut text);
        text
    }

    /// The channel's own number is not sent, unlike on the Web.
    fn channel(&self, _: u64, msgid: u64, line: String) -> String {
        format!("notify channel2 {msgid} {line}")
    }

    fn hint(&self, version: u64) -> String {
        format!("notify msg {version}")
    }

    fn pong(&self, value: &Value) -> String {
        format!("line_pong:{}", value.clone().into_text())
    }

    fn control(&self, name: &str) -> String {
        format!("notify {name}")
    }
}
