//! The session engine: pure, `(state, input, now) → effects`.
//!
//! A [`Session`] runs the rows of the tables for one legacy client. It does no I/O, reads no clock
//! and uses no randomness; the server provides these. It parses JSON only through the values of the
//! tables. [`emulate`] contains the emulations of features that RTM lacks, one file each.

#![warn(missing_docs)]

mod admission;
mod api;
mod client;
mod context;
pub mod dispatch;
pub mod durable;
pub mod emulate;
mod for_others;
mod frames;
mod lanes;
mod names;
pub mod pre_login;
mod requests;
mod run;
mod session;
#[cfg(test)]
mod tests;
mod timers;

pub use admission::{Admission, Existing, LoginAttempt, admit};
pub use api::{Attach, DropReason, Effect, EndReason, Input, SessionContext, SessionLimits, TimerKey};
pub use for_others::{ForOthers, Route};
pub use names::{AppNames, Names, derived_uid};
pub use protocol::event::{Answer, CallRef, Event, Form, LOGIN, Refusal, SocketId};
pub use session::Session;
