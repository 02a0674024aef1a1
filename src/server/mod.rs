//! The server around the engine: tasks, timers, sockets, the registry of sessions.
//!
//! A session has one inbox for calls of its sockets, replies and events of RTM, and timers. It passes them one at a
//! time to the pure [`Session`](engine::Session) and executes the effects.

mod authenticate;
mod channel_index;
pub mod connection;
mod connection_limits;
pub mod connection_state;
mod drain;
mod grace_sessions;
pub mod http;
pub mod limit;
mod line_keys;
mod line_search;
mod live_session;
pub mod lookup;
pub mod mailbox_file;
mod message;
pub mod native_listener;
pub mod native_lookup;
pub mod native_transport;
mod offline_mailboxes;
mod pending_logins;
pub mod rates;
mod registry;
mod reloads;
mod replaced_lines;
pub mod run_queue;
pub mod send_queue;
pub mod session_directory;
mod session_inbox;
pub mod session_record;
mod session_start;
mod session_timers;
mod shared_lines;
pub mod source_rate;
mod state;
mod table_set;
mod time_slice;
pub mod tls;
pub mod transport;
pub mod udp;
mod waits;
mod webhook_events;
pub mod websocket;

pub use authenticate::{AuthenticatedLogin, authenticate};
pub use connection_limits::{ConnectionLimits, ConnectionPermit};
pub use drain::Drain;
pub use message::{Login, Message, RecordedFrame, RecordedItem, SocketHandle, Viewer};
pub use pending_logins::{PendingLogin, PendingLogins};
pub use registry::{LoginAttempt, NoSession, SessionHandle, SessionRegistry};
pub use reloads::{ReloadRequest, Reloads};
pub use send_queue::{Closing, Outbound, SlowClientLimits};
pub use session_directory::{ClientView, SessionDirectory, SessionView};
pub use session_inbox::{Inbox, inbox};
pub use session_start::RecordFilter;
pub use state::Server;
pub use table_set::{TableSet, TableSets, TooManyTables};
pub use time_slice::TimeSlice;
