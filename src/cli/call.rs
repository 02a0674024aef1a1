//! `sigbridge call`: a legacy client in a terminal.

mod input;
mod print;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::{Connection, ConnectionError, LegacyClient, Line, Login, Output, TCP_SCHEME, transport};
use crate::mapping::profile::Transport;
use crate::mapping::wire::Wire;
use crate::mapping::{Tables, compile, from_dir};
use crate::value::Text;

use print::Printer;

use super::exit::tell;
use super::output::{NO_ROOM, STDOUT};

/// There is no connection, or no more, or the login was refused; or the output cannot be written.
const NO_SESSION: u8 = 1;
/// An argument is wrong (sysexits' EX_USAGE).
const USAGE: u8 = 64;
/// How long answers are waited for at the end of the input.
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

/// Speaks legacy Signaling from a terminal.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct CallArgs {
    /// The account to log in.
    #[arg(long)]
    account: String,
    /// The sidecar: ws:// for web and javasdk, tcp:// for native [default: ws://127.0.0.1:8001/ or tcp://127.0.0.1:8003].
    #[arg(long)]
    url: Option<String>,
    /// The app id.
    #[arg(long, value_name = "APPID", default_value = "sigbridge")]
    vid: String,
    /// The signaling token; other users of this machine can read it, see --token-file.
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "_no_need_token",
        hide_default_value = true
    )]
    token: String,
    /// A file that holds the token.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Read the tables of this folder instead of the built-in ones.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// The client family to speak as: web, javasdk or native.
    #[arg(long, default_value = "web")]
    family: String,
    /// Print one JSON object for each event and answer.
    #[arg(long)]
    json: bool,
}

/// Prints no token.
impl std::fmt::Debug for CallArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallArgs({} as {}, ..)", self.account, self.family)
    }
}

/// Runs the command.
pub fn run(args: &CallArgs) -> ExitCode {
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure.error, failure.hint.as_deref());
            ExitCode::from(failure.code)
        }
    }
}

struct Failure {
    code: u8,
    error: String,
    hint: Option<String>,
}

fn usage(error: impl Into<String>, hint: Option<String>) -> Failure {
    Failure {
        code: USAGE,
        error: error.into(),
        hint,
    }
}

fn start(args: &CallArgs) -> Result<(), Failure> {
    let tables = Arc::new(tables(args)?);
    let frames = |wire: &&Arc<Wire>| !wire.documented;
    let Some(wire) = tables.wire(&args.family).filter(frames).cloned() else {
        let known: Vec<&str> = tables.wires.iter().filter(frames).map(|wire| &*wire.family).collect();
        let hint = format!("families: {}", known.join(", "));
        return Err(usage(
            format!("there is no wire of the family `{}`", args.family),
            Some(hint),
        ));
    };
    let (scheme, default) = match transport(&tables, &wire) {
        Transport::Tcp => (TCP_SCHEME, "tcp://127.0.0.1:8003"),
        Transport::WebSocket | Transport::Api => ("ws://", "ws://127.0.0.1:8001/"),
    };
    let url = args.url.clone().unwrap_or_else(|| default.into());
    if !url.starts_with(scheme) {
        let hint = format!("this client speaks no TLS; the default is {default}");
        return Err(usage(format!("--url takes a {scheme} URL, got {url}"), Some(hint)));
    }
    let token = match &args.token_file {
        None => args.token.clone(),
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|e| usage(format!("{}: {e}", file.display()), None))?;
            text.trim().into()
        }
    };
    let login = Login {
        vid: args.vid.as_str().into(),
        account: args.account.as_str().into(),
        token: token.into(),
    };
    let client = LegacyClient::new(tables, wire, login);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| usage(e.to_string(), None))?;
    runtime.block_on(session(args, &url, client))
}

fn tables(args: &CallArgs) -> Result<Tables, Failure> {
    let wrong = Some("`sigbridge check` shows all that is wrong with tables".to_string());
    let Some(dir) = &args.mappings else {
        return Tables::built_in().map_err(|diags| usage(diags.to_string(), wrong));
    };
    let sources = from_dir(dir).map_err(|e| usage(format!("{}: {e}", dir.display()), None))?;
    let (tables, diags) = compile(&sources);
    diags.or_ok(tables).map_err(|diags| usage(diags.to_string(), wrong))
}

