//! The documented API by name: JSON-RPC 2.0 over WebSocket, at one path of the HTTP port.
//!
//! Methods are the documented calls with their documented arguments, notifications the documented events; which there
//! are is in the tables (`mappings/wire/api.toml` and the signatures). [`rpc`] reads and writes JSON-RPC and knows
//! nothing of Signaling; [`open`] remembers who waits for what; [`speech`] answers, [`hear`] listens, [`blank`] takes the
//! tokens out of what is recorded.

mod blank;
mod hear;
mod open;
mod rpc;
pub mod speech;

pub use blank::without_tokens;
pub use hear::{ApiEar, ApiReader};

/// Where on the HTTP port it is.
pub const PATH: &str = "/api";
