//! Peer messages with another meaning than text: ends of calls, and messages between bridges (decisions H9).

use rtm::value::{Text, Value};
use rtm::{END_CALL_PREFIX, Field, Message};

/// Returns the text that ends a call in RTM; `_` and `%` of the info are escaped, since RTM forbids
/// `_` there (decisions H9).
pub fn end_call(channel: &str, info: &str) -> String {
    let info = info.replace('%', "%25").replace('_', "%5F");
    format!("{END_CALL_PREFIX}_{channel}_{info}")
}

/// Splits a text that ends a call into channel and info; the last `_` splits, since names may
/// contain it.
pub fn parse_end_call(text: &str) -> Option<(Text, Text)> {
    let rest = text.strip_prefix(END_CALL_PREFIX)?.strip_prefix('_')?;
    let (channel, info) = rest.rsplit_once('_')?;
    Some((channel.into(), info.replace("%5F", "_").replace("%25", "%").into()))
}

/// The description of raw messages between bridges, which RTM-native apps ignore (decisions H9).
const SIGNAL: &str = "sigbridge/1";

/// Returns a message between bridges, as a value for RTM's message type.
pub fn signal(kind: &str, channel_id: &str, data: &str) -> Value {
    let entry = |key: &str, value: &str| (Text::from(key), Value::text(value));
    let body = Value::Map(vec![
        entry("type", kind),
        entry("channelId", channel_id),
        entry("data", data),
    ]);
    let bytes = body.to_json().into_bytes();
    Message::Raw {
        bytes: bytes.into(),
        description: SIGNAL.into(),
    }
    .to_value()
}

/// Returns kind, channel id and data of a message between bridges.
pub fn parse_signal(message: &Message) -> Option<(Text, Text, Text)> {
    let Message::Raw { bytes, description } = message else {
        return None;
    };
    if &**description != SIGNAL {
        return None;
    }
    let body = Value::from_json(std::str::from_utf8(bytes).ok()?).ok()?;
    let text = |key: &str| body.get(key).and_then(Value::as_text).cloned();
    Some((text("type")?, text("channelId")?, text("data")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_calls_round_trip() {
        for (channel, info) in [("r", ""), ("my_room", "bye"), ("a_b_", "x_y%5F%25"), ("%", "100%_")] {
            let text = end_call(channel, info);
            assert_eq!(parse_end_call(&text), Some((channel.into(), info.into())), "{text}");
        }
        assert_eq!(parse_end_call("AgoraRTMLegacyEndcallCompatibleMessagePrefix"), None);
        assert_eq!(parse_end_call("hello"), None);
    }
}
