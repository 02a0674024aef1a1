//! RTM's RESTful API (upstreams 2). It can send to a channel without joining it, which no SDK can.
//!
//! [`WithRest`] adds it to another upstream. It receives nothing and needs no login.

mod client;
mod layer;
mod rate;
mod request;
mod response;

pub use client::ClientError;
pub use layer::WithRest;
pub use request::ChannelMessage;
pub use response::Outcome;
