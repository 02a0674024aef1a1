//! `sigbridge doctor`: the way to RTM of a sidecar that serves, step by step.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use hyper::{Method, StatusCode};

use crate::diagnostics::Finding;

use crate::cli::Exit;
use crate::cli::admin_client::{self, AdminClient, with_app};
use crate::cli::exit::HELP;
use crate::cli::messages::print_error;
use crate::cli::output::data;

/// Longer than two login timeouts.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let admin = match AdminClient::of(&args.config) {
        Ok(admin) => admin,
        Err(error) => return error.print(),
    };
    let runtime = match admin_client::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return error.print(),
    };
    match runtime.block_on(request(&admin, args.app.as_deref())) {
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

async fn request(admin: &AdminClient, app: Option<&str>) -> anyhow::Result<Vec<Finding>> {
    let answer = admin.send(Method::POST, &with_app("/doctor", app), PATIENCE).await?;
    if answer.status != StatusCode::OK {
        bail!("{}", answer.text().trim());
    }
    serde_json::from_slice(&answer.body).context("unexpected response; the sidecar may have another version")
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
