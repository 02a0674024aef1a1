//! Encoding of operations, and decoding of replies and stream entries.

use redis::Value;
use rtm::value::Text;
use rtm::{ChannelAttribute, ChannelId, Message, UserId};

/// A list of texts of one operation, reply or entry.
pub type Fields = Vec<Vec<u8>>;

/// The number of a stream entry: milliseconds and a number within them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId(pub u64, pub u64);

impl EntryId {
    /// Reads `<ms>-<number>`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (ms, number) = std::str::from_utf8(text).ok()?.split_once('-')?;
        Some(Self(ms.parse().ok()?, number.parse().ok()?))
    }

    /// Returns the next number, for a trim up to this one.
    pub fn next(self) -> Self {
        Self(self.0, self.1.saturating_add(1))
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// An entry of a node's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the stream.
    pub id: EntryId,
    /// Its writer.
    pub from: Text,
    /// The number of the writer's batch, and the place in it; they grow with every entry of that writer.
    pub number: (u64, u64),
    /// Its content.
    pub fields: Fields,
}

/// Result of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was executed.
    Done {
        /// The last entry of the node's stream before it.
        before: EntryId,
        /// The time of Redis.
        now: u64,
        /// Replies, which begin with `=`, and entries for the node itself, in order.
        items: Vec<Fields>,
    },
    /// Redis has no state of the node, or has lost the last changes.
    Lost {
        /// The last batch in Redis.
        last: Option<u64>,
    },
    /// An earlier attempt of an executed batch.
    Stale,
    /// The data is of a later schema.
    Newer(u64),
    /// Nodes of an earlier schema serve the app.
    Older(u64),
    /// The node is registered.
    Registered {
        /// The time of Redis.
        now: u64,
        /// The users that Redis has at this node.
        users: Vec<Text>,
    },
}

/// Reads the answer of the script.
pub fn answer(value: &Value) -> Option<Answer> {
    let Value::Array(parts) = value else { return None };
    let number = |at: usize| -> Option<u64> { std::str::from_utf8(bytes(parts.get(at)?)?).ok()?.parse().ok() };
    match bytes(parts.first()?)? {
        b"ok" => match parts.get(3)? {
            Value::Array(items)
                if items.iter().all(|item| matches!(item, Value::Array(_))) && !is_registration(parts) =>
            {
                Some(Answer::Done {
                    before: EntryId::parse(bytes(&parts[1])?).unwrap_or_default(),
                    now: number(2)?,
                    items: items.iter().map(fields).collect::<Option<_>>()?,
                })
            }
            Value::Array(users) => Some(Answer::Registered {
                now: number(2)?,
                users: users.iter().map(|user| text(bytes(user)?)).collect::<Option<_>>()?,
            }),
            _ => None,
        },
        b"lost" => Some(Answer::Lost { last: number(1) }),
        b"stale" => Some(Answer::Stale),
        b"newer" => Some(Answer::Newer(number(1)?)),
        b"older" => Some(Answer::Older(number(1)?)),
        _ => None,
    }
}

fn is_registration(parts: &[Value]) -> bool {
    parts.get(4).is_some()
}

/// Reads the entries that `XREAD` or `XRANGE` gives of one stream.
pub fn entries(value: &Value) -> Option<Vec<Entry>> {
    let Value::Array(list) = value else { return None };
    list.iter().map(entry).collect()
}

fn entry(value: &Value) -> Option<Entry> {
    let Value::Array(parts) = value else { return None };
    let Value::Array(pair) = parts.get(1)? else {
        return None;
    };
    let mut fields = unpacked(bytes(pair.get(1)?)?)?;
    if fields.len() < 4 {
        return None;
    }
    let rest = fields.split_off(3);
    let number = |field: &[u8]| -> Option<u64> { std::str::from_utf8(field).ok()?.parse().ok() };
    Some(Entry {
        id: EntryId::parse(bytes(parts.first()?)?)?,
        from: text(&fields[0])?,
        number: (number(&fields[1])?, number(&fields[2])?),
        fields: rest,
    })
}

