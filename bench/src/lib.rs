//! Benchmarks of sigbridge: a load generator for the legacy Web wire, the contenders, and the suite that compares them.
//!
//! Nothing here depends on the `sigbridge` library. The load generator has its own WebSocket framing ([`ws`]) and its own
//! reading of the wire ([`wire`]), so that it cannot share a fault with the code under test.

pub mod admin;
pub mod client;
pub mod load;
pub mod net;
pub mod process;
pub mod redis;
pub mod stats;
pub mod suite;
pub mod toy;
pub mod wire;
pub mod ws;
