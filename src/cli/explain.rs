//! `sigbridge explain`: the translation of a legacy frame by the tables.

use std::io;
use std::path::PathBuf;

use analysis::explain::explain;
use rtm::AppId;
use tables::Tables;
use text_files::text_from;

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::Error;
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
        Err(error) => error.print(),
    }
}

fn text(args: &ExplainArgs, tables: &Tables) -> Result<String, Error> {
    let Some(wire) = tables.wire(&args.family) else {
        let known: Vec<&str> = tables.wires.iter().map(|wire| &*wire.family).collect();
        let hint = format!("families: {}", known.join(", "));
        return Err(Error::usage(format_args!("unknown client family `{}`", args.family)).hint(hint));
    };
    let vid = match &args.vid {
        None => None,
        Some(vid) => Some(AppId::new(&**vid).map_err(|e| Error::usage(format_args!("--vid: {e}")))?),
    };
    let explanation = explain(tables, wire, &frame(args)?, vid)
        .map_err(|error| Error::new(Exit::BadInput, &error).hint(error.hint()))?;
    if args.json {
        let json = serde_json::to_string_pretty(&explanation).map_err(Error::usage)?;
        return Ok(json + "\n");
    }
    Ok(explanation.to_string())
}

fn frame(args: &ExplainArgs) -> Result<String, Error> {
    if args.frame != "-" {
        return Ok(args.frame.clone());
    }
    text_from(io::stdin().lock(), MAX_FRAME).map_err(|e| Error::usage(format_args!("standard input: {e}")))
}
