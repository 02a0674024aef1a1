//! Admin interface: metrics, readiness, diagnostics.

mod guard;
mod handlers;
mod http;
mod live;
mod metrics;
mod query;
mod readiness;
mod reply;
mod routes;
mod usage;
mod usage_keeper;

pub use guard::OPEN;
pub use http::{serve_admin, serve_requests};
pub use live::Viewers;
pub use metrics::{Clients, LoginResult, Metrics, OTHER};
pub use readiness::{NotReady, Started, not_ready};
pub use routes::{ROUTES, Route};
pub use usage::{Group, Totals, Usage};
pub use usage_keeper::UsageKeeper;
