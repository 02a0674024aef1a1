//! For the operator: counters, health.

mod admin;
mod guard;
mod metrics;
mod readiness;
mod usage;

pub use admin::serve_admin;
pub use metrics::Metrics;
pub use readiness::{NotReady, Started, not_ready};
pub use usage::Usage;
