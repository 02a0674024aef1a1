//! The documented API by name: JSON-RPC 2.0 over WebSocket, at one path of the HTTP port.
//!
//! Methods are the documented calls with their documented arguments, notifications the documented events; which there
//! are is in the tables (`mappings/wire/api.toml` and the signatures). [`rpc`] reads and writes JSON-RPC and knows
//! nothing of Signaling; [`open`] remembers who waits for what; [`speech`] answers, [`hear`] listens, [`blank`] takes the
//! tokens out of what is recorded.

mod decode;
pub mod encode;
mod pending;
mod redact;
mod rpc;

pub use decode::ApiDecoder;
pub use redact::without_tokens;

/// Where on the HTTP port it is.
pub const PATH: &str = "/api";
