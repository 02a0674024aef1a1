//! OpenTelemetry traces of client calls, behind the cargo feature `otel`.
//!
//! [`SessionSpans`] follows inputs and effects of a session, as its recorders do, and makes spans of them: one for each
//! sampled call, and below it one for each RTM call. [`Tracer`] queues spans for the collector. Without the feature or
//! without `[otel] endpoint`, each is one comparison or nothing.
//!
//! Spans have names of the tables and of RTM, the app, the profile and the session number of the log. They have no
//! account, argument, body or token.

#[cfg(feature = "otel")]
mod encode;
#[cfg(feature = "otel")]
mod exporter;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod session;
#[cfg(feature = "otel")]
mod span;
#[cfg(feature = "otel")]
mod tracer;

#[cfg(not(feature = "otel"))]
pub use off::{Begun, SessionSpans, Tracer};
#[cfg(feature = "otel")]
pub use session::SessionSpans;
#[cfg(feature = "otel")]
pub use span::Begun;
#[cfg(feature = "otel")]
pub use tracer::Tracer;

/// A login with its result, for its span.
#[derive(Debug)]
pub struct LoginResult<'l> {
    pub app: &'l str,
    pub profile: &'l str,
    pub session: Option<u64>,
    /// The way to its session.
    pub how: Option<&'static str>,
    /// Reason of the refusal, or `None` for an accepted login.
    pub failure: Option<&'l str>,
}
