//! Encoding of frames for WebSocket clients. Always two elements, always text (signaling-wire 2).

use rtm::value::{Text, Value};

use crate::encoder::{NamedCall, Resumed};
use crate::line_encoder::Frames;
use crate::reply::{Reply, number};

/// `[name, arg]`.
#[derive(Debug)]
pub struct WebFrames;

impl Frames for WebFrames {
    fn login(&self, reply: Reply, _: bool) -> String {
        frame("login_ret", &Value::List(vec![reply.err.into(), reply.json.into()]))
    }

    /// These clients do not resume by line.
    fn resumed(&self, _: Resumed) -> Option<String> {
        None
    }

    fn reply(&self, call: NamedCall<'_>, Reply { err, json }: Reply) -> String {
        frame("call2-ret", &Value::List(vec![call.id.into(), err.into(), json.into()]))
    }

    /// The SDK delivers the string form at once; the array form would only cause a poll.
    fn message(&self, version: u64, line: String) -> String {
        let pair = Value::List(vec![number(version), Value::Text(line.into())]);
        frame("notify", &Value::Text(format!("notify recvmsg {pair}").into()))
    }

    fn channel(&self, cid: u64, msgid: u64, line: String) -> String {
        let line = Value::Text(line.into());
        let items = vec!["channel2".into(), number(cid), number(msgid), line];
        frame("notify", &Value::List(items))
    }

    fn hint(&self, version: u64) -> String {
        frame("notify", &Value::List(vec!["msg".into(), number(version)]))
    }

    fn pong(&self, value: &Value) -> String {
        frame("pong", value)
    }

    fn control(&self, name: &str) -> String {
        frame(name, &"".into())
    }
}

/// Encodes a frame by name.
fn frame(name: &str, arg: &Value) -> String {
    let mut text = Value::Text(Text::from(name)).to_json();
    text.insert(0, '[');
    text.push(',');
    text.push_str(&arg.to_json());
    text.push(']');
    text
}
