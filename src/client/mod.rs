//! A legacy client: what the terminal client, tests and the load tool speak to a sidecar with.
//!
//! [`LegacyClient`] is the protocol without a socket, [`Connection`] the same with one. Neither knows a call or an
//! event by name: documented calls become frames, and frames documented events, by the wire tables read backwards.

mod book;
mod connection;
mod dialect;
mod events;
mod frames;
mod io;
mod line;
mod lines;
mod link;
mod machine;
mod made;
mod mailbox;
mod returns;
mod show;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_native;
mod words;

pub use book::{ArgHelp, BadCall, Book, CallHelp};
pub use connection::{Connection, ConnectionError};
pub use dialect::transport;
pub use events::Told;
pub use frames::MAX_FRAME_BYTES;
pub(crate) use frames::login_reply;
pub use io::{CallError, Login, MAX_OPEN_CALLS, Output, Reply};
pub use line::{BadLine, Line};
pub use link::{LinkError, TCP_SCHEME};
pub use machine::LegacyClient;
pub use show::json_words;
