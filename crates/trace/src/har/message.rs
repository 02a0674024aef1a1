//! WebSocket messages of a HAR.

use std::borrow::Cow;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;

use crate::Dir;

use crate::har::file::{InvalidField, Message};

/// Longest accepted message in bytes; servers may send longer ones than clients.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Larger times are milliseconds: as seconds they would be in the year 5138.
const MILLIS: f64 = 1e11;
/// Larger times are microseconds.
const MICROS: f64 = 1e14;

/// Parsed message.
#[derive(Debug, PartialEq, Eq)]
pub struct AppFrame {
    /// Microseconds since the UNIX epoch; `None` if not recorded.
    pub at_us: Option<u64>,
    /// `In` if the app sent it.
    pub dir: Dir,
    pub text: String,
}

/// Parses a message; `None` for messages without data.
///
/// # Errors
/// The reason as text.
pub fn read(message: &Message) -> Result<Option<AppFrame>, &'static str> {
    let Some(dir) = dir(message)? else { return Ok(None) };
    let time = message.time.map_err(|InvalidField| "its time is not a number")?;
    let at_us = time
        .map(|time| micros(time).ok_or("its time is out of range"))
        .transpose()?;
    let text = text(message)?;
    Ok(text.map(|text| AppFrame { at_us, dir, text }))
}

/// Returns the direction; `None` for a tool's note.
///
/// # Errors
/// The direction is missing.
pub fn dir(message: &Message) -> Result<Option<Dir>, &'static str> {
    const SENT: [&str; 3] = ["send", "sent", "outgoing"];
    const RECEIVED: [&str; 3] = ["receive", "received", "incoming"];
    let kind = message
        .kind
        .as_ref()
        .map_err(|InvalidField| "its type is not a string")?;
    let kind = kind.as_ref().ok_or("it has no type, so its direction is unknown")?;
    let is = |names: [&str; 3]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
    Ok(match (is(SENT), is(RECEIVED)) {
        (true, _) => Some(Dir::In),
        (_, true) => Some(Dir::Out),
        _ => None,
    })
}

/// Returns the text; `None` for control frames.
///
/// # Errors
/// The reason as text.
pub fn text(message: &Message) -> Result<Option<String>, &'static str> {
    let opcode = message.opcode.map_err(|InvalidField| "its opcode is not a number")?;
    let data = message
        .data
        .as_ref()
        .map_err(|InvalidField| "its data is not a string")?;
    let data = data.as_ref().ok_or("it has no data");
    let text: Cow<'_, str> = match opcode {
        // Continuation: some tools mark whole messages so.
        None | Some(0.0 | 1.0) => data?.into(),
        Some(2.0) => unpacked(data?)?.into(),
        _ => return Ok(None),
    };
    if text.len() > MAX_TEXT_BYTES {
        return Err("it is longer than 1 MiB");
    }
    Ok(Some(text.into_owned()))
}

/// Later SDKs request zlib-compressed texts (signaling-wire 2); some tools write every text as binary.
fn unpacked(data: &str) -> Result<String, &'static str> {
    let bytes = STANDARD.decode(data).map_err(|_| "its binary data is not base64")?;
    let mut text = String::new();
    let limit = MAX_TEXT_BYTES as u64 + 1;
    let read = ZlibDecoder::new(&*bytes).take(limit).read_to_string(&mut text);
    if read.is_ok() {
        return Ok(text);
    }
    let plain = String::from_utf8(bytes).ok().filter(|text| text.starts_with('['));
    plain.ok_or("its binary data is not a zlib-compressed text")
}

fn micros(time: f64) -> Option<u64> {
    let per = match time {
        t if t >= MICROS => 1.0,
        t if t >= MILLIS => 1e3,
        _ => 1e6,
    };
    let micros = (time * per).round();
    // The range check makes the conversion exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..=9e15).contains(&micros).then_some(micros as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::har::file;

    fn check(json: &str, expected: Result<Option<(u64, Dir, &str)>, &'static str>) {
        let got = read(&file::message(serde_json::from_str(json).unwrap()));
        let expected = expected.map(|app_frames| {
            app_frames.map(|(at_us, dir, text)| AppFrame {
                at_us: Some(at_us),
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
        check(&text("OUTGOING", "0.5"), Ok(Some((500_000, Dir::In, "x"))));
        check(
            r#"{"type":"send","time":0.5,"data":"x"}"#,
            Ok(Some((500_000, Dir::In, "x"))),
        );
        check(
            r#"{"type":"send","time":1,"opcode":0.0,"data":"x"}"#,
            Ok(Some((1_000_000, Dir::In, "x"))),
        );
        check(
            r#"{"type":"send","time":1,"data":"[\"\\ud83d\"]"}"#,
            Ok(Some((1_000_000, Dir::In, r#"["\ud83d"]"#))),
        );
        check(r#"{"type":"error","time":1,"opcode":-1,"data":"x"}"#, Ok(None));
        check(r#"{"type":"send","time":1,"opcode":9,"data":"x"}"#, Ok(None));
        check(r#"{"type":"send","time":1,"opcode":9}"#, Ok(None));
        check(&text("send", "-1"), Err("its time is out of range"));
        check(&text("send", "1e300"), Err("its time is out of range"));
        let packed = |data: &str| format!(r#"{{"type":"receive","time":1,"opcode":2,"data":"{data}"}}"#);
        check(&packed("eJyrAAAAeQB5"), Ok(Some((1_000_000, Dir::Out, "x"))));
        check(&packed("WyJ4Il0="), Ok(Some((1_000_000, Dir::Out, r#"["x"]"#))));
        check(&packed("AAAA"), Err("its binary data is not a zlib-compressed text"));
        check(&packed("?"), Err("its binary data is not base64"));
        let long = format!(
            r#"{{"type":"send","time":1,"data":"{}"}}"#,
            "x".repeat(MAX_TEXT_BYTES + 1)
        );
        check(&long, Err("it is longer than 1 MiB"));
    }

    #[test]
    fn invalid_fields_have_distinct_errors() {
        let odd = |kind: &str, time: &str, opcode: &str, data: &str| {
            format!(r#"{{"type":{kind},"time":{time},"opcode":{opcode},"data":{data}}}"#)
        };
        let send = r#""send""#;
        check(&odd("5", "1", "1", r#""x""#), Err("its type is not a string"));
        check(&odd(send, r#""2019""#, "1", r#""x""#), Err("its time is not a number"));
        check(&odd(send, "null", "1", r#""x""#), Err("its time is not a number"));
        check(&odd(send, "1", r#""8""#, r#""x""#), Err("its opcode is not a number"));
        check(&odd(send, "1", "1", "{}"), Err("its data is not a string"));
        check(&odd(send, "1", "1", "null"), Err("its data is not a string"));
        check(r#"{"type":"send","time":1}"#, Err("it has no data"));
        check(
            r#"{"time":1,"data":"x"}"#,
            Err("it has no type, so its direction is unknown"),
        );
        check("7", Err("its type is not a string"));
        assert_eq!(
            read(&file::message(
                serde_json::from_str(r#"{"type":"send","data":"x"}"#).unwrap()
            )),
            Ok(Some(AppFrame {
                at_us: None,
                dir: Dir::In,
                text: "x".into()
            }))
        );
    }
}
