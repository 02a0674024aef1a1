//! A legacy client, used by the terminal client, the tests and the load tool.
//!
//! [`LegacyClient`] is the protocol without a socket, `Connection` in the root package adds the socket.
//! Neither contains names of calls or events. Documented calls become frames, and frames become
//! documented events, by the wire tables in reverse.

mod catalog;
mod codec;
mod events;
mod fmt;
mod io;
mod keepalive;
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

pub use catalog::{ArgHelp, BadCall, CallHelp, Catalog};
pub use codec::transport;
pub use events::ClientEvent;
pub use fmt::json_words;
pub use io::{CallError, Login, MAX_PENDING_CALLS, Output, Reply};
pub use state_machine::LegacyClient;
pub use web_codec::MAX_FRAME_BYTES;
pub use web_codec::login_reply;
