//! An RTM service on Redis, for any number of sidecars.
//!
//! A [`Node`](node::Node) is one app at one sidecar, without I/O. Its inputs are calls, answers and entries of its stream;
//! its outputs are requests for Redis, replies and events. `batch.lua` executes all operations of a request in one step.
//! docs/spec/redis.md describes keys and entries.

mod app;
mod health;
mod link;
pub mod node;
mod script;
mod upstream;
pub mod wire;

pub use app::RecordSink;
pub use health::Health;
pub use link::{Address, RedisFailure, ServerInfo};
pub use node::records;
pub use script::{SCRIPT, SCRIPT_THAT_FREES, Script, prefix, text_of};

pub use upstream::{FoundLine, NodeLease, RecordKey, RedisConfig, RedisUpstream};
