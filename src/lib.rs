//! sigbridge: legacy Signaling clients on the left, RTM 1.x on the right.
pub mod bridge;
pub mod cli {
    //! The parts of the command line.
    pub mod call;
    pub mod explain;
}
pub mod client;
pub mod config;
pub mod diag;
pub mod explain;
pub mod front;
pub mod ident;
pub mod mapping;
pub mod rtm;
pub mod time;
pub mod toml_read;
pub mod value;
