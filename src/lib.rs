//! sigbridge: legacy Signaling clients on the left, RTM 1.x on the right.
pub mod bridge;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod diag;
pub mod explain;
pub mod front;
pub mod ident;
pub mod mapping;
pub mod ops;
pub mod rtm;
pub mod shell;
pub mod time;
pub mod toml_read;
pub mod upstream;
pub mod value;
