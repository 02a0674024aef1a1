//! The service against a real Redis.

mod cluster;
mod model;
mod server;
