//! Traces: what went in and out of sessions, recorded exactly enough to be played again.
//!
//! A trace is JSON Lines: a [`Header`], then [`Record`]s of one timeline (docs/trace.md). [`Tape`] is where a session's
//! task puts what happens; [`Player`] feeds it to the engine again, on a virtual clock. Everything that is not a
//! function of recorded inputs is recorded as one, on the leg `env`: verdicts, lines, names, limits (decisions H12).

mod batch;
pub mod coverage;
pub mod diff;
mod effect;
mod env;
mod expand;
mod frame;
mod happening;
pub mod har;
mod keys;
mod live;
mod names;
mod output;
mod placeholder;
mod player;
mod policy;
mod reader;
mod record;
mod recorder;
mod redact;
mod replay;
mod rtm;
mod schema;
mod spool;
mod tape;
mod used;
mod writer;

pub use batch::Batch;
pub use coverage::Coverage;
pub use diff::{Diff, Noise, Scope, diff};
pub use env::Begin;
pub use happening::Happening;
pub use live::{replay_embedded, replay_upstream};
pub use names::{ReadNames, TapedNames};
pub use output::Bounds;
pub use placeholder::Placeholder;
pub use player::{Impossible, Out, Player};
pub use policy::{Policy, Redaction};
pub use reader::{Trace, TraceError, read, read_as_written, read_unfinished};
pub use record::{Dir, Header, Leg, Record, VERSION};
pub use recorder::Recorder;
pub use redact::Redactor;
pub use replay::{Difference, NoSense, Outcome, PlayedRecord, PlayedSession, Watch, replay, replay_watched};
pub use schema::schema;
pub use tape::{Sink, Tape};
pub use used::Used;
pub use writer::Health;
