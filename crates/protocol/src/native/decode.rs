//! Lines of clients: words with single spaces between them, followed by JSON (signaling-wire 10).

use std::fmt;

use rtm::value::{Text, Value};

use crate::ClientFrame;

/// The reason why a line is invalid. Its text is the counted reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// A word is missing.
    MissingWord,
    /// A number is invalid.
    NotANumber,
    /// A JSON object is missing or invalid.
    NotAnObject,
}

impl BadFrame {
    /// Returns the counted reason.
    pub fn label(self) -> &'static str {
        match self {
            Self::MissingWord => "too few words",
            Self::NotANumber => "not a number",
            Self::NotAnObject => "not an object",
        }
    }
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A frame of a native client. It has Debug only in tests: a login contains the token, most others
/// the session line.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub enum TcpFrame {
    /// A login with its fields, an object.
    Login(Value),
    /// A resume of the session over a new socket (`line_login2`, and `line_login3` of 1.4).
    LineLogin {
        /// The session line.
        line: Text,
        /// The rest of the frame: `2 0` after `line_login2`. Its meaning is unknown.
        rest: Text,
    },
    /// The joined channel, and the last line that the client has received.
    ChannelSub {
        /// The channel number from the join's answer.
        cid: i64,
        /// The channel's name.
        cname: Text,
        /// The last received channel message; 0 for none or if it is missing.
        msgid: i64,
    },
    /// A ping; the pong carries the same digits.
    Ping(Text),
    Call {
        function: Text,
        /// The client's number.
        id: i64,
        /// The number of earlier attempts.
        retry: i64,
        /// The arguments, an object.
        args: Value,
    },
    /// A first word that no documented client sends: ignored, but counted.
    Unknown,
}

/// Decodes a line.
///
/// # Errors
/// [`BadFrame`]: the violated rule.
pub fn decode(line: &str) -> Result<TcpFrame, BadFrame> {
    if let Some(number) = line.strip_prefix("line_ping:") {
        integer(number)?;
        return Ok(TcpFrame::Ping(number.into()));
    }
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match name {
        "" => return Err(BadFrame::MissingWord),
        "login" => TcpFrame::Login(object(rest)?),
        "line_login2" | "line_login3" => {
            let (line, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            TcpFrame::LineLogin {
                line: word(line)?.into(),
                rest: rest.into(),
            }
        }
        "channel_sub" => channel_sub(&object(rest)?)?,
        "call" => {
            let mut words = rest.splitn(4, ' ');
            let mut next = || word(words.next().unwrap_or_default());
            let (function, id, retry, args) = (next()?, next()?, next()?, next()?);
            TcpFrame::Call {
                function: function.into(),
                id: integer(id)?,
                retry: integer(retry)?,
                args: object(args)?,
            }
        }
        _ => TcpFrame::Unknown,
    })
}

fn channel_sub(fields: &Value) -> Result<TcpFrame, BadFrame> {
    let msgid = match fields.get("msgid") {
        None | Some(Value::Null) => 0,
        Some(Value::Text(text)) if text.is_empty() => 0,
        Some(given) => number(given)?,
    };
    let cname = match fields.get("cname") {
        None | Some(Value::Null) => return Err(BadFrame::MissingWord),
        Some(name) => name.clone().into_text(),
    };
    Ok(TcpFrame::ChannelSub {
        cid: number(fields.get("cid").ok_or(BadFrame::MissingWord)?)?,
        cname,
        msgid,
    })
}

/// Reads a number, quoted or not: the SDK sends numbers back as texts.
fn number(value: &Value) -> Result<i64, BadFrame> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Text(text) => integer(text),
        _ => Err(BadFrame::NotANumber),
    }
}

fn integer(text: &str) -> Result<i64, BadFrame> {
    text.parse().map_err(|_| BadFrame::NotANumber)
}

fn word(text: &str) -> Result<&str, BadFrame> {
    if text.is_empty() {
        Err(BadFrame::MissingWord)
    } else {
        Ok(text)
    }
}

fn object(json: &str) -> Result<Value, BadFrame> {
    match Value::from_json(word(json)?) {
        Ok(value @ Value::Map(_)) => Ok(value),
        _ => Err(BadFrame::NotAnObject),
    }
}

