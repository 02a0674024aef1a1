//! For the operator: counters, health.

mod admin;
mod metrics;

pub use admin::serve_admin;
pub use metrics::Metrics;
