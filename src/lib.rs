//! sigbridge: a bridge between legacy Signaling clients and RTM 1.x.
//!
//! The `protocol` crate decodes a client's bytes into calls. A row of the `tables` defines a call's translation to RTM
//! and the handling of RTM events. The I/O-free `engine` runs rows. An RTM backend ([`upstream`]) executes RTM calls,
//! whose vocabulary is the crate `rtm`. The [`server`] owns sockets, tasks and timers.
//!
//! [`check`], [`explain`] and [`client`] are tools on the tables. ARCHITECTURE.md describes the modules, the path of a
//! message and the invariants; docs/tables.md the table format.
//!
//! The library exists for the program and its tests; it has no stable interface.

pub mod admin;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod conformance;
pub mod diagnostics;
pub mod explain;
pub mod log;
pub mod openrpc;
pub mod server;
pub mod startup;
pub mod upstream;
pub mod webhook;
