//! `sigbridge report`: the migration report of usage files and traces.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use analysis::report::{Day, UsageFile, add_trace, html, report};
use runtime::clock::Clock;
use tables::Tables;
use text_files::text_from;

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::{Error, HELP};
use crate::cli::files::{note_cut, open_trace, trace_files, trace_hint};
use crate::cli::messages::print_error;
use crate::cli::output::data;

/// Longest usage file.
const MAX_FILE: u64 = 256 << 20;

/// Report the remaining legacy clients: builds, calls and inexact translations
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ReportArgs {
    /// Usage files of sidecars (`[admin] usage_file`, ending in .json), trace files, or directories with traces
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// Print one self-contained HTML page
    #[arg(long)]
    html: bool,
    /// Day from which days are counted back, such as 2026-11-27 [default: today]
    #[arg(long, value_name = "DAY", value_parser = |text: &str| Day::try_from(text.to_owned()))]
    today: Option<Day>,
}

pub fn run(args: &ReportArgs) -> Exit {
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    let is_usage = |path: &&PathBuf| path.extension().is_some_and(|end| end == "json");
    let (usage, traces): (Vec<&PathBuf>, Vec<&PathBuf>) = args.paths.iter().partition(is_usage);
    let mut file = UsageFile::default();
    let mut exit = Exit::Ok;
    for path in usage {
        match read(path) {
            Ok(read) => file.merge(read),
            Err(error) => exit = error.print(),
        }
    }
    if !traces.is_empty() {
        let traces: Vec<PathBuf> = traces.into_iter().cloned().collect();
        match add_traces(&mut file, &tables, &traces) {
            Ok(read) if exit == Exit::Ok => exit = read,
            Ok(_) => {}
            Err(failed) => return failed,
        }
    }
    let today = args.today.unwrap_or_else(|| Day::of(Clock::start().now()));
    let report = report(&file, &tables, today);
    let text = if args.html {
        html(&report)
    } else if args.json {
        serde_json::to_string_pretty(&report).map_or_else(|error| error.to_string(), |json| json + "\n")
    } else {
        report.to_string()
    };
    data(&text, exit)
}

fn read(path: &PathBuf) -> Result<UsageFile, Error> {
    let failed = |error: String| Error::new(Exit::Unreadable, format_args!("{}: {error}", path.display()));
    let file = fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let text = text_from(file, MAX_FILE).map_err(|error| failed(error.to_string()))?;
    UsageFile::read(&text).map_err(|error| failed(error).hint("[admin] usage_file names the file of a sidecar"))
}

fn add_traces(file: &mut UsageFile, tables: &Tables, paths: &[PathBuf]) -> Result<Exit, Exit> {
    let mut exit = Exit::Ok;
    for path in trace_files(paths)? {
        match open_trace(&path) {
            Ok(trace) => {
                note_cut(&path, &trace);
                add_trace(file, tables, &trace);
            }
            Err(error) => {
                print_error(format_args!("{}: {error}", path.display()), trace_hint(&path));
                exit = Exit::Unreadable;
            }
        }
    }
    Ok(exit)
}
