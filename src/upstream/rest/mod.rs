//! RTM's RESTful API (upstreams 2): what it can do that no SDK can is sending to a channel from outside.
//!
//! [`WithRest`] adds it to another upstream. Nothing is received by it, and it needs no login.

mod client;
mod layer;
mod rate;
mod request;
mod response;

pub use client::ClientError;
pub use layer::WithRest;
