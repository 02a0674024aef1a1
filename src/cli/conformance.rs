//! `sigbridge conformance`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use analysis::conformance::{Open, Report, play_folder};
use text_files::read_text;

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::HELP;
use crate::cli::messages::print_error;
use crate::cli::output::data;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ConformanceArgs {
    /// Directory with the evidence traces and open.toml
    #[arg(long, value_name = "DIR", default_value = "fixtures/traces")]
    traces: PathBuf,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Write the report to this file instead of standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "check")]
    output: Option<PathBuf>,
    /// Fail if the file differs from the generated report
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// Replays the traces and prints the report.
pub fn run(args: &ConformanceArgs) -> Exit {
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => Arc::new(tables),
        Err(exit) => return exit,
    };
    let exercised = match play_folder(&tables, &args.traces) {
        Ok(exercised) => exercised,
        Err(error) => return unreadable(error),
    };
    let open = match Open::beside(&args.traces) {
        Ok(open) => open,
        Err(error) => return unreadable(error),
    };
    let report = Report::of(&tables, &exercised, &open);
    let open_list_errors = report.open_list_errors(&open);
    open_list_errors
        .iter()
        .for_each(|complaint| print_error(complaint, None));
    let text = report.text(&tables);
    let exit = if open_list_errors.is_empty() {
        Exit::Ok
    } else {
        Exit::Failed
    };
    if let Some(path) = &args.check {
        match read_text(path) {
            Ok(written) if written == text => {}
            Ok(_) => {
                let hint = format!("sigbridge conformance -o {}", path.display());
                print_error(format_args!("{} is stale", path.display()), Some(&hint));
                return Exit::Failed;
            }
            Err(error) => {
                print_error(format_args!("cannot read {}: {error}", path.display()), None);
                return Exit::Failed;
            }
        }
    } else if let Some(path) = &args.output {
        if let Err(error) = write_beside(path, &text) {
            print_error(format_args!("cannot write {}: {error}", path.display()), None);
            return Exit::Failed;
        }
    } else {
        return data(&text, exit);
    }
    exit
}

fn unreadable(error: impl Into<anyhow::Error>) -> Exit {
    print_error(format_args!("{:#}", error.into()), None);
    Exit::Unreadable
}

/// Writes to a temporary file and renames, so that readers never see a partial file.
fn write_beside(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}
