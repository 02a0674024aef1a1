//! Escapes of half a character.

use std::borrow::Cow;

/// The escape of U+FFFD: as long as any other.
const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// JSON whose escapes of lone surrogates are U+FFFD: JSON's grammar has them, as texts of JavaScript do, and readers refuse
/// them.
pub fn mended(json: &[u8]) -> Cow<'_, [u8]> {
    let mut mended = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(next) = json[at..].iter().position(|byte| *byte == b'\\') {
        at += next;
        at += match (unit(&json[at..]), unit(json.get(at + 6..).unwrap_or_default())) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                mended.to_mut()[at..at + 6].copy_from_slice(REPLACEMENT);
                6
            }
            // Behind it may be another backslash, which begins nothing then.
            _ => 2,
        };
        if at >= json.len() {
            break;
        }
    }
    mended
}

/// The unit of UTF-16 that is escaped at the beginning.
fn unit(json: &[u8]) -> Option<u16> {
    let digits = json.get(..6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        assert_eq!(mended(json.as_bytes()), expected.as_bytes(), "{json}");
    }

    #[test]
    fn halves_become_the_replacement_character() {
        for same in [
            "",
            "x",
            r"\",
            r"\n",
            r"\ud83d\ude00",
            r"\\ud83d",
            r"\u00e9\ud83d\ude00\\",
            r"\ud83",
            r"\u+83d",
        ] {
            check(same, same);
        }
        check(r"\ud83d", r"\ufffd");
        check(r"a\ude00b", r"a\ufffdb");
        check(r"\ud83d\ud83d\ude00\ude00", r"\ufffd\ud83d\ude00\ufffd");
        check(r"\\\uDBFF\\", r"\\\ufffd\\");
        check(r"\ud83d\n", r"\ufffd\n");
    }
}
