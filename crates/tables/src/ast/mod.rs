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
