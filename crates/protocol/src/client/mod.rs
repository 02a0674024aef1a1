//! A legacy client: what the terminal client, tests and the load tool speak to a sidecar with.
//!
//! [`LegacyClient`] is the protocol without a socket, [`Connection`] the same with one. Neither knows a call or an
//! event by name: documented calls become frames, and frames documented events, by the wire tables read backwards.

mod catalog;
mod codec;
mod events;
mod fmt;
mod io;
mod mailbox;
mod native_codec;
mod reconnect;
pub mod repl;
pub mod shell_words;
mod state_machine;
mod synthesized_events;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_native;
mod web_codec;

pub use catalog::{ArgHelp, BadCall, Book, CallHelp};
pub use codec::transport;
pub use events::ClientEvent;
pub use fmt::json_words;
pub use io::{CallError, Login, MAX_OPEN_CALLS, Output, Reply};
pub use state_machine::LegacyClient;
pub use web_codec::MAX_FRAME_BYTES;
pub use web_codec::login_reply;
