//! Conformance report: the mapping of each entry of the comparison pages, with its evidence from examples, traces of
//! real sessions and the vendor's SDKs.
//!
//! A session exercises a pair of an ID and a platform if it used a row of that ID, its client is of a family of that
//! platform, and its upstream used that platform's vocabulary. A replay of the trace determines this, not the trace's
//! name.

mod exercised;
mod folder;
mod open;
mod report;
mod text;

pub use exercised::{Exercised, families};
pub use folder::{Unplayed, play_folder};
pub use open::{BadOpen, Open, OpenPair};
pub use report::{Entry, Report, Section, Totals};
