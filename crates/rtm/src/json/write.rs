//! The writer of JSON text, for values that are already in memory.
//!
//! Its output is that of serde_json, at a fraction of the cost: texts are scanned in chunks, and nothing is allocated
//! but the output.

use crate::value::Value;

/// Bytes that are looked at together, by the vector instructions of the processor.
const CHUNK: usize = 16;
/// Bytes that are looked at together in the last chunk.
const WORD: usize = 8;

/// Returns 1 for a byte that JSON strings escape: a quote, a backslash or a control character.
fn escaped(byte: u8) -> u8 {
    u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// Returns the position of the first byte that JSON strings escape.
pub(super) fn first_escaped(bytes: &[u8]) -> Option<usize> {
    let mut clean = 0;
    for chunk in bytes.as_chunks::<CHUNK>().0 {
        // No early end within a chunk: the compiler can then use vectors.
        if chunk.iter().fold(0, |found, byte| found | escaped(*byte)) != 0 {
            break;
        }
        clean += CHUNK;
    }
    let (words, rest) = bytes[clean..].as_chunks::<WORD>();
    for word in words {
        let found = escaped_in_word(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(clean + usize::try_from(found.trailing_zeros() / u8::BITS).unwrap_or(0));
        }
        clean += WORD;
    }
    let found = rest.iter().position(|byte| escaped(*byte) != 0)?;
    Some(clean + found)
}

/// Returns a word whose lowest set bit is in the first byte that JSON strings escape, or 0 without such a byte.
fn escaped_in_word(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; WORD]);
    const HIGH: u64 = ONES * 0x80;
    // A subtraction borrows from later bytes only, so the first byte found is right.
    let below = |limit: u64, word: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let equal = |byte: u8| below(1, word ^ (ONES * u64::from(byte)));
    below(u64::from(b' '), word) | equal(b'"') | equal(b'\\')
}

/// Appends a text as a JSON string.
pub fn quote(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(at) = first_escaped(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        escape(rest.as_bytes()[at], out);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

fn escape(byte: u8, out: &mut String) {
    let short = match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        b'\n' => "\\n",
        b'\r' => "\\r",
        b'\t' => "\\t",
        0x08 => "\\b",
        0x0c => "\\f",
        _ => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.push_str("\\u00");
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 0xf)]));
            return;
        }
    };
    out.push_str(short);
}

/// Appends a whole number.
pub fn number(n: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(n));
}

/// Appends a value.
pub fn value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => number(*n, out),
        Value::Number(n) => out.push_str(n.as_str()),
        Value::Text(text) => quote(text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                self::value(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (at, (name, item)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quote(name, out);
                out.push(':');
                self::value(item, out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_escaped_byte_is_found_at_any_position() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = byte;
                    let expected = (escaped(byte) != 0).then_some(at);
                    assert_eq!(first_escaped(&bytes), expected, "{byte} at {at} of {len}");
                    // A later escaped byte changes nothing.
                    bytes[len - 1] = b'"';
                    assert_eq!(
                        first_escaped(&bytes),
                        expected.or(Some(len - 1)),
                        "{byte} at {at} of {len}"
                    );
                }
            }
        }
    }
}
