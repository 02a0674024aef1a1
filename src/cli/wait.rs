//! `sigbridge wait --ready`: waits for a running sidecar.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hyper::{Method, StatusCode};
use serde_json::Value as Json;
use tokio::time::{Instant, sleep};

use tables::duration::parse_duration;

use crate::cli::Exit;
use crate::cli::admin_client::{self, AdminClient, with_app};
use crate::cli::exit::{Error, HELP, exit_of};

/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(200);
/// Time limit of one request.
const ANSWER: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct WaitArgs {
    /// Wait until new clients are accepted: until GET /readyz answers 200
    #[arg(long, required = true)]
    ready: bool,
    /// Config file of the sidecar; requires `[admin] listen`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Wait for this app only
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = |text: &str| parse_duration(text))]
    timeout: Duration,
}

/// Waits; fails with the last reasons.
pub fn run(args: &WaitArgs) -> Exit {
    exit_of(wait(args).map(|()| Exit::Ok))
}

fn wait(args: &WaitArgs) -> Result<(), Error> {
    let admin = AdminClient::of(&args.config)?;
    let path = with_app("/readyz", args.app.as_deref());
    let reason = admin_client::runtime()?.block_on(async {
        let until = Instant::now() + args.timeout;
        loop {
            let reason = match admin.send(Method::GET, &path, ANSWER).await {
                Ok(answer) if answer.status == StatusCode::OK => return None,
                Ok(answer) => reasons(&answer.text()),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() + PAUSE > until {
                return Some(reason);
            }
            sleep(PAUSE).await;
        }
    });
    let Some(reason) = reason else { return Ok(()) };
    let hint = format!("see `sigbridge doctor --config {}`", args.config.display());
    Err(Error::failed(format_args!("not ready: {reason}")).hint(hint))
}

/// Returns the names of the reasons in an answer.
fn reasons(body: &str) -> String {
    let body: Json = serde_json::from_str(body).unwrap_or_default();
    let reasons = body["reasons"].as_array().into_iter().flatten();
    let names: Vec<&str> = reasons.filter_map(|reason| reason["reason"].as_str()).collect();
    names.join(", ")
}
