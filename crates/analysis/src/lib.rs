//! Tools on tables and recordings, without a server.
//!
//! | module | content |
//! |---|---|
//! | [`check`] | the examples of the tables, run on each platform |
//! | [`explain`] | how a call or an event is translated |
//! | [`conformance`] | the entries of the comparison pages, with evidence from traces |
//! | [`report`] | usage across restarts, and the migration report |
//! | [`openrpc`] | the description of the documented API |

pub mod check;
pub mod conformance;
pub mod explain;
pub mod openrpc;
pub mod report;
