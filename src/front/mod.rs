//! The fronts: bytes on one side, calls and events on the other. What legacy clients see.

pub mod api;
pub mod args;
mod client;
pub mod discovery;
mod frame;
pub mod hearing;
pub mod http;
mod line;
mod nobody;
pub mod reading;
mod reply;
mod socket;
mod speaking;
mod speeches;
pub mod tcp;
pub mod tls;
pub mod web;

pub use frame::{ClientFrame, login_field, login_text, without_token};
pub use nobody::nobody;
pub use speeches::speeches;
