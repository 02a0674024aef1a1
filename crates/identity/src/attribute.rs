//! Encoding of attributes in RTM (decisions H7).
//!
//! | Signaling | RTM |
//! |---|---|
//! | a name of at most 32 bytes with a value that is not empty | the same, readable by every RTM user |
//! | a longer name, or one that starts with `_sb.` | two attributes: `_sb.n.<tag>` with the name, `_sb.v.<tag>` with the value |
//! | an empty value | one private-use character, U+E000 |
//! | a value that starts with U+E000 | the value with one more U+E000 in front |
//!
//! `<tag>` is 16 characters of the base32 SHA-1 of the name: 80 bits, so collisions are negligible.

use sha1::{Digest, Sha1};

use rtm::limits::MAX_ATTRIBUTE_KEY_BYTES;
use rtm::value::Text;

/// Prefix of the attributes reserved for the bridge.
const RESERVED: &str = "_sb.";
const NAME: &str = "_sb.n.";
const VALUE: &str = "_sb.v.";
/// Represents an empty value, which RTM does not accept.
const EMPTY: char = '\u{E000}';
const TAG_CHARS: usize = 16;

/// Encodes an attribute for RTM: one entry, or two.
pub fn encode(name: &Text, value: &Text) -> Vec<(Text, Text)> {
    let value = encode_value(value);
    if is_plain(name) {
        return vec![(name.clone(), value)];
    }
    let tag = tag(name);
    vec![
        (format!("{NAME}{tag}").into(), name.clone()),
        (format!("{VALUE}{tag}").into(), value),
    ]
}

/// Returns the RTM keys of an attribute.
pub fn keys(name: &Text) -> Vec<Text> {
    encode(name, &"".into()).into_iter().map(|(key, _)| key).collect()
}

/// Decodes RTM attributes for Signaling; `value` accesses the text of an entry.
///
/// Reserved attributes are not returned. Half of a pair, which no bridge leaves behind, is ignored.
pub fn decode<T: Clone>(
    entries: &[(Text, T)],
    value: impl Fn(&T) -> Text,
    with: impl Fn(&T, Text) -> T,
) -> Vec<(Text, T)> {
    let mut decoded = Vec::with_capacity(entries.len());
    for (key, entry) in entries {
        if let Some(tag) = key.strip_prefix(VALUE) {
            let named = entries.iter().find(|(key, _)| key.strip_prefix(NAME) == Some(tag));
            if let Some((_, name)) = named {
                decoded.push((value(name), with(entry, decode_value(&value(entry)))));
            }
        } else if !key.starts_with(RESERVED) {
            decoded.push((key.clone(), with(entry, decode_value(&value(entry)))));
        }
    }
    decoded
}

fn is_plain(name: &str) -> bool {
    name.len() <= MAX_ATTRIBUTE_KEY_BYTES && !name.starts_with(RESERVED)
}

fn encode_value(value: &Text) -> Text {
    if value.is_empty() || value.starts_with(EMPTY) {
        format!("{EMPTY}{value}").into()
    } else {
        value.clone()
    }
}

fn decode_value(value: &Text) -> Text {
    value.strip_prefix(EMPTY).map_or_else(|| value.clone(), Text::from)
}

/// Returns the truncated base32 (RFC 4648, lower case) of the SHA-1 of a name.
fn tag(name: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = Sha1::digest(name.as_bytes());
    let bits = digest
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1))
        .collect::<Vec<u8>>();
    let chars = bits.chunks(5).take(TAG_CHARS);
    chars
        .map(|chunk| char::from(ALPHABET[usize::from(chunk.iter().fold(0, |n, bit| (n << 1) | bit))]))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn back(entries: &[(Text, Text)]) -> Vec<(Text, Text)> {
        decode(entries, Text::clone, |_, value| value)
    }

    fn check(name: &str, value: &str, expected: &[(&str, &str)]) {
        let encoded = encode(&name.into(), &value.into());
        let expected: Vec<(Text, Text)> = expected.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!(encoded, expected, "{name:?}");
        assert_eq!(back(&encoded), [(Text::from(name), Text::from(value))]);
    }

    #[test]
    fn plain_attributes_are_unchanged() {
        check("topic", "cats", &[("topic", "cats")]);
        check(&"n".repeat(32), "v", &[(&"n".repeat(32), "v")]);
        check("_userNotification", "0", &[("_userNotification", "0")]);
        check("empty", "", &[("empty", "\u{E000}")]);
        check("odd", "\u{E000}x", &[("odd", "\u{E000}\u{E000}x")]);
    }

    #[test]
    fn long_names_use_two_entries() {
        let long = "n".repeat(33);
        let encoded = encode(&long.as_str().into(), &"v".into());
        assert_eq!(encoded.len(), 2);
        assert!(encoded.iter().all(|(key, _)| key.len() <= MAX_ATTRIBUTE_KEY_BYTES));
        assert_eq!(&*encoded[0].1, long);
        check(
            "_sb.id",
            "v",
            &[("_sb.n.chgrk4tc3ztgyff5", "_sb.id"), ("_sb.v.chgrk4tc3ztgyff5", "v")],
        );
    }

    #[test]
    fn reserved_attributes_are_hidden() {
        let entry = |key: &str, value: &str| (Text::from(key), Text::from(value));
        assert_eq!(
            back(&[entry("_sb.id", "x"), entry("_sb.v.orphan", "x"), entry("a", "1")]),
            [entry("a", "1")]
        );
    }

    proptest! {
        #[test]
        fn attributes_round_trip(name in "\\PC{1,64}", value in "\\PC{0,64}") {
            let encoded = encode(&name.as_str().into(), &value.as_str().into());
            prop_assert_eq!(back(&encoded), [(Text::from(name), Text::from(value))]);
            prop_assert!(encoded.iter().all(|(key, value)| key.len() <= MAX_ATTRIBUTE_KEY_BYTES && !value.is_empty()));
        }
    }
}
