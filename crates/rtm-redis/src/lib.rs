//! An RTM service on Redis: what the embedded RTM does in one process, for any number of them.
//!
//! A [`Node`](node::Node) is one app at one sidecar, without I/O: it takes calls, gives requests for Redis, takes their answers and the
//! entries of its stream, and gives replies and events. `batch.lua` is the other half: every operation of a request, done at once.
//! docs/spec/redis.md describes keys and entries.

pub mod node;
mod script;
pub mod wire;

pub use script::{SCRIPT, SCRIPT_THAT_FREES, prefix};
