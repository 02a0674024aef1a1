//! Table files as they are written, with places: the reader's half of the compiler.
//!
//! Nothing is understood here but the shape: which keys there are and of which kind. Every unknown key is an error.

mod profile;
mod row;
mod tables;
mod wire;

pub use profile::{RawProfile, read_profiles};
pub use row::{RawAnswer, RawExample, RawExpect, RawGather, RawLet, RawOutcome, RawPage, RawRow, RawStep};
pub use tables::{RawCode, RawFail, RawFile, RawPlatform, RawSignature};
pub use wire::{RawEvent, RawFunction, RawWire};

use std::time::Duration;

/// A time as tables write it: `20s`, `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is no time; write `20s` or `500ms`");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().map_err(|_| bad())?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(n)),
        "s" => Ok(Duration::from_secs(n)),
        _ => Err(bad()),
    }
}
