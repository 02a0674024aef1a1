//! The Web wire's frames as text (signaling-wire 2).

use rtm::value::{Text, Value};

/// Longest accepted frame, bytes; a full mailbox reply has 30 lines of 8 KB.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// A frame from the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Inbound {
    LoginRet(Answer),
    CallRet(i64, Answer),
    Pong,
    /// The answer to a resume by line: `ok`, or the word for the failure.
    Resumed(Text),
    /// A notification.
    Notify(Notice),
    /// A frame of another name, possibly a control frame.
    Other(Text),
}

/// An answer of the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub error: Text,
    pub reply: Value,
}

/// The content of a notify frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Notice {
    /// The mailbox has lines up to this version.
    Hint(i64),
    /// A mailbox line, with its version.
    Mailbox(i64, Text),
    /// A line of the joined channel, with its number if it has one.
    Channel(Option<i64>, Text),
}

/// `["login",{…}]`.
pub(super) fn login(args: Value) -> String {
    frame("login", args)
}

/// `["call2",[function,id,{…}]]`.
pub(super) fn call(function: &str, id: i64, args: Value) -> String {
    frame("call2", Value::List(vec![function.into(), id.into(), args]))
}

/// `["ping",n]`.
pub(super) fn ping(n: i64) -> String {
    frame("ping", n.into())
}

fn frame(name: &str, arg: Value) -> String {
    Value::List(vec![name.into(), arg]).to_json()
}

impl Answer {
    /// Returns the reply, or the reason for the refusal. A refusal may be in either of two places,
    /// or in both.
    ///
    /// Source: signaling-wire 4 (`err`, and `result`, `reason`, `data.result` of the JSON).
    pub fn result(&self) -> Result<Value, Text> {
        let text = |value: Option<&Value>| value.filter(|v| !v.is_null()).map(|v| v.clone().into_text());
        let result = text(self.reply.get("result"));
        if self.error.is_empty() && result.as_deref() == Some("ok") {
            return Ok(self.reply.clone());
        }
        let in_data = || text(self.reply.get("data").and_then(|data| data.get("result")));
        let error = || Some(self.error.clone()).filter(|error| !error.is_empty());
        let reason = text(self.reply.get("reason")).or_else(in_data).or_else(error);
        Err(reason.unwrap_or_else(|| "failed".into()))
    }
}

/// Reads a frame; `None` if it is malformed.
pub(super) fn read(text: &str) -> Option<Inbound> {
    let frame = Value::from_json(text).ok()?;
    let [name, arg] = frame.as_list()? else { return None };
    let name = name.as_text()?;
    Some(match &**name {
        "login_ret" => match arg.as_list()? {
            [error, reply] => Inbound::LoginRet(answer(error, reply)),
            _ => return None,
        },
        "call2-ret" => match arg.as_list()? {
            [id, error, reply] => Inbound::CallRet(id.as_int()?, answer(error, reply)),
            _ => return None,
        },
        "pong" => Inbound::Pong,
        "notify" => Inbound::Notify(notice(arg)?),
        _ => Inbound::Other(name.clone()),
    })
}

/// Returns the answer to a login like [`Answer::result`]; `None` for another frame.
pub fn login_reply(text: &str) -> Option<Result<Value, Text>> {
    match read(text)? {
        Inbound::LoginRet(answer) => Some(answer.result()),
        _ => None,
    }
}

fn answer(error: &Value, reply: &Value) -> Answer {
    let error = match error {
        Value::Null => "".into(),
        error => error.clone().into_text(),
    };
    // The reply is JSON inside a string.
    let reply = match reply {
        Value::Text(text) => Value::from_json(text).unwrap_or_else(|_| reply.clone()),
        other => other.clone(),
    };
    Answer { error, reply }
}

/// Reads a notification in either form: a list, or the native line in a string (signaling-wire 6).
fn notice(arg: &Value) -> Option<Notice> {
    match arg {
        Value::List(items) => list_notice(items),
        Value::Text(text) => {
            let mut words = text.splitn(3, ' ');
            let (_, kind, rest) = (words.next()?, words.next()?, words.next()?);
            match kind {
                "msg" => Some(Notice::Hint(rest.trim().parse().ok()?)),
                "recvmsg" => mailbox_line(&Value::from_json(rest).ok()?),
                _ => None,
            }
        }
        _ => None,
    }
}

fn list_notice(items: &[Value]) -> Option<Notice> {
    let kind = items.first()?.as_text()?;
    match (&**kind, &items[1..]) {
        ("msg", [version, ..]) => Some(Notice::Hint(version.as_int()?)),
        ("recvmsg", [Value::Text(text), ..]) => mailbox_line(&Value::from_json(text).ok()?),
        ("channel2", [_cid, msgid, line, ..]) => Some(Notice::Channel(Some(msgid.as_int()?), line.as_text()?.clone())),
        _ => None,
    }
}

/// `[version, line]`.
pub(super) fn mailbox_line(pair: &Value) -> Option<Notice> {
    let [version, line] = pair.as_list()? else { return None };
    Some(Notice::Mailbox(version.as_int()?, line.as_text()?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_have_two_forms() {
        let line = || {
            Some(Inbound::Notify(Notice::Mailbox(
                3,
                "msg-v2 a b - instant 1 hi there".into(),
            )))
        };
        let channel = Inbound::Notify(Notice::Channel(Some(5), "msg-v2 x".into()));
        for (frame, expected) in [
            (r#"["notify",["msg",7]]"#, Some(Inbound::Notify(Notice::Hint(7)))),
            (r#"["notify","notify msg 7"]"#, Some(Inbound::Notify(Notice::Hint(7)))),
            (
                r#"["notify",["recvmsg","[3,\"msg-v2 a b - instant 1 hi there\"]"]]"#,
                line(),
            ),
            (
                r#"["notify","notify recvmsg [3,\"msg-v2 a b - instant 1 hi there\"]"]"#,
                line(),
            ),
            (r#"["notify",["channel2",1,5,"msg-v2 x"]]"#, Some(channel)),
            (r#"["notify",["msg"]]"#, None),
            (r#"["notify",["msg","7"]]"#, None),
            (r#"["notify","notify"]"#, None),
            (r#"["notify",[]]"#, None),
            (r#"["pong",1]"#, Some(Inbound::Pong)),
            (r#"["kick",""]"#, Some(Inbound::Other("kick".into()))),
            (r#"["kick"]"#, None),
            ("{", None),
        ] {
            assert_eq!(read(frame), expected, "{frame}");
        }
    }

    #[test]
    fn a_refusal_is_detected_in_either_place() {
        for (error, reply, expected) in [
            ("", r#"{"result":"ok","num":3}"#, Ok(r#"{"result":"ok","num":3}"#)),
            ("timeout", r#"{"result":"ok"}"#, Err("timeout")),
            ("x", r#"{"result":"failed","reason":"too often"}"#, Err("too often")),
            (
                "",
                r#"{"result":"failed","data":{"result":"unknown func x"}}"#,
                Err("unknown func x"),
            ),
            ("", r#"{"result":"failed"}"#, Err("failed")),
            ("", r#"not json"#, Err("failed")),
        ] {
            let answer = answer(&error.into(), &reply.into());
            let expected = expected.map(|json| Value::from_json(json).unwrap()).map_err(Text::from);
            assert_eq!(answer.result(), expected, "{error} {reply}");
        }
    }
}
