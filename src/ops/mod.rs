//! For the operator: counters, health.

mod admin;
mod metrics;
mod usage;

pub use admin::serve_admin;
pub use metrics::Metrics;
pub use usage::Usage;
