//! Memory sizes in text form.

/// Invalid memory size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a size such as \"64KiB\", \"1MiB\" or \"2GiB\"")]
pub struct BadSize;

/// Parses an integer with a unit: `KiB`, `MiB` or `GiB`.
///
/// # Errors
/// [`BadSize`], also if the bytes exceed the address space.
pub(super) fn parse_size(text: &str) -> Result<usize, BadSize> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(BadSize)?;
    let (digits, unit) = text.split_at(unit_at);
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(BadSize)?;
    let number: usize = digits.parse().map_err(|_| BadSize)?;
    number.checked_mul(*bytes).ok_or(BadSize)
}

/// Formats whole KiB in the shortest form.
pub(super) fn show(bytes: usize) -> String {
    let fits = UNITS
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    let (name, unit) = fits.unwrap_or(&UNITS[UNITS.len() - 1]);
    format!("{}{name}", bytes / unit)
}

/// Largest first.
const UNITS: &[(&str, usize)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, bytes: usize, shown: &str) {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
        assert_eq!(show(bytes), shown, "{text}");
    }

    #[test]
    fn sizes_have_a_unit() {
        check("64KiB", 65_536, "64KiB");
        check("1MiB", 1_048_576, "1MiB");
        check("1024KiB", 1_048_576, "1MiB");
        check("2GiB", 2 << 30, "2GiB");
        check("0KiB", 0, "0KiB");
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "1",
            "KiB",
            "1 MiB",
            "-1MiB",
            "1.5MiB",
            "1MB",
            "1mib",
            "1B",
            "99999999999999999999GiB",
        ] {
            assert_eq!(parse_size(text), Err(BadSize), "{text:?}");
        }
    }
}
