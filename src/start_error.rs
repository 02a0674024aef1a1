//! Errors at the start.

use std::io;
use std::net::SocketAddr;

use identity::access_token::BadProject;
use rtm::AppId;
use runtime::net;
use tokio::net::TcpListener;

use crate::upstream::RestError;

/// Error at the start of a server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use, not local, or not permitted.
    #[error("cannot listen on {addr}")]
    Bind {
        addr: SocketAddr,
        /// Error of the system.
        source: io::Error,
    },
    /// The tables have no wire for a profile.
    #[error("the tables have no wire for a profile")]
    NoWire,
    /// The mailbox file of an earlier process cannot be read or removed.
    #[error("cannot take up the messages of [mailbox] file")]
    Mailbox(#[source] io::Error),
    /// The folder of traces cannot be created or written.
    #[error("cannot record to [record] folder")]
    Record(#[source] io::Error),
    /// The system has no randomness for the key of session lines.
    #[error("cannot make a key for session lines")]
    Random(#[from] getrandom::Error),
    /// The RESTful API cannot be used.
    #[error("cannot use [upstream.rest]")]
    Rest(#[from] RestError),
    /// The project of an app is invalid for RTM tokens.
    #[error("cannot make tokens of RTM for the app {app}")]
    Token {
        app: AppId,
        /// The reason.
        source: BadProject,
    },
    /// The handlers of signals cannot be installed.
    #[error("cannot handle signals")]
    Signals(#[source] io::Error),
    /// The TLS library cannot be set up.
    #[error("cannot set TLS up")]
    Tls(#[from] rustls::Error),
}

impl StartError {
    /// Binds an address. Returns the listener and its actual address, or the error of the start.
    pub fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), Self> {
        net::bind(addr).map_err(|source| Self::Bind { addr, source })
    }
}
