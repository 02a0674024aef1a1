//! Who is who: legacy names, their RTM ids, numeric uids, session lines and login tokens.
//!
//! Everything here is a pure function of its arguments; the two secrets (certificate, line key) print nothing.

pub mod access_token;
pub mod account;
pub mod attribute;
pub mod codec;
pub mod line;
pub mod texts;
pub mod token;
pub mod uid;

pub use account::{Account, AppId, BadAccount, ChannelName, MAX_NAME_BYTES, is_whole};
pub use line::{BadLine, Line, LineKey};
pub use token::{TokenError, TokenPolicy};
