//! `sigbridge call`: a legacy client in a terminal.

mod input;
mod print;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use secrecy::ExposeSecret as _;

use crate::client::{Connection, ConnectionError, TCP_SCHEME};
use protocol::client::repl::ReplInput;
use protocol::client::{LegacyClient, Login, Output, transport};
use tables::Tables;
use tables::profile::Transport;
use tables::wire::Wire;

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::Error;
use crate::cli::output::{NO_ROOM, STDOUT};
use crate::cli::secret;
use print::Printer;

/// Wait for outstanding answers at the end of the input.
const PATIENCE: Duration = Duration::from_secs(10);

const AFTER_HELP: &str = "Each line of the input is a documented Signaling call with its documented arguments:
  messageInstantSend bob 0 \"hi there\"
  messageInstantSend account=bob msg=\"hi there\"
or a function of the wire with its own arguments, or a frame:
  channel_query_num {\"name\":\"room\"}
  [\"ping\",1]
`help` lists the calls, `wait SECONDS` waits, `quit` or the end of the input logs out.
Events and answers go to the standard output, everything else to the other.

Exit codes: 0 done, 1 could not connect, login refused, connection lost or output not written, 64 wrong arguments.";

/// Interactive legacy Signaling client
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct CallArgs {
    /// Account to log in
    #[arg(long)]
    account: String,
    /// URL of the sidecar: ws:// for web and javasdk, tcp:// for native [default: ws://127.0.0.1:8001/ or tcp://127.0.0.1:8003]
    #[arg(long)]
    url: Option<String>,
    /// App ID
    #[arg(long, value_name = "APPID", default_value = "sigbridge")]
    vid: String,
    /// Signaling token; visible to other users of this machine, prefer --token-file
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "_no_need_token",
        hide_default_value = true
    )]
    token: String,
    /// File with the token
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Client family to emulate: web, javasdk or native
    #[arg(long, default_value = "web")]
    family: String,
    /// Print one JSON object for each event and answer
    #[arg(long)]
    json: bool,
}

/// Omits the token.
impl std::fmt::Debug for CallArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallArgs({} as {}, ..)", self.account, self.family)
    }
}

pub fn run(args: &CallArgs) -> Exit {
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => Arc::new(tables),
        Err(exit) => return exit,
    };
    let token = match &args.token_file {
        None => args.token.as_str().into(),
        Some(file) => match secret::read(file) {
            Ok(token) => token.expose_secret().into(),
            Err(error) => return error.print(),
        },
    };
    let login = Login {
        vid: args.vid.as_str().into(),
        account: args.account.as_str().into(),
        token,
    };
    match start(args, tables, login) {
        Ok(()) => Exit::Ok,
        Err(error) => error.print(),
    }
}

fn start(args: &CallArgs, tables: Arc<Tables>, login: Login) -> Result<(), Error> {
    let frames = |wire: &&Arc<Wire>| !wire.documented;
    let Some(wire) = tables.wire(&args.family).filter(frames).cloned() else {
        let known: Vec<&str> = tables.wires.iter().filter(frames).map(|wire| &*wire.family).collect();
        let hint = format!("families: {}", known.join(", "));
        return Err(Error::usage(format_args!("unknown client family `{}`", args.family)).hint(hint));
    };
    let (scheme, default) = match transport(&tables, &wire) {
        Transport::Tcp => (TCP_SCHEME, "tcp://127.0.0.1:8003"),
        Transport::WebSocket | Transport::Api => ("ws://", "ws://127.0.0.1:8001/"),
    };
    let url = args.url.clone().unwrap_or_else(|| default.into());
    if !url.starts_with(scheme) {
        let hint = format!("this client does not support TLS; the default URL is {default}");
        return Err(Error::usage(format_args!("--url requires a {scheme} URL, got {url}")).hint(hint));
    }
    let client = LegacyClient::new(tables, wire, login);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::usage)?;
    runtime.block_on(session(args, &url, client))
}

async fn session(args: &CallArgs, url: &str, client: LegacyClient) -> Result<(), Error> {
    let connection = Connection::login(url, client).await;
    let mut connection = connection.map_err(|error| no_session(&error, url))?;
    let mut printer = Printer::new(args.json);
    printer.notice(&format!(
        "logged in to {url} as {}; `help` lists the calls",
        args.account
    ));
    let outcome = talk(&mut connection, &mut printer).await;
    connection.close().await;
    outcome?;
    printer
        .finish()
        .map_err(|error| Error::failed(format_args!("{STDOUT}: {error}")).hint(NO_ROOM))
}

