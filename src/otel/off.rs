//! The same interface in a build without the feature: nothing is traced.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use engine::{Effect, Input};
use protocol::event::{CallRef, SocketId};
use rtm::AppId;
use tables::Tables;

use crate::admin::Metrics;
use crate::config::Otel;
use crate::otel::LoginResult;
use runtime::clock::Clock;

/// Begin of a traced span. There are none.
pub type Begun = Infallible;

/// Source of spans.
#[derive(Debug, Default)]
pub struct Tracer;

impl Tracer {
    /// Returns a tracer without effect.
    ///
    /// # Errors
    /// None.
    pub fn start(_: &Otel, _: Clock, _: &Arc<Metrics>) -> Result<Self, rustls::Error> {
        Ok(Self)
    }

    pub fn begin(&self) -> Option<Begun> {
        None
    }

    pub fn login(&self, _: Begun, _: &LoginResult<'_>) {}

    pub async fn finish(&self, _: Duration) {}
}

/// Spans of a session.
#[derive(Debug)]
pub struct SessionSpans;

impl SessionSpans {
    pub fn new(_: &Arc<Tracer>, _: &AppId, _: u64) -> Self {
        Self
    }

    pub fn are_on(&self) -> bool {
        false
    }

    pub fn set_profile(&mut self, _: &str) {}

    pub fn input(&mut self, _: &Tables, _: &Input, _: impl Fn(SocketId) -> Option<Begun>) {}

    pub fn effect(&mut self, _: &Tables, _: &Effect, _: impl Fn(u64) -> Option<CallRef>) {}

    pub fn settle(&mut self, _: impl Fn(CallRef) -> bool) {}

    pub fn end(&mut self) {}
}
