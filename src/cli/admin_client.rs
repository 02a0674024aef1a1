//! Requests to the admin address of a running sidecar.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Config, reachable};

use crate::cli::config::load;
use crate::cli::exit::Error;

/// Hint for a missing config file.
const NO_CONFIG: &str = "pass the config of the running sidecar: this command connects to its [admin] listen";

/// Client of one admin address.
#[derive(Debug)]
pub struct AdminClient {
    address: SocketAddr,
    token: Option<SecretString>,
}

/// Answer to a request.
#[derive(Debug)]
pub struct AdminAnswer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl AdminAnswer {
    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl AdminClient {
    /// Creates a client for the sidecar with this config.
    ///
    /// # Errors
    /// Errors of the config; a config without an admin address.
    pub fn of(config: &Path) -> Result<Self, Error> {
        let config = load(config, Config::load, NO_CONFIG)?;
        let Some(listen) = config.admin.listen else {
            let hint = "add [admin] listen = \"127.0.0.1:9001\" and restart the sidecar";
            return Err(Error::usage("[admin] listen is not configured").hint(hint));
        };
        Ok(Self {
            address: reachable(listen),
            token: config.admin.token,
        })
    }

    /// Sends a request without a body; waits at most `patience` for the answer.
    ///
    /// # Errors
    /// No connection, or no answer in time.
    pub async fn send(&self, method: Method, path: &str, patience: Duration) -> anyhow::Result<AdminAnswer> {
        self.send_body(method, path, "", patience).await
    }

    /// Sends a request with a body; waits at most `patience` for the answer.
    ///
    /// # Errors
    /// No connection, or no answer in time.
    pub async fn send_body(
        &self,
        method: Method,
        path: &str,
        body: &str,
        patience: Duration,
    ) -> anyhow::Result<AdminAnswer> {
        let admin = self.address;
        let answer = timeout(patience, self.exchange(method, path, body));
        let answer = answer.await.context("the sidecar did not answer");
        answer?.with_context(|| format!("cannot connect to the admin address {admin}"))
    }

    async fn exchange(&self, method: Method, path: &str, body: &str) -> anyhow::Result<AdminAnswer> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string());
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
        }
        let response = sender
            .send_request(request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?)
            .await?;
        Ok(AdminAnswer {
            status: response.status(),
            body: response.into_body().collect().await?.to_bytes(),
        })
    }
}

/// Adds an App ID to a path.
pub fn with_app(path: &str, app: Option<&str>) -> String {
    let query = app.map(|app| format!("?app={}", utf8_percent_encode(app, NON_ALPHANUMERIC)));
    format!("{path}{}", query.unwrap_or_default())
}

/// Creates a runtime for one command.
///
/// # Errors
/// An I/O error.
pub fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::failed(format_args!("cannot start the runtime: {error}")))
}
