//! The messages of a WebSocket, as an archive has them.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;

use crate::trace::Dir;

use super::file::Message;

/// Longest message that is taken, bytes: servers may send more than clients.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Times above are milliseconds: as seconds they would be in the year 5138.
const MILLIS: f64 = 1e11;
/// Times above are microseconds.
const MICROS: f64 = 1e14;

/// A message that was understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// Microseconds since the UNIX epoch.
    pub at_us: u64,
    /// Into the session: the app has sent it.
    pub dir: Dir,
    /// The text.
    pub text: String,
}

/// Reads a message; none for those that are no data.
///
/// # Errors
/// What is wrong with it.
pub fn read(message: Message) -> Result<Option<Said>, &'static str> {
    let Some(dir) = dir(&message) else { return Ok(None) };
    let at_us = micros(message.time).ok_or("its time is none")?;
    let text = match message.opcode {
        1 => message.data,
        2 => inflated(&message.data)?,
        _ => return Ok(None),
    };
    if text.len() > MAX_TEXT_BYTES {
        return Err("it is longer than 1 MiB");
    }
    Ok(Some(Said { at_us, dir, text }))
}

/// Who sent it.
pub fn dir(message: &Message) -> Option<Dir> {
    match &*message.kind {
        "send" | "sent" => Some(Dir::In),
        "receive" | "received" => Some(Dir::Out),
        _ => None,
    }
}

/// Later SDKs let the server send them zlib's form of the text (signaling-wire 2).
fn inflated(data: &str) -> Result<String, &'static str> {
    let bytes = STANDARD.decode(data).map_err(|_| "it is binary and no base64")?;
    let mut text = String::new();
    let limit = MAX_TEXT_BYTES as u64 + 1;
    let read = ZlibDecoder::new(&*bytes).take(limit).read_to_string(&mut text);
    read.map_err(|_| "it is binary, and not a text that zlib has packed")?;
    Ok(text)
}

fn micros(time: f64) -> Option<u64> {
    let per = match time {
        t if t >= MICROS => 1.0,
        t if t >= MILLIS => 1e3,
        _ => 1e6,
    };
    let micros = (time * per).round();
    // The range makes the conversion exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..=9e15).contains(&micros).then_some(micros as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<Option<(u64, Dir, &str)>, &'static str>) {
        let got = read(serde_json::from_str(json).unwrap());
        let expected = expected.map(|said| {
            said.map(|(at_us, dir, text)| Said {
                at_us,
                dir,
                text: text.into(),
            })
        });
        assert_eq!(got, expected, "{json}");
    }

    #[test]
    fn messages_of_several_tools() {
        let text = |kind: &str, time: &str| format!(r#"{{"type":"{kind}","time":{time},"opcode":1,"data":"x"}}"#);
        let at = 1_558_730_482_507_147;
        check(&text("send", "1558730482.507147"), Ok(Some((at, Dir::In, "x"))));
        check(&text("receive", "1558730482507.147"), Ok(Some((at, Dir::Out, "x"))));
        check(&text("received", "1558730482507147"), Ok(Some((at, Dir::Out, "x"))));
        check(
            r#"{"type":"send","time":0.5,"data":"x"}"#,
            Ok(Some((500_000, Dir::In, "x"))),
        );
        check(r#"{"type":"error","time":1,"opcode":-1,"data":"x"}"#, Ok(None));
        check(r#"{"type":"send","time":1,"opcode":9,"data":"x"}"#, Ok(None));
        check(&text("send", "-1"), Err("its time is none"));
        check(&text("send", "1e300"), Err("its time is none"));
        let packed = |data: &str| format!(r#"{{"type":"receive","time":1,"opcode":2,"data":"{data}"}}"#);
        check(&packed("eJyrAAAAeQB5"), Ok(Some((1_000_000, Dir::Out, "x"))));
        check(
            &packed("AAAA"),
            Err("it is binary, and not a text that zlib has packed"),
        );
        check(&packed("?"), Err("it is binary and no base64"));
        let long = format!(
            r#"{{"type":"send","time":1,"data":"{}"}}"#,
            "x".repeat(MAX_TEXT_BYTES + 1)
        );
        check(&long, Err("it is longer than 1 MiB"));
    }
}
