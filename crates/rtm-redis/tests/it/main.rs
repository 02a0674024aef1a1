//! The service against a real Redis.

mod cluster;
mod failures;
mod figures;
mod kills;
mod model;
mod server;
mod upstream;
