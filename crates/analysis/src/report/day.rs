//! Calendar days, as `2026-11-27`.

use std::fmt;

use serde::{Deserialize, Serialize};

use rtm::time::Time;

/// Day, counted from 1 January 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(i64);

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Day {
    /// Returns the day of a time.
    pub fn of(time: Time) -> Self {
        Self((time.as_millis() / DAY_MS) as i64)
    }

    /// Returns the days since an earlier one.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Returns the day that is `days` earlier.
    pub fn before(self, days: i64) -> Self {
        Self(self.0 - days)
    }
}

/// Howard Hinnant's algorithm, for the proleptic Gregorian calendar.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<i64>().ok());
        let parsed = match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
            (Some(year @ 0..=9999), Some(month @ 1..=12), Some(day @ 1..=31)) => Some(of_date(year, month, day)),
            _ => None,
        };
        // A day that the month does not have is another day.
        parsed
            .filter(|day| day.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no day such as 2026-11-27"))
    }
}

fn of_date(year: i64, month: i64, day: i64) -> Day {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let march = (month + 9) % 12;
    let of_year = (153 * march + 2) / 5 + day - 1;
    Day(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_and_read() {
        for (number, text) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (20_784, "2026-11-27"),
            (20_819, "2027-01-01"),
        ] {
            assert_eq!(Day(number).to_string(), text);
            assert_eq!(Day::try_from(text.to_owned()), Ok(Day(number)));
        }
        assert!((0..40_000).all(|n| Day::try_from(Day(n).to_string()) == Ok(Day(n))));
        for text in ["2026-02-29", "2026-13-01", "2026-1-1", "yesterday", ""] {
            assert!(Day::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(Day::of(Time::from_millis(DAY_MS * 20_784 + 5)), Day(20_784));
    }
}
