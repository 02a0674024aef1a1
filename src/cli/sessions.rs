//! `sigbridge sessions`, `close` and `log-level`: the sessions and the log of a sidecar that serves.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::Exit;
use crate::cli::admin_client::{AdminClient, runtime};
use crate::cli::exit::{Error, HELP, exit_of, note};
use crate::cli::output::{Data, data};

/// Time limit of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Selection of a running sidecar.
#[derive(Debug, Args)]
struct Sidecar {
    /// Config file of the running sidecar; requires `[admin] listen`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Sidecar {
    fn client(&self) -> Result<Client, Error> {
        let admin = AdminClient::of(&self.config)?;
        Ok(Client {
            admin,
            config: self.config.clone(),
        })
    }
}

/// Client that reads JSON.
struct Client {
    admin: AdminClient,
    config: PathBuf,
}

impl Client {
    fn json(&self, method: Method, path: &str, body: &str, patience: Duration) -> Result<Value, Error> {
        let response = runtime()?.block_on(self.admin.send_body(method, path, body, patience));
        let answer = response.map_err(|error| {
            let serving = format!(
                "check that `sigbridge serve --config {}` is running",
                self.config.display()
            );
            Error::failed(format_args!("{error:#}")).hint(serving)
        })?;
        if answer.status != StatusCode::OK {
            return Err(Error::failed(answer.text().trim()));
        }
        let other = |_| Error::failed("unexpected response; the sidecar may have another version");
        serde_json::from_slice(&answer.body).map_err(other)
    }
}

/// List the sessions of a running sidecar
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SessionsArgs {
    #[command(flatten)]
    sidecar: Sidecar,
    /// Session number, for its details
    #[arg(value_name = "ID")]
    id: Option<u64>,
    /// Account, itself or as `[log] accounts` shows it
    #[arg(long)]
    account: Option<String>,
    /// App ID
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Client profile, such as web or native
    #[arg(long)]
    profile: Option<String>,
    /// Part of the build
    #[arg(long)]
    build: Option<String>,
    /// Client address
    #[arg(long, value_name = "IP")]
    peer: Option<String>,
    /// Channel
    #[arg(long)]
    channel: Option<String>,
    /// Least number of inexact translations
    #[arg(long, value_name = "N")]
    inexact: Option<u64>,
    /// Sessions with a connection (true), or in their grace time (false)
    #[arg(long, value_name = "BOOL")]
    connected: Option<bool>,
    /// Number of sessions to print
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Number of sessions to skip, newest first
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// End sessions of a running sidecar
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CloseArgs {
    #[command(flatten)]
    sidecar: Sidecar,
    /// Session numbers
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
}

/// Print or replace the log filter of a running sidecar
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct LogLevelArgs {
    #[command(flatten)]
    sidecar: Sidecar,
    /// New filter in the form of `RUST_LOG`, such as `info` or `sigbridge=debug`; applies until the end of the process
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
}

/// Prints sessions as a table, newest first.
pub fn run(args: &SessionsArgs) -> Exit {
    exit_of(list(args))
}

fn list(args: &SessionsArgs) -> Result<Exit, Error> {
    let client = args.sidecar.client()?;
    if let Some(id) = args.id {
        let session: Value = client.json(Method::GET, &format!("/sessions/{id}"), "", PATIENCE)?;
        return Ok(data(&indented(&session), Exit::Ok));
    }
    let texts = [
        ("account", &args.account),
        ("app", &args.app),
        ("profile", &args.profile),
        ("build", &args.build),
        ("peer", &args.peer),
        ("channel", &args.channel),
        ("inexact", &args.inexact.map(|n| n.to_string())),
        ("connected", &args.connected.map(|is| is.to_string())),
    ];
    let mut path = format!("/sessions?limit={}&offset={}", args.limit, args.offset);
    for (name, value) in texts {
        if let Some(value) = value {
            path += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }
    let page: Value = client.json(Method::GET, &path, "", PATIENCE)?;
    if args.json {
        return Ok(data(&indented(&page), Exit::Ok));
    }
    let rows = page["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let now = page["now_ms"].as_u64().unwrap_or(0);
    let shown: Vec<Vec<String>> = rows.iter().map(|session| cells(session, now)).collect();
    let end = data(&table(&HEAD, &shown), Exit::Ok);
    let number = |name: &str| page[name].as_u64().unwrap_or(0);
    let (matched, total) = (number("matched"), number("total"));
    note(format_args!(
        "{} of {matched} matching sessions, {total} in all",
        rows.len()
    ));
    Ok(end)
}

/// Columns of the table.
const HEAD: [&str; 10] = [
    "id", "account", "app", "profile", "build", "peer", "channel", "mailbox", "inexact", "age",
];

fn cells(session: &Value, now: u64) -> Vec<String> {
    let text = |name: &str| match &session[name] {
        Value::String(text) => plain(text),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let since = session["since_ms"].as_u64().unwrap_or(now);
    let mut cells: Vec<String> = [
        "id",
        "account",
        "app",
        "profile",
        "build",
        "peer",
        "channel",
        "mailbox_lines",
        "inexact",
    ]
    .iter()
    .map(|name| text(name))
    .collect();
    cells.push(age(now.saturating_sub(since) / 1000));
    cells
}

/// Replaces control characters: clients choose accounts and channels, and a terminal would execute them.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Aligns columns.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|name| name.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut padded = String::new();
        for (cell, width) in cells.zip(&widths) {
            padded += &format!("{cell:<width$}  ");
        }
        text += padded.trim_end();
        text += "\n";
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// Ends sessions.
pub fn close(args: &CloseArgs) -> Exit {
    exit_of(close_all(args))
}

fn close_all(args: &CloseArgs) -> Result<Exit, Error> {
    let client = args.sidecar.client()?;
    let mut out = Data::new();
    let mut exit = Exit::Ok;
    for id in &args.ids {
        match client.json(Method::POST, &format!("/sessions/{id}/close"), "", PATIENCE) {
            Ok(_) => out.line(format_args!("closed {id}")),
            Err(error) => exit = error.print(),
        }
    }
    Ok(out.end(exit))
}

/// Prints the log filter, after a change if one is wanted.
pub fn log_level(args: &LogLevelArgs) -> Exit {
    exit_of(level(args))
}

fn level(args: &LogLevelArgs) -> Result<Exit, Error> {
    let client = args.sidecar.client()?;
    let answer: Value = match &args.filter {
        None => client.json(Method::GET, "/log-level", "", PATIENCE)?,
        Some(filter) => client.json(Method::PUT, "/log-level", filter, PATIENCE)?,
    };
    if answer["limited"] == true {
        note("libraries log at most at level info; [log] unsafe_dependencies = true lifts that");
    }
    let filter = answer["filter"].as_str().unwrap_or_default();
    Ok(data(&format!("{filter}\n"), Exit::Ok))
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_executes_nothing() {
        let session = serde_json::json!({
            "id": "7", "account": "\u{1b}[2Jé", "app": "a", "profile": "web", "build": "JS", "peer": "::1",
            "channel": null, "mailbox_lines": 3, "inexact": 0, "since_ms": 1000,
        });
        let shown = table(&HEAD, &[cells(&session, 241_000)]);
        assert_eq!(
            shown,
            "id  account  app  profile  build  peer  channel  mailbox  inexact  age\n\
             7   \u{fffd}[2Jé    a    web      JS     ::1   -        3        0        4m\n"
        );
    }
}
