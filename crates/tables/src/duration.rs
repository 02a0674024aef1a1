//! Durations in text form: `500ms`, `20s`, `1h30m`, `7d`.

use std::time::Duration;

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Invalid duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as \"500ms\", \"20s\", \"1h30m\" or \"7d\"")]
pub struct BadDuration;

/// Parses integers with units, from the largest unit to the smallest, without spaces.
///
/// # Errors
/// [`BadDuration`], also if the milliseconds do not fit 64 bits.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_ascii_lowercase());
        let number: u64 = digits.parse().map_err(|_| BadDuration)?;
        // `find` continues after the last unit, so each occurs once and in order.
        let (_, ms) = units.find(|(name, _)| *name == unit).ok_or(BadDuration)?;
        let part = number.checked_mul(*ms).ok_or(BadDuration)?;
        total = total.checked_add(part).ok_or(BadDuration)?;
        rest = after;
    }
    if text.is_empty() {
        return Err(BadDuration);
    }
    Ok(Duration::from_millis(total))
}

fn split(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

/// Formats whole milliseconds with the largest unit that needs no fraction.
pub fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let exact = |(_, unit): &&(&str, u64)| ms > 0 && ms.is_multiple_of(u128::from(*unit));
    match UNITS.iter().find(exact) {
        Some((name, unit)) => format!("{}{name}", ms / u128::from(*unit)),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ms: u64, formatted: &str) {
        let duration = parse_duration(text).expect(text);
        assert_eq!(duration, Duration::from_millis(ms), "{text}");
        assert_eq!(format_duration(duration), formatted, "{text}");
    }

    #[test]
    fn durations_have_units() {
        check("500ms", 500, "500ms");
        check("20s", 20_000, "20s");
        check("5m", 300_000, "5m");
        check("1h", 3_600_000, "1h");
        check("7d", 604_800_000, "7d");
        check("1h30m", 5_400_000, "90m");
        check("1d2h3m4s5ms", 93_784_005, "93784005ms");
        check("1m500ms", 60_500, "60500ms");
        check("60s", 60_000, "1m");
        check("90s", 90_000, "90s");
        check("0s", 0, "0s");
        check("0ms", 0, "0s");
        check("007s", 7000, "7s");
    }

    #[test]
    fn other_texts_are_invalid() {
        for text in [
            "",
            "20",
            "s",
            "20 s",
            "-1s",
            "+1s",
            "1.5s",
            "1w",
            "1S",
            "1s ",
            "1h 30m",
            "30m1h",
            "1s1s",
            "1h30",
            "99999999999999999999s",
            "18446744073709551615s",
            "18446744073709551615ms1s",
        ] {
            assert_eq!(parse_duration(text), Err(BadDuration), "{text:?}");
        }
    }
}
