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
