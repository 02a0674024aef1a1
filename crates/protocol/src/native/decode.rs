//! Lines of clients: words with single spaces between them, and JSON behind them (signaling-wire 10).

use crate::ClientFrame;
use std::fmt;

use rtm::value::{Text, Value};

/// A line that breaks the wire's rules. Its text is the reason that it is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// A word is missing.
    TooFewWords,
    /// A number is none.
    NotANumber,
    /// Where there must be a JSON object, there is none.
    NotAnObject,
}

impl BadLine {
    /// The reason that it is counted by.
    pub fn label(self) -> &'static str {
        match self {
            Self::TooFewWords => "too few words",
            Self::NotANumber => "not a number",
            Self::NotAnObject => "not an object",
        }
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// What a client says. There is no Debug outside tests: a login carries the token, most others the session's line.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub enum TcpFrame {
    /// A login with its fields, an object.
    Login(Value),
    /// A client that has lost its socket goes on with its session (`line_login2`, and `line_login3` of 1.4).
    LineLogin {
        /// The line that its login was given.
        line: Text,
        /// What follows it: `2 0` behind `line_login2`. Nobody knows what it means.
        rest: Text,
    },
    /// Which channel it was in, and how far it has heard it.
    ChannelSub {
        /// The number that its channel join was answered with.
        cid: i64,
        /// The channel's name.
        cname: Text,
        /// The last channel message that it has seen; 0 for none, also when it does not say.
        msgid: i64,
    },
    /// A ping: the pong carries the same digits.
    Ping(Text),
    /// A call.
    Call {
        /// The function.
        function: Text,
        /// The client's number.
        id: i64,
        /// How many times it has been sent before.
        retry: i64,
        /// The arguments, an object.
        args: Value,
    },
    /// A first word that no documented client sends: ignored, counted.
    Unknown,
}

/// Reads a line.
///
/// # Errors
/// [`BadLine`]: what is wrong with it.
pub fn decode(line: &str) -> Result<TcpFrame, BadLine> {
    if let Some(number) = line.strip_prefix("line_ping:") {
        integer(number)?;
        return Ok(TcpFrame::Ping(number.into()));
    }
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match name {
        "" => return Err(BadLine::TooFewWords),
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

fn channel_sub(fields: &Value) -> Result<TcpFrame, BadLine> {
    let msgid = match fields.get("msgid") {
        None | Some(Value::Null) => 0,
        Some(Value::Text(text)) if text.is_empty() => 0,
        Some(given) => number(given)?,
    };
    let cname = match fields.get("cname") {
        None | Some(Value::Null) => return Err(BadLine::TooFewWords),
        Some(name) => name.clone().into_text(),
    };
    Ok(TcpFrame::ChannelSub {
        cid: number(fields.get("cid").ok_or(BadLine::TooFewWords)?)?,
        cname,
        msgid,
    })
}

/// A number, in quotes or not: the SDK sends back texts that it was given as numbers.
fn number(value: &Value) -> Result<i64, BadLine> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Text(text) => integer(text),
        _ => Err(BadLine::NotANumber),
    }
}

fn integer(text: &str) -> Result<i64, BadLine> {
    text.parse().map_err(|_| BadLine::NotANumber)
}

fn word(text: &str) -> Result<&str, BadLine> {
    if text.is_empty() {
        Err(BadLine::TooFewWords)
    } else {
        Ok(text)
    }
}

fn object(json: &str) -> Result<Value, BadLine> {
    match Value::from_json(word(json)?) {
        Ok(value @ Value::Map(_)) => Ok(value),
        _ => Err(BadLine::NotAnObject),
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

    fn check(line: &str, expected: Result<TcpFrame, BadLine>) {
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
            ("{}", BadLine::TooFewWords),
            (r#"{"cid":7}"#, BadLine::TooFewWords),
            (r#"{"cname":"room"}"#, BadLine::TooFewWords),
            (r#"{"cid":"","cname":"room"}"#, BadLine::NotANumber),
            (r#"{"cid":7.5,"cname":"room"}"#, BadLine::NotANumber),
            (r#"{"cid":[7],"cname":"room"}"#, BadLine::NotANumber),
            (r#"{"cid":7,"cname":"room","msgid":"x"}"#, BadLine::NotANumber),
            (r#"{"cid":7,"cname":"room","msgid":1e30}"#, BadLine::NotANumber),
        ] {
            check(&format!("channel_sub {fields}"), Err(error));
        }
    }

    #[test]
    fn pings_are_echoed_as_they_are() {
        for number in ["0", "1", "007", "-1", "9223372036854775807"] {
            check(&format!("line_ping:{number}"), Ok(TcpFrame::Ping(number.into())));
        }
        for number in ["", " 1", "1 ", "x", "1.5", "9223372036854775808"] {
            check(&format!("line_ping:{number}"), Err(BadLine::NotANumber));
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
    fn lines_that_are_none() {
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
            check(line, Err(BadLine::TooFewWords));
        }
        for line in [
            "call f x 0 {}",
            "call f 7.0 0 {}",
            "call f 7 x {}",
            "call f 9223372036854775808 0 {}",
        ] {
            check(line, Err(BadLine::NotANumber));
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
            check(line, Err(BadLine::NotAnObject));
        }
        let deep = "{\"a\":".repeat(5_000);
        check(&format!("login {deep}"), Err(BadLine::NotAnObject));
        check(&format!("call f 7 0 {deep}"), Err(BadLine::NotAnObject));
    }

    #[test]
    fn words_that_nobody_knows() {
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
