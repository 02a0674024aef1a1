//! Requests of commands to the admin address of a running sidecar.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Config, reachable};

use crate::cli::config::load;
use crate::cli::exit::Error;

/// Hint for a missing config file.
const NO_CONFIG: &str = "pass the config of the running sidecar: this command connects to its [admin] listen";

/// Selection of a running sidecar.
#[derive(Debug, Args)]
pub struct Sidecar {
    /// Config file of the running sidecar; requires `[admin] listen`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Client of an admin address.
#[derive(Debug)]
pub struct AdminClient {
    addr: SocketAddr,
    token: Option<SecretString>,
    config: PathBuf,
}

impl Sidecar {
    /// Reads the config.
    ///
    /// # Errors
    /// An invalid config, or one without an admin address.
    pub fn client(&self) -> Result<AdminClient, Error> {
        AdminClient::new(&self.config)
    }
}

impl AdminClient {
    fn new(path: &Path) -> Result<Self, Error> {
        let config = load(path, Config::load, NO_CONFIG)?;
        let Some(listen) = config.admin.listen else {
            let hint = "add [admin] listen = \"127.0.0.1:9001\" and restart the sidecar";
            return Err(Error::usage("[admin] listen is not configured").hint(hint));
        };
        Ok(Self {
            addr: reachable(listen),
            token: config.admin.token,
            config: path.to_owned(),
        })
    }

    /// Sends a request and reads JSON.
    ///
    /// # Errors
    /// No sidecar, or its refusal.
    pub fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &str,
        patience: Duration,
    ) -> Result<T, Error> {
        let answered = self.block_on(async {
            let answer = self.ask(method, path, body, patience).await?;
            serde_json::from_slice(&answer).context("unexpected response; the sidecar may have another version")
        });
        answered.map_err(|error| {
            let hint = format!(
                "check that `sigbridge serve --config {}` is running",
                self.config.display()
            );
            let is_refusal = error.downcast_ref::<Refused>().is_some();
            let error = Error::failed(format_args!("{error:#}"));
            if is_refusal { error } else { error.hint(hint) }
        })
    }

    fn block_on<T>(&self, ask: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("cannot start the runtime")?.block_on(ask)
    }

    async fn ask(&self, method: Method, path: &str, body: &str, patience: Duration) -> anyhow::Result<Bytes> {
        let admin = self.addr;
        let stream = TcpStream::connect(admin).await;
        let stream = stream.with_context(|| format!("cannot connect to the admin address {admin}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", admin.to_string());
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
        let response = timeout(patience, sender.send_request(request)).await;
        let response = response.context("the sidecar did not answer")??;
        let status = response.status();
        let body = timeout(patience, response.into_body().collect()).await;
        let body = body.context("the sidecar did not answer in full")??.to_bytes();
        if status != StatusCode::OK {
            bail!(Refused(String::from_utf8_lossy(&body).trim().to_owned()));
        }
        Ok(body)
    }
}

/// Refusal of the sidecar.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);
