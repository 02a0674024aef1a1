//! sigbridge: a bridge between legacy Signaling clients and RTM 1.x.
//!
//! Modules of this package:
//!
//! | module | content |
//! |---|---|
//! | [`server`] | sockets, sessions, tasks, timers |
//! | [`admin`] | the admin address: metrics, readiness, usage |
//! | [`upstream`] | selection of each app's RTM |
//! | [`webhook`] | notices to the operator's services |
//! | [`otel`] | traces of client calls for a collector |
//! | [`cli`], [`config`] | command line, configuration file |
//! | [`startup`], [`reload`], [`log`] | start of the server, reload, logging |
//! | [`client`] | terminal client |
//!
//! Crates below it:
//!
//! | crate | content |
//! |---|---|
//! | `rtm` | RTM vocabulary: calls, replies, events |
//! | `identity` | names, uids, session lines, tokens |
//! | `tables` | mapping tables and their compiler |
//! | `protocol` | codecs of the legacy wires |
//! | `engine` | the I/O-free session, which runs the rows of the tables |
//! | `rtm-embedded`, `rtm-redis` | RTM services in memory and on Redis |
//! | `agent-link` | link to agent servers |
//! | `trace` | recording and replay of sessions |
//! | `analysis` | check, explain, reports |
//! | `runtime` | clock, back-off, log limits, network |
//! | `text-files` | readers of hand-edited files |
//!
//! ARCHITECTURE.md describes the path of a message and the invariants. docs/tables.md describes the table format.
//!
//! The library exists for the program and its tests; it has no stable interface.

pub mod admin;
pub mod cli;
pub mod client;
pub mod config;
pub mod diagnostics;
pub mod log;
pub mod otel;
pub mod reload;
pub mod server;
mod start_error;
pub mod startup;
pub mod upstream;
pub mod webhook;
