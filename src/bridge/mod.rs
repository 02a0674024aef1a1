//! The session engine: pure, `(state, input, now) → effects`.
//!
//! A [`Session`] runs the rows of the tables for one legacy client. It does no I/O, reads no clock, parses no JSON (the tables'
//! values do, in `mapping`) and uses no randomness; the shell around it does. What RTM lacks is emulated in [`emulate`], a file each.

mod admit;
mod assume;
mod deliver;
pub mod emulate;
mod facts;
mod io;
mod lanes;
mod outcome;
mod requests;
mod run;
mod scope;
mod session;
#[cfg(test)]
mod tests;

pub use admit::{Admission, Existing, Newcomer, admit};
pub use emulate::CODES;
pub use emulate::rate::Bucket;
pub use io::{
    Answer, Attach, CallRef, Effect, Ending, Event, Form, Input, LOGIN, Names, Refusal, SessionContext, SessionLimits,
    SocketId, TimerKey,
};
pub use session::Session;
