//! Admin interface: metrics, readiness, diagnostics.

mod guard;
mod http;
mod metrics;
mod readiness;
mod usage;

pub use http::serve_admin;
pub use metrics::Metrics;
pub use readiness::{NotReady, Started, not_ready};
pub use usage::{Totals, Usage};
