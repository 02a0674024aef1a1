//! `[log]`.

use crate::config::values::value;
use tables::spanned_toml::Table;

/// `[log]`: content of log lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// `accounts`: form of accounts in log lines. Default `"keep"`.
    pub accounts: Accounts,
    /// `unsafe_dependencies`: whether `RUST_LOG` also enables debug and trace lines of libraries, which may contain
    /// tokens, messages and link secrets. Default `false`.
    pub unsafe_dependencies: bool,
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

pub(super) fn log(table: &mut Table<'_>) -> Log {
    Log {
        accounts: value(table.take_choice("accounts", Accounts::NAMES)).unwrap_or_default(),
        unsafe_dependencies: value(table.take_bool("unsafe_dependencies")).unwrap_or_default(),
    }
}
