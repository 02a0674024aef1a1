//! What each entry of the comparison pages becomes here, and what shows it: examples, traces of real sessions, the
//! vendor's own SDKs.
//!
//! A pair of an id and a platform is exercised when a session has used its row whose client is of a family of that
//! platform and whose upstream spoke that platform's words. What a session has used is found out by playing its trace,
//! not by the trace's name.

mod exercised;
mod folder;
mod open;
mod report;
mod text;

pub use exercised::{Exercised, families};
pub use folder::{Unplayed, play_folder};
pub use open::{BadOpen, Open, OpenPair};
pub use report::{Entry, Report, Section, Totals};
