//! Forms of messages: texts, and signals of legacy clients and sidecars in messages.

use rtm::Message;
use rtm::value::Text;
use tables::bridge_messages::{parse_end_call, parse_signal};

/// The kind of a signal with digits.
const DIGITS: &str = "dtmf";

/// The content of a message, for a legacy client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(Text),
    /// The end of a call.
    EndOfCall {
        /// The RTM channel id of the call.
        channel: Text,
        /// The reason, as the peer gives it.
        info: Text,
    },
    /// Digits of a call.
    Digits {
        /// The RTM channel id of the call.
        channel: Text,
        /// The digits.
        digits: Text,
    },
    /// Bytes, which legacy clients cannot receive.
    Raw,
}

impl Content {
    /// Returns the content of a message of a peer.
    pub fn from_peer(message: &Message) -> Self {
        let Message::Text(text) = message else {
            return match parse_signal(message) {
                Some((kind, channel, digits)) if &*kind == DIGITS => Self::Digits { channel, digits },
                _ => Self::Raw,
            };
        };
        match parse_end_call(text) {
            Some((channel, info)) => Self::EndOfCall { channel, info },
            None => Self::Text(text.clone()),
        }
    }

    /// Returns the content of a message to a channel.
    pub fn from_channel(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.clone()),
            Message::Raw { .. } => Self::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtm::Field;
    use tables::bridge_messages::{end_call, signal};

    #[test]
    fn only_peers_end_calls_and_send_digits() {
        let (channel, info) = (Text::from("room"), Text::from("bye"));
        let end = Message::Text(end_call(&channel, &info).into());
        let expected = Content::EndOfCall {
            channel: channel.clone(),
            info,
        };
        assert_eq!(Content::from_peer(&end), expected);
        assert!(matches!(Content::from_channel(&end), Content::Text(_)));
        let digits = Message::from_value(&signal(DIGITS, &channel, "12#")).unwrap();
        let expected = Content::Digits {
            channel,
            digits: "12#".into(),
        };
        assert_eq!(Content::from_peer(&digits), expected);
        assert_eq!(Content::from_channel(&digits), Content::Raw);
        let other = Message::from_value(&signal("other", "room", "")).unwrap();
        assert_eq!(Content::from_peer(&other), Content::Raw);
    }
}
