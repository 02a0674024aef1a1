//! `sigbridge coverage`.

use std::path::PathBuf;

use clap::Args;

use trace::Coverage;

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::HELP;
use crate::cli::files::{note_cut, open_trace, trace_files, trace_hint};
use crate::cli::messages::print_error;
use crate::cli::output::data;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CoverageArgs {
    /// Trace files, or directories with traces
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Fail if a call was refused because of a limitation, or is of an unknown function
    #[arg(long, value_name = "CLASS")]
    deny: Option<Denied>,
    /// Fail if more calls than this were inexact
    #[arg(long, value_name = "N")]
    max_inexact: Option<u64>,
}

/// Class of calls that fails the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Denied {
    Refused,
}

/// Prints one report on all traces. An unreadable trace is reported and skipped.
pub fn run(args: &CoverageArgs) -> Exit {
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    let paths = match trace_files(&args.traces) {
        Ok(paths) => paths,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Ok;
    let mut coverage = Coverage::default();
    let mut counted = 0;
    for path in &paths {
        match open_trace(path) {
            Ok(trace) => {
                note_cut(path, &trace);
                coverage.add(&tables, &trace);
                counted += 1;
            }
            Err(error) => {
                print_error(format_args!("{}: {error}", path.display()), trace_hint(path));
                exit = Exit::Unreadable;
            }
        }
    }
    if counted == 0 {
        return exit;
    }
    let report = coverage.report(&tables);
    let text = if args.json {
        serde_json::to_string_pretty(&report).map_or_else(|error| error.to_string(), |json| json + "\n")
    } else {
        report.to_string()
    };
    let summary = &report.summary;
    let refused = summary.refused + summary.unknown;
    let mut fails = false;
    if args.deny == Some(Denied::Refused) && refused > 0 {
        print_error(
            format_args!("{refused} calls were refused because of a limitation, or unknown"),
            Some("the report lists them under `look at first`"),
        );
        fails = true;
    }
    if let Some(most) = args.max_inexact.filter(|most| summary.inexact > *most) {
        print_error(
            format_args!("{} calls were inexact, more than {most}", summary.inexact),
            Some("the report lists their limitations"),
        );
        fails = true;
    }
    let exit = if fails && exit == Exit::Ok { Exit::Failed } else { exit };
    data(&text, exit)
}
