//! The service against a real Redis.

mod cluster;
mod deaths;
mod model;
mod server;
mod upstream;
