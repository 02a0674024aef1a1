//! RTM backends: each takes an [`RtmCall`](rtm::RtmCall) and returns a reply and events.

mod embedded;
pub mod rest;
pub mod rtm_tokens;
mod start;

pub use agent_link::connect::DialError;
pub use embedded::EmbeddedUpstream;
pub use rest::{ClientError as RestError, WithRest};
pub use rtm::upstream::{ClientKey, EventSink, Upstream, UpstreamEvent};
pub use start::{Upstreams, embedded_config, start_upstreams};
