//! `sigbridge doctor`: the way to RTM of a sidecar that serves, step by step.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Config, reachable};
use crate::diagnostics::Finding;

use crate::cli::Exit;
use crate::cli::config::load;
use crate::cli::exit::{HELP, print_error};
use crate::cli::output::data;

/// Longer than two login timeouts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hint for a missing config file.
const NO_CONFIG: &str = "pass the config of the running sidecar: this command connects to its [admin] listen";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DoctorArgs {
    /// Config file of the running sidecar; requires `[admin] listen`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// App ID, if the config has several apps
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the diagnostics and prints each step's result.
pub fn run(args: &DoctorArgs) -> Exit {
    let config = match load(&args.config, Config::load, NO_CONFIG) {
        Ok(config) => config,
        Err(error) => return error.print(),
    };
    let Some(listen) = config.admin.listen else {
        let hint = "add [admin] listen = \"127.0.0.1:9001\" and restart the sidecar";
        print_error("[admin] listen is not configured", Some(hint));
        return Exit::Usage;
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(format_args!("cannot start the runtime: {error}"), None);
            return Exit::Failed;
        }
    };
    match runtime.block_on(ask(listen, config.admin.token.as_ref(), args.app.as_deref())) {
        Ok(findings) => {
            let all_ok = findings.iter().all(|finding| finding.ok);
            data(
                &shown(&findings, args.json),
                if all_ok { Exit::Ok } else { Exit::Failed },
            )
        }
        Err(error) => {
            let hint = format!(
                "check that `sigbridge serve --config {}` is running",
                args.config.display()
            );
            print_error(format_args!("{error:#}"), Some(&hint));
            Exit::Failed
        }
    }
}

async fn ask(listen: SocketAddr, token: Option<&SecretString>, app: Option<&str>) -> anyhow::Result<Vec<Finding>> {
    let admin = reachable(listen);
    let stream = TcpStream::connect(admin).await;
    let stream = stream.with_context(|| format!("cannot connect to the admin address {admin}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let query = app.map(|app| format!("?app={}", utf8_percent_encode(app, NON_ALPHANUMERIC)));
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("/doctor{}", query.unwrap_or_default()))
        .header("host", admin.to_string());
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let response = timeout(PATIENCE, sender.send_request(request)).await;
    let response = response.context("the sidecar did not answer")??;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status != StatusCode::OK {
        bail!("{}", String::from_utf8_lossy(&body).trim());
    }
    serde_json::from_slice(&body).context("unexpected response; the sidecar may have another version")
}

fn shown(findings: &[Finding], json: bool) -> String {
    if json {
        return serde_json::to_string_pretty(findings).unwrap_or_default() + "\n";
    }
    let mut text = String::new();
    for finding in findings {
        let mark = if finding.ok { "ok  " } else { "FAIL" };
        text.push_str(&format!("{mark}  {:<8} {}\n", finding.step, finding.found));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("      hint: {hint}\n"));
        }
    }
    text
}