impl From<TcpFrame> for ClientFrame {
    fn from(frame: TcpFrame) -> Self {
        match frame {
            TcpFrame::Login(fields) => Self::Login(fields),
            TcpFrame::LineLogin { line, .. } => Self::LineLogin(line),
            TcpFrame::ChannelSub { cid, msgid, .. } => Self::Subscribe {
                cid: u64::try_from(cid).unwrap_or(0),
                msgid: u64::try_from(msgid).unwrap_or(0),
            },
            TcpFrame::Ping(digits) => Self::Ping(Value::Text(digits)),
            TcpFrame::Call { function, id, args, .. } => Self::Call { function, id, args },
            TcpFrame::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(line: &str, expected: Result<TcpFrame, BadFrame>) {
        assert_eq!(decode(line), expected, "{line}");
    }

    fn json(text: &str) -> Value {
        Value::from_json(text).expect("JSON")
    }

    #[test]
    fn logins() {
        let fields =
            r#"{"account":"a","device":"linux","ip":"","token":"1:x:9:y","uid":0,"ver":1010300009,"vid":"app"}"#;
        check(&format!("login {fields}"), Ok(TcpFrame::Login(json(fields))));
        check(
            r#"login { "account" : "a b" } "#,
            Ok(TcpFrame::Login(json(r#"{"account":"a b"}"#))),
        );
        let line_login = |line: &str, rest: &str| {
            Ok(TcpFrame::LineLogin {
                line: line.into(),
                rest: rest.into(),
            })
        };
        check("line_login2 c4dd 2 0", line_login("c4dd", "2 0"));
        check("line_login3 c4dd 3 1 {\"x\": 1}", line_login("c4dd", "3 1 {\"x\": 1}"));
        check("line_login2 c4dd", line_login("c4dd", ""));
    }

    #[test]
    fn channel_subs() {
        let sub = |cid, msgid| {
            Ok(TcpFrame::ChannelSub {
                cid,
                cname: "room".into(),
                msgid,
            })
        };
        check(
            r#"channel_sub {"cid":"7","cname":"room","msgid":12,"vid":"app"}"#,
            sub(7, 12),
        );
        check(r#"channel_sub {"cid":7,"cname":"room","msgid":"12"}"#, sub(7, 12));
        check(r#"channel_sub {"cid":7,"cname":"room","msgid":""}"#, sub(7, 0));
        check(r#"channel_sub {"cid":7,"cname":"room","msgid":null}"#, sub(7, 0));
        check(r#"channel_sub {"cid":7,"cname":"room"}"#, sub(7, 0));
        let digits = TcpFrame::ChannelSub {
            cid: 7,
            cname: "42".into(),
            msgid: -1,
        };
        check(r#"channel_sub {"cid":7,"cname":42,"msgid":"-1"}"#, Ok(digits));
        for (fields, error) in [
            ("{}", BadFrame::MissingWord),
            (r#"{"cid":7}"#, BadFrame::MissingWord),
            (r#"{"cname":"room"}"#, BadFrame::MissingWord),
            (r#"{"cid":"","cname":"room"}"#, BadFrame::NotANumber),
            (r#"{"cid":7.5,"cname":"room"}"#, BadFrame::NotANumber),
            (r#"{"cid":[7],"cname":"room"}"#, BadFrame::NotANumber),
            (r#"{"cid":7,"cname":"room","msgid":"x"}"#, BadFrame::NotANumber),
            (r#"{"cid":7,"cname":"room","msgid":1e30}"#, BadFrame::NotANumber),
        ] {
            check(&format!("channel_sub {fields}"), Err(error));
        }
    }

    #[test]
    fn pings_are_echoed_unchanged() {
        for number in ["0", "1", "007", "-1", "9223372036854775807"] {
            check(&format!("line_ping:{number}"), Ok(TcpFrame::Ping(number.into())));
        }
        for number in ["", " 1", "1 ", "x", "1.5", "9223372036854775808"] {
            check(&format!("line_ping:{number}"), Err(BadFrame::NotANumber));
        }
        check("line_ping", Ok(TcpFrame::Unknown));
    }

    #[test]
    fn calls() {
        let call = |args: &str| {
            Ok(TcpFrame::Call {
                function: "f".into(),
                id: 7,
                retry: 0,
                args: json(args),
            })
        };
        check("call f 7 0 {}", call("{}"));
        check(r#"call f 7 0 {"a b": "c d  e"}"#, call(r#"{"a b":"c d  e"}"#));
        let retried = TcpFrame::Call {
            function: "g".into(),
            id: -1,
            retry: 2,
            args: json("{}"),
        };
        check("call g -1 2  {} ", Ok(retried));
    }

    #[test]
    fn invalid_lines_are_rejected() {
        for line in [
            "",
            " ",
            " login {}",
            "login",
            "login ",
            "line_login2",
            "line_login2 ",
            "line_login2  2 0",
            "channel_sub",
            "call",
            "call f",
            "call f 7",
            "call f 7 0",
            "call f 7 0 ",
            "call  7 0 {}",
            "call f  0 {}",
        ] {
            check(line, Err(BadFrame::MissingWord));
        }
        for line in [
            "call f x 0 {}",
            "call f 7.0 0 {}",
            "call f 7 x {}",
            "call f 9223372036854775808 0 {}",
        ] {
            check(line, Err(BadFrame::NotANumber));
        }
        for line in [
            "login x",
            "login []",
            "login null",
            "login {} {}",
            "login {",
            "channel_sub 7",
            "call f 7 0 []",
            "call f 7 0 x",
            "call f 7 0 1 {}",
        ] {
            check(line, Err(BadFrame::NotAnObject));
        }
        let deep = "{\"a\":".repeat(5_000);
        check(&format!("login {deep}"), Err(BadFrame::NotAnObject));
        check(&format!("call f 7 0 {deep}"), Err(BadFrame::NotAnObject));
    }

    #[test]
    fn unknown_first_words_are_ignored() {
        for line in [
            "hello",
            "hello world",
            "logins {}",
            "LOGIN {}",
            "call2 f 7 0 {}",
            "\u{e000}",
            "login\t{}",
        ] {
            check(line, Ok(TcpFrame::Unknown));
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(
            name in proptest::sample::select(&["login", "line_login2", "channel_sub", "line_ping:", "call f", "call", ""][..]),
            rest in ".{0,80}",
        ) {
            let _ = decode(&format!("{name} {rest}"));
            let _ = decode(&format!("{name}{rest}"));
        }
    }
}
