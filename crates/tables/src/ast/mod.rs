//! Abstract syntax of the table files, with source positions: the parser of the compiler.
//!
//! Only the shape is checked: known keys and the kinds of their values. Every unknown key is an
//! error.

mod profile;
mod row;
mod tables;
mod wire;

pub use profile::{RawProfile, read_profiles};
pub use row::{RawAnswer, RawExample, RawExpect, RawGather, RawLet, RawOutcome, RawPage, RawRow, RawStep};
pub use tables::{RawCode, RawFail, RawFile, RawPlatform, RawSignature};
pub use wire::{RawEvent, RawFunction, RawWire};

use std::time::Duration;

/// Parses a duration of the tables: `20s`, `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is not a duration; write `20s` or `500ms`");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().map_err(|_| bad())?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(n)),
        "s" => Ok(Duration::from_secs(n)),
        _ => Err(bad()),
    }
}
