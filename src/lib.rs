//! sigbridge: legacy Signaling clients on the left, RTM 1.x on the right, tables in between.
//!
//! A front ([`front`]) turns a client's bytes into calls of rows. A row of the tables ([`mapping`]) says what a call does in
//! RTM, and what becomes of an RTM event; the pure session engine ([`bridge`]) runs it; an upstream ([`upstream`]) answers
//! RTM's calls, whose vocabulary is [`rtm`]. The [`shell`] owns sockets, tasks and timers and carries things between them.
//!
//! [`check`], [`explain`] and [`client`] are tools on top of the tables. ARCHITECTURE.md has the map, the life of a message
//! and what must stay true; docs/tables.md the format of the tables.
//!
//! The library is there for the program and its tests; nothing of it is a stable interface.

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
