//! Traces: recorded inputs and outputs of sessions, exact enough for a replay.
//!
//! A trace is JSON Lines: a [`Header`], then [`Record`]s of one timeline (docs/trace.md). A session's task records with
//! [`SessionRecorder`]; [`SessionReplay`] feeds a trace to the engine on a virtual clock. External inputs that are not
//! frames are recorded on the leg `env`: login decisions, session lines, names, limits (decisions H12).

mod buffer;
pub mod coverage;
pub mod diff;
mod effect;
mod event;
mod frame;
pub mod har;
mod live;
mod names;
mod output;
mod placeholder;
mod placeholder_expand;
mod played_record;
mod policy;
mod queue;
mod reader;
mod record;
mod recorder;
mod redact;
mod replay;
mod row_usage;
mod rtm_records;
mod schema;
mod session_context;
mod session_recorder;
mod session_replay;
mod timer_name;
mod writer;

pub use buffer::Batch;
pub use coverage::Coverage;
pub use diff::{Diff, Noise, Scope, diff};
pub use event::TraceEvent;
pub use live::{play_embedded, replay_embedded, replay_upstream};
pub use names::{ReadNames, RecordedNames, TraceNames};
pub use output::Bounds;
pub use placeholder::Placeholder;
pub use played_record::PlayedRecord;
pub use policy::{Policy, Redaction};
pub use reader::{Trace, TraceError, read, read_as_written, read_unfinished};
pub use record::{Dir, Header, Leg, Record, VERSION};
pub use recorder::Recorder;
pub use redact::Redactor;
pub use replay::{Difference, InconsistentRecord, Outcome, PlayedSession, Watch, replay, replay_watched};
pub use row_usage::Used;
pub use schema::schema;
pub use session_context::Begin;
pub use session_recorder::{SessionRecorder, Sink};
pub use session_replay::{InvalidRecord, Out, SessionReplay};
pub use writer::Health;
