//! Answers of the admin address, one file for each subject.

pub mod console;
pub mod coverage;
pub mod doctor;
pub mod lifecycle;
pub mod live;
pub mod log_level;
pub mod logins;
pub mod nodes;
pub mod probes;
pub mod record;
pub mod recordings;
pub mod sessions;
pub mod tables;
pub mod usage;
