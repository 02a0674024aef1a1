//! Traces: what went in and out of sessions, recorded exactly enough to be played again.
//!
//! A trace is JSON Lines: a [`Header`], then [`Record`]s of one timeline (docs/trace.md). [`Tape`] is where a session's
//! task puts what happens; [`Player`] feeds it to the engine again, on a virtual clock. Everything that is not a
//! function of recorded inputs is recorded as one, on the leg `env`: verdicts, lines, names, limits (decisions H12).

pub mod coverage;
pub mod diff;
mod effect;
mod env;
mod frame;
pub mod har;
mod keys;
mod names;
mod player;
mod reader;
mod record;
mod recorder;
mod replay;
mod rtm;
mod tape;
mod writer;

pub use coverage::Coverage;
pub use diff::{Diff, Noise, diff};
pub use env::Begin;
pub use names::{ReadNames, TapedNames};
pub use player::{Impossible, Out, Player};
pub use reader::{Trace, TraceError, read};
pub use record::{Dir, Header, Leg, Record, VERSION};
pub use recorder::Recorder;
pub use replay::{Difference, NoSense, Outcome, replay};
pub use tape::{Sink, Tape};
pub use writer::{Bounds, Health, TraceFile};
