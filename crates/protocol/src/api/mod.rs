//! The documented API by name: JSON-RPC 2.0 over WebSocket, at one path of the HTTP port.
//!
//! Methods are the documented calls with their documented arguments, notifications the documented
//! events. The tables define them (`mappings/wire/api.toml` and the signatures). [`rpc`] reads and
//! writes JSON-RPC; [`pending`] holds the pending requests. [`encode`] writes responses, [`decode`]
//! reads requests, and [`redact`] removes tokens from recordings.

mod decode;
pub mod encode;
mod pending;
mod redact;
mod rpc;

pub use decode::ApiDecoder;
pub use redact::without_tokens;

/// The path on the HTTP port.
pub const PATH: &str = "/api";
