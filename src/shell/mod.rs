//! The shell around the engine: tasks, timers, sockets' ends, the register of sessions.
//!
//! A session is one task with one inbox: calls of its sockets, RTM's replies and events, timers. It feeds them to the
//! pure [`Session`](crate::bridge::Session) one at a time and does what comes out.

mod channel_rates;
pub mod doctor;
mod entrance;
mod graces;
mod inbox;
mod kept;
mod logins;
mod members;
mod memory;
mod message;
mod names;
pub mod outbound;
mod registry;
mod replaced;
mod server;
mod session_task;
mod speech;
mod spool;
mod start;
mod teller;
mod tokens;
mod turn;
mod upstreams;
mod verdict;

pub use crate::clock::Clock;
pub use entrance::{Entrance, Ticket};
pub use inbox::{Inbox, Outlet, inbox};
pub use logins::{PendingLogin, PendingLogins};
pub use memory::{Held, Holder, Memory};
pub use message::{Login, Message, Said, SocketHandle};
pub use outbound::{Closing, Outbound, Patience};
pub use registry::{Newcomer, NoSession, Registry, SessionHandle};
pub use replaced::Replaced;
pub use server::Server;
pub use speech::{Asked, LineContext, Returned, Speech};
pub use start::{Running, StartError, start};
pub use turn::Turn;
pub use verdict::{Verdict, verdict};
