//! The service against a real Redis.

mod cluster;
mod deaths;
mod figures;
mod kills;
mod model;
mod server;
mod upstream;
