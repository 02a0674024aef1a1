//! What answers RTM calls: each kind of upstream takes an [`RtmCall`](crate::rtm::RtmCall) and gives back a reply
//! and events.

pub mod agent;
pub mod embedded;
pub mod host;
pub mod link;
mod local;
mod refusals;
mod rest;
mod service;

pub use link::dial::DialError;
pub use local::LocalUpstream;
pub use rest::{ClientError as RestError, WithRest};
pub use service::{ClientKey, Tell, Told, Upstream};
