//! Who is who: legacy names, their RTM ids, numeric uids, session lines and login tokens.
//!
//! Everything here is a pure function of its arguments; the two secrets (certificate, line key) print nothing.

pub mod access_token;
pub mod account;
pub mod attribute;
pub mod codec;
pub mod line;
pub mod lossy_codec;
pub mod token;
pub mod uid;

pub use account::{Account, ChannelName, is_whole};
pub use line::{BadLine, Line, LineKey};
pub use rtm::{AppId, BadName, MAX_NAME_BYTES};
pub use token::{TokenError, TokenPolicy};
