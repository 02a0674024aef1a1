//! The service against a real Redis.

mod cluster;
mod failures;
mod figures;
mod model;
mod process_kills;
mod server;
mod upstream;
mod versions;
