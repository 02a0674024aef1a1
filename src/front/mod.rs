//! The fronts: bytes on one side, calls and events on the other. What legacy clients see.

pub mod discovery;
pub mod http;
pub mod tls;
pub mod web;
