//! RTM's own tokens: AccessToken 006 and 007 (upstreams 3.2, 3.3).
//!
//! [`TokenMinter`] mints them for an upstream's logins, [`parse`] decodes one for display. All
//! integers in them are little-endian; times are UNIX seconds. Legacy clients never receive one.

mod bytes;
mod hash;
mod minter;
mod parse;
mod v006;
mod v007;

pub use minter::{BadProject, Kind, MAX_LIFETIME, Minted, TokenMinter};
pub use parse::{Expected, Parsed, Problem, parse};

/// The numbers of the login privilege, the only privilege that RTM checks.
mod privilege {
    /// In an AccessToken 006.
    pub const LOGIN_006: u16 = 1000;
    /// In the RTM service of an AccessToken 007.
    pub const LOGIN_007: u16 = 1;
}

#[cfg(test)]
mod tests;
