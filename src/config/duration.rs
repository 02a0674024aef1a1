//! Durations in text form.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as \"500ms\", \"20s\", \"5m\" or \"1h\"")]
pub struct BadDuration;

/// Reads a whole number and its unit, with nothing between: `ms`, `s`, `m` or `h`.
///
/// # Errors
/// [`BadDuration`], also when milliseconds of the duration do not fit 64 bits.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(BadDuration)?;
    let (digits, unit) = text.split_at(unit_at);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(BadDuration),
    };
    let number: u64 = digits.parse().map_err(|_| BadDuration)?;
    number
        .checked_mul(unit_ms)
        .map(Duration::from_millis)
        .ok_or(BadDuration)
}

/// The shortest way to write a duration of whole milliseconds, as [`parse_duration`] reads it.
pub(super) fn show(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".to_owned(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ms: u64, shown: &str) {
        let duration = parse_duration(text).expect(text);
        assert_eq!(duration, Duration::from_millis(ms), "{text}");
        assert_eq!(show(duration), shown, "{text}");
    }

    #[test]
    fn durations_have_a_unit() {
        check("500ms", 500, "500ms");
        check("20s", 20_000, "20s");
        check("5m", 300_000, "5m");
        check("1h", 3_600_000, "1h");
        check("60s", 60_000, "1m");
        check("90s", 90_000, "90s");
        check("0s", 0, "0s");
        check("0ms", 0, "0s");
        check("007s", 7000, "7s");
    }

    fn check_bad(text: &str) {
        assert_eq!(parse_duration(text), Err(BadDuration), "{text:?}");
    }

    #[test]
    fn anything_else_is_none() {
        check_bad("");
        check_bad("20");
        check_bad("s");
        check_bad("20 s");
        check_bad("-1s");
        check_bad("+1s");
        check_bad("1.5s");
        check_bad("1d");
        check_bad("1S");
        check_bad("1s ");
        check_bad("1h30m");
        check_bad("99999999999999999999s");
        check_bad("18446744073709551615s");
    }
}
