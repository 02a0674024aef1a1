//! Identities: legacy names, their RTM ids, numeric uids, session lines and login tokens.
//!
//! All functions are pure. The two secrets (certificate, session line key) are never printed.

pub mod access_token;
pub mod account;
pub mod attribute;
pub mod codec;
pub mod line;
pub mod lossy_codec;
pub mod token;
pub mod uid;

pub use account::{Account, ChannelName, is_lossless};
pub use line::{BadSessionLine, SessionLine, SessionLineKey};
pub use rtm::{AppId, BadName, MAX_NAME_BYTES};
pub use token::{TokenError, TokenPolicy};
