//! The legacy Web wire, as the vendor's SDK writes and reads it.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::value::RawValue;

/// Prefix of a message of a load; the time of sending follows, in nanoseconds.
const MARK: &[u8] = b"~t";
/// Decimal digits of that time.
const DIGITS: usize = 15;
/// Minimum of a content's bytes.
pub const SHORTEST: usize = MARK.len() + DIGITS;

/// The channel that all members of a load join.
pub const ROOM: &str = "room";

/// Content of a frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// `login_ret`: the session's line.
    LoginRet { line: String },
    /// `call2-ret`: success of the call, and with `user_getmsg` the presence of messages.
    Answer { call: u64, ok: bool, messages: bool },
    /// A peer message: its version in the mailbox and the time in its content.
    Peer { version: u64, stamp: u64 },
    /// A channel's line: its number and, when it is a message of the load, the time in its content.
    Channel { number: u64, stamp: Option<u64> },
    /// A frame from an echo.
    Echo { stamp: u64 },
    /// The session ends: `close` or `kick`.
    End(&'static str),
    /// Anything else, a pong among others.
    Other,
}

/// Reads a text frame.
///
/// # Errors
/// A login that is refused, and frames that do not have the form that the SDK depends on.
pub fn read(text: &[u8]) -> Result<Incoming> {
    if let Some(rest) = text.strip_prefix(b"[\"call2-ret\",[") {
        let (call, rest) = number(rest).context("a call2-ret without a number")?;
        let ok = rest.starts_with(b",\"\",") && memchr::memmem::find(rest, br#"\"result\":\"ok\""#).is_some();
        let messages = memchr::memmem::find(rest, b"msg-v2").is_some();
        return Ok(Incoming::Answer { call, ok, messages });
    }
    if let Some(rest) = text.strip_prefix(b"[\"notify\",\"notify recvmsg [") {
        let (version, rest) = number(rest).context("a recvmsg without a version")?;
        let stamp = stamp(rest).context("a recvmsg that the load has not sent")?;
        return Ok(Incoming::Peer { version, stamp });
    }
    if let Some(rest) = text.strip_prefix(b"[\"notify\",[\"channel2\",") {
        let (_, rest) = number(rest).context("a channel2 without a cid")?;
        let (number, rest) = number(&rest[1..]).context("a channel2 without a number")?;
        let stamp = stamp(rest);
        return Ok(Incoming::Channel { number, stamp });
    }
    if text.starts_with(b"[\"login_ret\"") {
        let (_, (err, data)): (&str, (String, String)) = serde_json::from_slice(text)?;
        let line = serde_json::from_str::<LoginRet>(&data).ok().filter(|_| err.is_empty());
        let line = line
            .with_context(|| format!("the login is refused: {err} {data}"))?
            .line;
        return Ok(Incoming::LoginRet { line });
    }
    if text.starts_with(b"[\"call2\",") {
        let stamp = stamp(text).context("an echo without a time")?;
        return Ok(Incoming::Echo { stamp });
    }
    Ok(match text {
        b"[\"close\",\"\"]" => Incoming::End("close"),
        b"[\"kick\",\"\"]" => Incoming::End("kick"),
        _ => Incoming::Other,
    })
}

/// Returns version and time of each message in a reply to `user_getmsg`.
///
/// # Errors
/// A reply of another form.
pub fn fetched(text: &[u8]) -> Result<Vec<(u64, u64)>> {
    let (_, (_, _, data)): (&str, (u64, &str, String)) = serde_json::from_slice(text)?;
    let reply: Fetched<'_> = serde_json::from_str(&data)?;
    let message = |(version, line): (u64, &RawValue)| Some((version, stamp(line.get().as_bytes())?));
    reply
        .msgs
        .into_iter()
        .map(|entry| message(entry).context("a message that the load has not sent"))
        .collect()
}

#[derive(serde::Deserialize)]
struct LoginRet {
    line: String,
}

#[derive(serde::Deserialize)]
struct Fetched<'a> {
    #[serde(borrow)]
    msgs: Vec<(u64, &'a RawValue)>,
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let digits = std::str::from_utf8(&bytes[..end]).ok()?;
    Some((digits.parse().ok()?, &bytes[end..]))
}

fn stamp(bytes: &[u8]) -> Option<u64> {
    let start = memchr::memmem::find(bytes, MARK)? + MARK.len();
    let digits = bytes.get(start..start + DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A writer of the client's frames.
#[derive(Debug)]
pub struct Writer {
    text: String,
    content: String,
    noise: u64,
    /// Bytes of a message's content.
    pub bytes: usize,
    /// Returns true if a content is JSON.
    pub json: bool,
}

impl Writer {
    /// Makes a writer of messages of so many bytes.
    pub fn new(bytes: usize, json: bool) -> Self {
        Self {
            text: String::new(),
            content: String::new(),
            noise: 0x9e37_79b9_7f4a_7c15,
            bytes,
            json,
        }
    }

    /// Writes a login.
    pub fn login(&mut self, account: usize) -> &[u8] {
        self.frame(format_args!(
            r#"["login",{{"vid":"bench","account":"c{account}","uid":0,"token":"_no_need_token","device":"websdk","ip":""}}]"#
        ))
    }

    /// Writes the frames of SDK 1.4 after `login_ret`.
    pub fn set_flag(&mut self) -> &[u8] {
        self.frame(format_args!(r#"["set_flag",{{"binary":1}}]"#))
    }

    /// Writes a ping.
    pub fn ping(&mut self, number: u64) -> &[u8] {
        self.frame(format_args!(r#"["ping",{number}]"#))
    }

    /// Writes a poll, which acknowledges all versions up to `version`.
    pub fn getmsg(&mut self, call: u64, line: &str, version: u64) -> &[u8] {
        self.frame(format_args!(
            r#"["call2",["user_getmsg",{call},{{"line":"{line}","ver_clear":{version},"max":30}}]]"#
        ))
    }

    /// Writes a join of [`ROOM`].
    pub fn join(&mut self, call: u64, line: &str) -> &[u8] {
        self.frame(format_args!(
            r#"["call2",["channel_join",{call},{{"line":"{line}","name":"{ROOM}"}}]]"#
        ))
    }

    /// Writes a peer message that carries `stamp`.
    pub fn peer(&mut self, call: u64, line: &str, to: usize, stamp: u64) -> &[u8] {
        let content = self.fill(stamp);
        self.frame(format_args!(
            r#"["call2",["user_sendmsg",{call},{{"line":"{line}","peer":"c{to}","flag":"v1:E:3600","t":"instant","content":"{content}"}}]]"#
        ));
        self.content = content;
        self.text.as_bytes()
    }

    /// Writes a message to [`ROOM`] that carries `stamp`.
    pub fn channel(&mut self, call: u64, line: &str, stamp: u64) -> &[u8] {
        let content = self.fill(stamp);
        self.frame(format_args!(
            r#"["call2",["channel_sendmsg",{call},{{"line":"{line}","name":"{ROOM}","msg":"{content}"}}]]"#
        ));
        self.content = content;
        self.text.as_bytes()
    }

    fn frame(&mut self, args: std::fmt::Arguments<'_>) -> &[u8] {
        self.text.clear();
        let _ = self.text.write_fmt(args);
        self.text.as_bytes()
    }

    /// Makes a content that differs each time, so that a cache of texts has no effect.
    fn fill(&mut self, stamp: u64) -> String {
        let mut content = std::mem::take(&mut self.content);
        content.clear();
        let (head, tail) = match self.json {
            true => (r#"{\"type\":\"chat\",\"n\":1,\"text\":\""#, r#"\"}"#),
            false => ("", ""),
        };
        let escapes = (head.len() + tail.len()) - (head.replace('\\', "").len() + tail.replace('\\', "").len());
        let _ = write!(content, "{head}~t{stamp:0width$}", width = DIGITS);
        while content.len() + tail.len() < self.bytes + escapes {
            self.noise ^= self.noise << 13;
            self.noise ^= self.noise >> 7;
            self.noise ^= self.noise << 17;
            let letters = b"abcdefghijklmnopqrstuvwxyz     0";
            for shift in (0..60).step_by(5) {
                if content.len() + tail.len() < self.bytes + escapes {
                    content.push(letters[(self.noise >> shift & 31) as usize].into());
                }
            }
        }
        content.push_str(tail);
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_server_are_read() {
        let cases: [(&str, Incoming); 10] = [
            (
                r#"["login_ret",["","{\"result\":\"ok\",\"uid\":7,\"line\":\"4f9d-b8\"}"]]"#,
                Incoming::LoginRet { line: "4f9d-b8".into() },
            ),
            (
                r#"["call2-ret",[12,"","{\"result\":\"ok\"}"]]"#,
                Incoming::Answer {
                    call: 12,
                    ok: true,
                    messages: false,
                },
            ),
            (
                r#"["call2-ret",[12,"","{\"result\":\"failed\",\"reason\":\"timeout\"}"]]"#,
                Incoming::Answer {
                    call: 12,
                    ok: false,
                    messages: false,
                },
            ),
            (
                r#"["call2-ret",[3,"wrong line","{\"result\":\"ok\"}"]]"#,
                Incoming::Answer {
                    call: 3,
                    ok: false,
                    messages: false,
                },
            ),
            (
                r#"["notify","notify recvmsg [9,\"msg-v2 c1 c2 v1:E:3600 instant 1795793322117 ~t000000000001234abc\"]"]"#,
                Incoming::Peer {
                    version: 9,
                    stamp: 1234,
                },
            ),
            (
                r#"["notify",["channel2",1,44,"msg-v2 c1 room v1:E:3600 channel_msg 1 {\"msg\":\"~t000000000000055 x\"}"]]"#,
                Incoming::Channel {
                    number: 44,
                    stamp: Some(55),
                },
            ),
            (
                r#"["notify",["channel2",1,2,"msg-v2 c1 room v1:E:3600 channel_user_join 1 {\"account\":\"c1\"}"]]"#,
                Incoming::Channel { number: 2, stamp: None },
            ),
            (r#"["pong",1]"#, Incoming::Other),
            (r#"["close",""]"#, Incoming::End("close")),
            (r#"["kick",""]"#, Incoming::End("kick")),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text.as_bytes()).unwrap(), expected, "{text}");
        }
        assert!(read(br#"["login_ret",["TokenError","{}"]]"#).is_err());
    }

    #[test]
    fn a_poll_brings_messages() {
        let text = br#"["call2-ret",[1,"","{\"result\":\"ok\",\"ver_clear\":0,\"msgs\":[[1,\"msg-v2 a b f instant 1 ~t000000000000001\"],[2,\"msg-v2 a b f instant 1 ~t000000000000002 \\\\\\\" x\"]]}"]]"#;
        assert_eq!(fetched(text).unwrap(), [(1, 1), (2, 2)]);
    }

    #[test]
    fn contents_have_the_size_asked_for_and_differ() {
        for json in [false, true] {
            let mut writer = Writer::new(200, json);
            let mut contents = Vec::new();
            for stamp in [1, 2] {
                let text = writer.peer(7, "line", 3, stamp).to_vec();
                let (_, (_, _, args)): (&str, (&str, u64, serde_json::Value)) = serde_json::from_slice(&text).unwrap();
                let content = args["content"].as_str().unwrap().to_owned();
                assert_eq!(content.len(), 200, "{content}");
                assert_eq!(serde_json::from_str::<serde_json::Value>(&content).is_ok(), json);
                assert_eq!(read(&text).unwrap(), Incoming::Echo { stamp });
                contents.push(content[60..].to_owned());
            }
            assert_ne!(contents[0], contents[1]);
        }
    }
}
