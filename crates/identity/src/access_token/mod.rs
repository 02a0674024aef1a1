//! RTM's own tokens: AccessToken 006 and 007 (upstreams 3.2, 3.3).
//!
//! [`TokenMinter`] makes them for an upstream's logins, [`parse`] takes one apart for people. All integers in them are
//! little-endian; times are UNIX seconds. No legacy client ever gets one.

mod bytes;
mod hash;
mod minter;
mod parse;
mod v006;
mod v007;

pub use minter::{BadProject, Kind, MAX_LIFETIME, Minted, TokenMinter};
pub use parse::{Expected, Parsed, Problem, parse};

/// Of all privileges the only one that RTM asks for: to log in.
mod privilege {
    /// In an AccessToken 006.
    pub const LOGIN_006: u16 = 1000;
    /// In the RTM service of an AccessToken 007.
    pub const LOGIN_007: u16 = 1;
}

#[cfg(test)]
mod tests;