fn fields(value: &Value) -> Option<Fields> {
    let Value::Array(fields) = value else { return None };
    fields.iter().map(|field| Some(bytes(field)?.to_vec())).collect()
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// Encodes texts as one: `5:alice3:bob`.
pub fn packed<'w>(fields: impl IntoIterator<Item = &'w [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        out.extend_from_slice(field.len().to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(field);
    }
    out
}

/// Decodes the texts of one.
pub fn unpacked(mut text: &[u8]) -> Option<Fields> {
    let mut fields = Vec::new();
    while !text.is_empty() {
        let colon = text.iter().position(|&byte| byte == b':')?;
        let size: usize = std::str::from_utf8(&text[..colon]).ok()?.parse().ok()?;
        let end = colon.checked_add(1)?.checked_add(size)?;
        fields.push(text.get(colon + 1..end)?.to_vec());
        text = &text[end..];
    }
    Some(fields)
}

/// Decodes a text of UTF-8.
pub fn text(bytes: &[u8]) -> Option<Text> {
    Some(std::str::from_utf8(bytes).ok()?.into())
}

/// Decodes a whole number.
pub fn int(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Decodes a user id.
pub fn user(bytes: &[u8]) -> Option<UserId> {
    UserId::new(text(bytes)?).ok()
}

/// Decodes a channel id.
pub fn channel(bytes: &[u8]) -> Option<ChannelId> {
    ChannelId::new(text(bytes)?).ok()
}

/// Encodes a message as one text.
pub fn message_out(message: &Message) -> Vec<u8> {
    match message {
        Message::Text(text) => [b"t", text.as_bytes()].concat(),
        Message::Raw { bytes, description } => {
            let mut out = vec![b'r'];
            out.extend(packed([description.as_bytes(), bytes]));
            out
        }
    }
}

/// Decodes a message.
pub fn message_in(bytes: &[u8]) -> Option<Message> {
    match bytes.split_first()? {
        (b't', rest) => Some(Message::Text(text(rest)?)),
        (b'r', rest) => match &unpacked(rest)?[..] {
            [description, bytes] => Some(Message::Raw {
                bytes: bytes.clone().into(),
                description: text(description)?,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// Encodes attributes of a user as one text.
pub fn attributes_out(attributes: &[(Text, Text)]) -> Vec<u8> {
    let fields = attributes
        .iter()
        .flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]);
    packed(fields)
}

/// Decodes attributes of a user.
pub fn attributes_in(bytes: &[u8]) -> Option<Vec<(Text, Text)>> {
    let fields = unpacked(bytes)?;
    let pairs = fields.chunks_exact(2);
    pairs.map(|pair| Some((text(&pair[0])?, text(&pair[1])?))).collect()
}

/// Decodes attributes of a channel: key, value, writer, time.
pub fn channel_attributes_in(bytes: &[u8]) -> Option<Vec<(Text, ChannelAttribute)>> {
    let fields = unpacked(bytes)?;
    let attribute = |fields: &[Vec<u8>]| {
        let attribute = ChannelAttribute {
            value: text(&fields[1])?,
            last_update_user_id: user(&fields[2])?,
            last_update_ts: int(&fields[3])?,
        };
        Some((text(&fields[0])?, attribute))
    };
    fields.chunks_exact(4).map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_a_round_trip() {
        let fields: [&[u8]; 4] = [b"", b"a:b", b"5:alice", "\u{e9}".as_bytes()];
        assert_eq!(unpacked(&packed(fields)).expect("packed"), fields);
        for bad in ["1", "2:a", ":a", "x:a", "18446744073709551615:a"] {
            assert_eq!(unpacked(bad.as_bytes()), None, "{bad}");
        }
        let raw = Message::Raw {
            bytes: vec![0, 255, b':'].into(),
            description: "d".into(),
        };
        for message in [Message::Text("".into()), Message::Text("hi".into()), raw] {
            assert_eq!(message_in(&message_out(&message)), Some(message));
        }
    }
}