async fn session(args: &CallArgs, url: &str, client: LegacyClient) -> Result<(), Failure> {
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
    printer.finish().map_err(|error| Failure {
        code: NO_SESSION,
        error: format!("{STDOUT}: {error}"),
        hint: Some(NO_ROOM.into()),
    })
}

/// Lines in, outputs out, until one of both ends.
async fn talk(connection: &mut Connection, printer: &mut Printer) -> Result<(), Failure> {
    let mut lines = input::lines();
    let mut reading = true;
    let mut until: Option<Instant> = None;
    loop {
        // After the last line: the logout, once everything is answered or patience is over.
        if !reading && connection.client().open_calls() == 0 {
            match connection.client().book().logout().cloned() {
                Some(logout) if !printer.closed() => return log_out(connection, printer, &logout).await,
                _ => return Ok(()),
            }
        }
        let waiting = until.is_some() && reading;
        tokio::select! {
            output = connection.next() => match output {
                Some(Output::LoggedOut) => return Ok(()),
                Some(output) => printer.output(&output),
                None => return Err(lost()),
            },
            line = lines.recv(), if reading && !waiting => match line {
                Some(line) => match typed(connection, printer, &line) {
                    Next::Line => {}
                    Next::Wait(time) => until = Some(Instant::now() + time),
                    Next::End => reading = false,
                },
                None => reading = false,
            },
            () = sleep(until) => {
                until = None;
                if !reading {
                    return Ok(());
                }
            }
        }
        if printer.closed() {
            reading = false;
        }
        if !reading && until.is_none() {
            until = Some(Instant::now() + PATIENCE);
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

/// One line of the input. What is wrong with it is told, and is no reason to end.
fn typed(connection: &mut Connection, printer: &Printer, line: &str) -> Next {
    let sent = match Line::read(line, connection.client().book()) {
        Ok(Line::Empty) => return Next::Line,
        Ok(Line::Quit) => return Next::End,
        Ok(Line::Wait(seconds)) => return Next::Wait(Duration::from_secs(seconds)),
        Ok(Line::Help) => {
            printer.help(&connection.client().book().calls());
            return Next::Line;
        }
        Ok(Line::Call { name, args }) => connection.start(&name, &args).map(drop),
        Ok(Line::Function { name, args }) => connection.invoke(&name, args).map(drop),
        Ok(Line::Frame(frame)) => {
            connection.frame(frame);
            Ok(())
        }
        Err(error) => {
            printer.error(&error);
            return Next::Line;
        }
    };
    if let Err(error) = sent {
        printer.error(&error);
    }
    Next::Line
}

async fn log_out(connection: &mut Connection, printer: &mut Printer, logout: &Text) -> Result<(), Failure> {
    if connection.start(logout, &[]).is_err() {
        return Ok(());
    }
    let rest = async {
        loop {
            match connection.next().await {
                // The answer to the logout says no more than the event that it makes.
                Some(Output::Reply(reply)) if reply.call == *logout && reply.result.is_ok() => {}
                Some(Output::LoggedOut) | None => return,
                Some(output) => printer.output(&output),
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, rest).await;
    Ok(())
}

fn no_session(error: &ConnectionError, url: &str) -> Failure {
    let hint = match error {
        ConnectionError::Connect(_) => {
            "start the sidecar with `sigbridge serve`, or give its address with --url".into()
        }
        ConnectionError::Refused(reason) if reason.starts_with("Token") => "give a token with --token-file".into(),
        ConnectionError::Refused(_) => "mappings/errors.toml says what each reason means".into(),
        _ => format!("is {url} a sidecar?"),
    };
    Failure {
        code: NO_SESSION,
        error: format!("{url}: {error}"),
        hint: Some(hint),
    }
}

fn lost() -> Failure {
    Failure {
        code: NO_SESSION,
        error: "the server has closed the connection".into(),
        hint: Some("another login of the same account does that, and so does the end of the sidecar".into()),
    }
}
