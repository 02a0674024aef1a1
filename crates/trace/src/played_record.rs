//! Records after a replay.

use crate::record::Record;

/// Record after a replay.
#[derive(Clone, Debug, PartialEq)]
pub enum PlayedRecord {
    /// Unchanged record of this line.
    AsRecorded(usize),
    /// New or changed output.
    New(Record),
}
