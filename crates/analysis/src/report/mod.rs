//! Migration report: remaining legacy clients with their builds, calls and inexact translations.
//!
//! A sidecar adds its usage to a [`UsageFile`]. `sigbridge report` reads such files and traces.

mod day;
mod file;
mod from_traces;
mod html;
mod summary;
mod text;

pub use day::Day;
pub use file::{Account, Kind, UsageFile, Use};
pub use from_traces::{add_trace, usage_of};
pub use html::html;
pub use summary::{Report, report};
