//! The fronts: bytes on one side, calls and events on the other. What legacy clients see.

pub mod api;
pub mod args;
mod client;
pub mod discovery;
mod frame;
pub mod http;
mod line;
pub mod reading;
mod reply;
mod socket;
mod speaking;
mod speeches;
pub mod tcp;
pub mod tls;
pub mod web;

pub use frame::{ClientFrame, decode};
pub use speeches::speeches;
