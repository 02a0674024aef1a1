//! `[log]`.

use crate::config::values::value;
use tables::spanned_toml::Table;

/// `[log]`: what lines of the log say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// `accounts`: how lines name accounts. Default `"keep"`.
    pub accounts: Accounts,
    /// `unsafe_dependencies`: whether `RUST_LOG` also opens the debug and trace lines of libraries, which may hold
    /// tokens, message bodies and the secrets of links. Default `false`.
    pub unsafe_dependencies: bool,
}

/// How lines of the log name accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accounts {
    /// `"keep"`: as they are.
    #[default]
    Keep,
    /// `"hash"`: by 12 digits of a keyed hash, the same for the same account.
    Hash,
    /// `"off"`: not at all.
    Off,
}

impl Accounts {
    /// Names as configs write them.
    pub const NAMES: &[(&str, Self)] = &[("keep", Self::Keep), ("hash", Self::Hash), ("off", Self::Off)];
}

pub(super) fn log(table: &mut Table<'_>) -> Log {
    Log {
        accounts: value(table.take_choice("accounts", Accounts::NAMES)).unwrap_or_default(),
        unsafe_dependencies: value(table.take_bool("unsafe_dependencies")).unwrap_or_default(),
    }
}
