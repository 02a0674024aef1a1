//! `sigbridge explain`: what the tables make of a legacy frame.

use std::io;
use std::path::PathBuf;

use crate::explain::explain;
use rtm::AppId;
use tables::Tables;
use text_files::text_from;

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::tell;
use crate::cli::output::data;

/// Longest accepted frame in bytes; equals the server's limit.
const MAX_FRAME: u64 = 64 * 1024;

/// Explain a legacy frame: its row, the path of each value, the RTM calls and the possible results
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 explained, 1 write error, 64 invalid arguments or tables, 65 no row handles the frame."
)]
pub struct ExplainArgs {
    /// Frame as JSON text, e.g. '["call2",["user_logout",1,{"line":"l"}]]'; `-` reads standard input
    frame: String,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Client family of the frame: web, javasdk or native
    #[arg(long, default_value = "web")]
    family: String,
    /// App ID for the derivation of uids; without it, uids are shown as paths
    #[arg(long, value_name = "APPID")]
    vid: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ExplainArgs) -> Exit {
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    match text(args, &tables) {
        Ok(text) => data(&text, Exit::Ok),
        Err(failure) => failed(failure),
    }
}

struct Failure {
    exit: Exit,
    error: String,
    hint: Option<String>,
}

impl Failure {
    fn usage(error: String, hint: Option<String>) -> Self {
        Self {
            exit: Exit::Usage,
            error,
            hint,
        }
    }
}

fn failed(failure: Failure) -> Exit {
    tell(failure.error, failure.hint.as_deref());
    failure.exit
}

fn text(args: &ExplainArgs, tables: &Tables) -> Result<String, Failure> {
    let Some(wire) = tables.wire(&args.family) else {
        let known: Vec<&str> = tables.wires.iter().map(|wire| &*wire.family).collect();
        let hint = format!("families: {}", known.join(", "));
        return Err(Failure::usage(
            format!("unknown client family `{}`", args.family),
            Some(hint),
        ));
    };
    let vid = match &args.vid {
        None => None,
        Some(vid) => Some(AppId::new(&**vid).map_err(|e| Failure::usage(format!("--vid: {e}"), None))?),
    };
    let explanation = explain(tables, wire, &frame(args)?, vid).map_err(|error| Failure {
        exit: Exit::BadInput,
        error: error.to_string(),
        hint: Some(error.hint()),
    })?;
    if args.json {
        let json = serde_json::to_string_pretty(&explanation).map_err(|e| Failure::usage(e.to_string(), None))?;
        return Ok(json + "\n");
    }
    Ok(explanation.to_string())
}

fn frame(args: &ExplainArgs) -> Result<String, Failure> {
    if args.frame != "-" {
        return Ok(args.frame.clone());
    }
    text_from(io::stdin().lock(), MAX_FRAME).map_err(|e| Failure::usage(format!("standard input: {e}"), None))
}
