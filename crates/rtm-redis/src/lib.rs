//! An RTM service on Redis: what the embedded RTM does in one process, for any number of them.
//!
//! A [`Node`](node::Node) is one app at one sidecar, without I/O: it takes calls, gives requests for Redis, takes their answers and the
//! entries of its stream, and gives replies and events. `batch.lua` is the other half: every operation of a request, done at once.
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
pub use link::{Address, ServerInfo, Trouble};
pub use node::records;
pub use script::{SCRIPT, SCRIPT_THAT_FREES, prefix};

pub use upstream::{FoundLine, Peer, RecordKey, RedisConfig, RedisUpstream};