/// Runs input lines and prints outputs until either ends. After the last line, the client waits for outstanding
/// answers up to a limit, then logs out.
async fn talk(connection: &mut Connection, printer: &mut Printer) -> Result<(), Error> {
    let mut lines = input::lines();
    let mut reading = true;
    // While it reads: until when `wait` waits. After that: how long it has patience.
    let mut until: Option<Instant> = None;
    let mut logout: Option<i64> = None;
    loop {
        if printer.closed() {
            return Ok(());
        }
        let client = connection.client();
        if !reading && logout.is_none() && client.is_logged_in() && client.pending_calls() == 0 {
            let Some(call) = client.catalog().logout().cloned() else {
                return Ok(());
            };
            logout = connection.start(&call, &[]).ok();
            until = Some(Instant::now() + PATIENCE);
        }
        let waiting = until.is_some() && reading;
        tokio::select! {
            output = connection.next() => match output {
                Some(Output::LoggedOut) => return Ok(()),
                // The event that follows the answer to that logout is enough.
                Some(Output::Reply(reply)) if Some(reply.id) == logout && reply.result.is_ok() => {}
                Some(output) => printer.output(&output),
                None if logout.is_some() => return Ok(()),
                None => return Err(lost()),
            },
            line = lines.recv(), if reading && !waiting => match line.map(|line| typed(connection, printer, line)) {
                Some(Next::Line) => {}
                Some(Next::Wait(time)) => until = Some(Instant::now() + time),
                Some(Next::End) | None => {
                    reading = false;
                    until = Some(Instant::now() + PATIENCE);
                }
            },
            () = sleep(until) => match reading {
                true => until = None,
                false => return Ok(()),
            }
        }
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

enum Next {
    Line,
    Wait(Duration),
    End,
}

/// Runs one input line. An invalid line is reported and skipped.
fn typed(connection: &mut Connection, printer: &Printer, line: text_files::Line) -> Next {
    let text = match &line.text {
        Ok(text) => text,
        Err(bad) => {
            printer.refused(line.number, *bad);
            return Next::Line;
        }
    };
    let result = match ReplInput::read(text, connection.client().catalog()) {
        Ok(ReplInput::Empty) => return Next::Line,
        Ok(ReplInput::Quit) => return Next::End,
        Ok(ReplInput::Wait(seconds)) => return Next::Wait(Duration::from_secs(seconds)),
        Ok(ReplInput::Help) => {
            printer.help(&connection.client().catalog().calls());
            return Next::Line;
        }
        Ok(ReplInput::Call { name, args }) => connection.start(&name, &args).map(drop),
        Ok(ReplInput::Function { name, args }) => connection.invoke(&name, args).map(drop),
        Ok(ReplInput::Frame(frame)) => {
            connection.frame(frame);
            Ok(())
        }
        Err(error) => {
            printer.error(&error);
            return Next::Line;
        }
    };
    if let Err(error) = result {
        printer.error(&error);
    }
    Next::Line
}

fn no_session(error: &ConnectionError, url: &str) -> Error {
    let hint: Cow<'static, str> = match error {
        ConnectionError::Connect(_) => "start the sidecar with `sigbridge serve`, or set its address with --url".into(),
        ConnectionError::Refused(reason) => refusal_hint(reason).into(),
        _ => format!("check that {url} is a sidecar").into(),
    };
    Error::failed(format_args!("{url}: {error}")).hint(hint)
}

/// Returns the hint for a reason of `errors.toml`.
fn refusal_hint(reason: &str) -> &'static str {
    match reason {
        "TokenErrorVendor" => {
            "the server does not serve this app ID, or the token is for another one: set --vid to the server's `[auth] app_id`"
        }
        "TokenErrorExpired" => {
            "pass a new token with --token-file; `sigbridge token mint --kind signaling` creates one"
        }
        "timeout" => {
            "RTM did not answer in time: is an agent connected? `sigbridge doctor --config FILE` shows how far the way to \
             RTM goes"
        }
        reason if reason.starts_with("Token") => {
            "pass a token of this account and app ID with --token-file; `sigbridge token verify` decodes it"
        }
        _ => "mappings/errors.toml lists the reasons",
    }
}

fn lost() -> Error {
    let hint = "the same account logged in elsewhere, or the sidecar stopped";
    Error::failed("the server closed the connection").hint(hint)
}
