//! Legacy client with a connection; [`protocol::client`] is the I/O-free part.

mod connection;
mod link;

pub use connection::{Connection, ConnectionError};
pub use link::{LinkError, TCP_SCHEME};
