//! `sigbridge doctor`: the way to RTM of a sidecar that serves, step by step.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::diagnostics::Finding;

use crate::cli::Exit;
use crate::cli::admin_client::Sidecar;
use crate::cli::exit::{Error, HELP, exit_of};
use crate::cli::output::data;

/// Longer than two login timeouts.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DoctorArgs {
    #[command(flatten)]
    sidecar: Sidecar,
    /// App ID, if the config has several apps
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the diagnostics and prints each step's result.
pub fn run(args: &DoctorArgs) -> Exit {
    exit_of(examine(args))
}

fn examine(args: &DoctorArgs) -> Result<Exit, Error> {
    let app = args.app.as_ref();
    let query = app.map(|app| format!("?app={}", utf8_percent_encode(app, NON_ALPHANUMERIC)));
    let path = format!("/doctor{}", query.unwrap_or_default());
    let findings: Vec<Finding> = args.sidecar.client()?.json(Method::POST, &path, "", PATIENCE)?;
    let all_ok = findings.iter().all(|finding| finding.ok);
    Ok(data(
        &shown(&findings, args.json),
        if all_ok { Exit::Ok } else { Exit::Failed },
    ))
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
