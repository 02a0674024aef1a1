//! `[log]`.

use crate::config::declare::section;
use crate::config::kinds::{Bool, Choice};

section! {
    /// Log lines, which go to stderr. The environment variable RUST_LOG selects them ("info", "sigbridge=debug").
    pub struct Log("log") derives(PartialEq, Eq) {
        /// Accounts in log lines: "keep", "hash" (12 digits of an HMAC with a key derived from session.line_key_file), or
        /// "off". Without line_key_file the hashes change at each start.
        accounts: Accounts = Accounts::Keep => Choice(Accounts::NAMES), Restart;
        /// Let RUST_LOG enable debug and trace lines of libraries. They may contain tokens, messages and secrets.
        unsafe_dependencies: bool = false => Bool, Restart;
    }
}

/// Form of accounts in log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accounts {
    /// `"keep"`: unchanged.
    #[default]
    Keep,
    /// `"hash"`: 12 digits of a keyed hash.
    Hash,
    /// `"off"`: omitted.
    Off,
}

impl Accounts {
    /// Names in the config.
    pub const NAMES: &[(&str, Self)] = &[("keep", Self::Keep), ("hash", Self::Hash), ("off", Self::Off)];
}
