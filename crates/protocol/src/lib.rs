//! Codecs of the legacy wires, between bytes and calls or events.
//!
//! The wires are [`web`], [`native`] and [`api`]. [`decoder`] and [`encoder`] are their common interfaces, and
//! [`client`] is the client side.

pub mod api;
pub mod args;
pub mod client;
pub mod decoder;
pub mod encoder;
mod encoders;
pub mod event;
mod frame;
pub mod known_names;
mod line_encoder;
pub mod memory_budget;
pub mod message_line;
pub mod native;
mod reply;
pub mod web;

pub use encoders::encoders;
pub use frame::{ClientFrame, login_field, login_text, without_token};
