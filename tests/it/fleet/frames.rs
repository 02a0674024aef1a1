//! Frames of the Web and native wires, read without the decoders of the program.

use serde_json::Value;

use super::Frame;

fn notification(text: &str) -> Frame {
    match text.split_once(' ').map_or((text, ""), |(kind, rest)| (kind, rest)) {
        ("recvmsg", rest) => {
            let rest: Value = serde_json::from_str(rest).expect("a version and a line");
            Frame::Line(
                rest[0].as_u64().expect("a version"),
                rest[1].as_str().expect("a line").to_owned(),
            )
        }
        ("msg", _) => Frame::Hint,
        ("kick", _) => Frame::Kick,
        _ => Frame::Other,
    }
}

pub fn web_frame(text: &str) -> Frame {
    let frame: Value = serde_json::from_str(text).expect("JSON");
    let json_of = |value: &Value| serde_json::from_str(value.as_str().unwrap_or("null")).unwrap_or_default();
    match frame[0].as_str().unwrap_or_default() {
        "login_ret" => Frame::LoggedIn(frame[1][0] == "", json_of(&frame[1][1])),
        "call2-ret" => {
            let error = frame[1][1].as_str().unwrap_or_default().to_owned();
            Frame::Reply(frame[1][0].as_i64().unwrap_or_default(), error, json_of(&frame[1][2]))
        }
        "notify" => notification(
            frame[1]
                .as_str()
                .and_then(|text| text.strip_prefix("notify "))
                .unwrap_or_default(),
        ),
        "kick" => Frame::Kick,
        _ => Frame::Other,
    }
}

pub fn native_frame(line: &str) -> Frame {
    if let Some(rest) = line.strip_prefix("notify ") {
        return notification(rest);
    }
    if let Some(rest) = line.strip_prefix("call_ret ") {
        let mut words = rest.splitn(4, ' ');
        let id = words.nth(1).and_then(|id| id.parse().ok()).unwrap_or_default();
        let reply: Value = serde_json::from_str(words.nth(1).unwrap_or("null")).unwrap_or_default();
        let error = if reply["result"] == "ok" {
            String::new()
        } else {
            reply["reason"].to_string()
        };
        return Frame::Reply(id, error, reply);
    }
    if let Some(rest) = line.strip_prefix("login_res ") {
        let json = rest.split(' ').nth(2).and_then(|json| serde_json::from_str(json).ok());
        return Frame::LoggedIn(rest.starts_with("ok"), json.unwrap_or_default());
    }
    if let Some(rest) = line.strip_prefix("line_login_res ") {
        return Frame::LoggedIn(rest.starts_with("ok"), Value::Null);
    }
    Frame::Other
}
