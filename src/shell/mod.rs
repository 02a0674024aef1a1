//! The shell around the engine: tasks, timers, sockets' ends, the register of sessions.
//!
//! A session is one task with one inbox: calls of its sockets, RTM's replies and events, timers. It feeds them to the
//! pure [`Session`](crate::bridge::Session) one at a time and does what comes out.

pub mod doctor;
mod kept;
mod logins;
mod members;
mod message;
mod names;
mod registry;
mod replaced;
mod server;
mod session_task;
mod speech;
mod spool;
mod start;
mod teller;
mod tokens;
mod upstreams;
mod verdict;

pub use crate::clock::Clock;
pub use logins::{PendingLogin, PendingLogins};
pub use message::{Login, Message, Out, Said, SocketHandle};
pub use registry::{Newcomer, NoSession, Registry, SessionHandle};
pub use replaced::Replaced;
pub use server::Server;
pub use speech::{Asked, LineContext, Returned, Speech};
pub use start::{Running, StartError, start};
pub use verdict::{Verdict, verdict};
