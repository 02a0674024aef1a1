//! A legacy client with a connection: [`protocol::client`] is the client without one.

mod connection;
mod link;

pub use connection::{Connection, ConnectionError};
pub use link::{LinkError, TCP_SCHEME};
