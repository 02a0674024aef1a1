//! `sigbridge check`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::config::Config;
use analysis::check::{Counts, check_sources};
use tables::diagnostics::{Diag, Diags, Source};
use tables::{Tables, compile, embedded, from_dir};
use text_files::Unreadable;

use crate::cli::exit::{Error, HELP};
use crate::cli::messages::message;
use crate::cli::messages::print_error;
use crate::cli::output::Data;
use crate::cli::{Exit, color};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CheckArgs {
    /// Mapping tables to check instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Config file to check as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object with the counts and all errors
    #[arg(long)]
    json: bool,
}

/// Runs the checks; prints counts, or all errors.
pub fn run(args: &CheckArgs) -> Exit {
    let mut wrong = Diags::new();
    if let Some(path) = &args.config
        && let Err(diags) = Config::load(path)
    {
        wrong.extend(diags);
    }
    let sources = match &args.mappings {
        None => embedded(),
        Some(dir) => match from_dir(dir) {
            Ok(sources) => sources,
            Err(unreadable) if args.json => {
                let nowhere = Source::new(unreadable.path.display().to_string(), "").span(0..0);
                let diag = Diag::new(&nowhere, unreadable.to_string());
                wrong.push(match tables_hint(&unreadable) {
                    Some(hint) => diag.help(hint),
                    None => diag,
                });
                let mut out = Data::new();
                print_json(&mut out, &wrong, None);
                return out.end(Exit::Usage);
            }
            Err(unreadable) => {
                print_error(&unreadable, tables_hint(&unreadable));
                return Exit::Usage;
            }
        },
    };
    let (counts, diags) = check_sources(&sources);
    wrong.extend(diags);
    let mut out = Data::new();
    if args.json {
        print_json(&mut out, &wrong, Some(&counts));
    } else if wrong.is_empty() {
        print_counts(&mut out, &counts);
    } else {
        let plural = if wrong.len() == 1 { "" } else { "s" };
        message(wrong.render(color()));
        message(format_args!("\nerror: {} error{plural} found", wrong.len()));
    }
    out.end(if wrong.is_empty() { Exit::Ok } else { Exit::Usage })
}

fn print_counts(out: &mut Data, counts: &Counts) {
    out.line(format_args!("rows           {}", counts.rows));
    out.line(format_args!(
        "examples       {} ({} runs)",
        counts.examples, counts.runs
    ));
    out.line(format_args!(
        "platform runs  {} ({} skipped)",
        counts.platform_runs, counts.platform_skips
    ));
}

fn print_json(out: &mut Data, wrong: &Diags, counts: Option<&Counts>) {
    let errors = wrong.iter().map(|diag| {
        let (line, column) = diag.span().position();
        json!({
            "file": diag.span().source().name,
            "line": line,
            "column": column,
            "message": diag.title(),
            "help": diag.help_text(),
        })
    });
    let shown = json!({
        "ok": wrong.is_empty(),
        "errors": errors.collect::<Vec<_>>(),
        "counts": counts.filter(|_| wrong.is_empty()).map(|counts| json!({
            "rows": counts.rows,
            "examples": counts.examples,
            "runs": counts.runs,
            "platformRuns": counts.platform_runs,
            "platformSkips": counts.platform_skips,
        })),
    });
    out.line(format_args!("{shown:#}"));
}

/// Loads the tables of a directory, or the built-in ones, and prints errors.
///
/// # Errors
/// The exit code; all errors were printed.
pub fn load_tables(mappings: Option<&PathBuf>) -> Result<Tables, Exit> {
    read_tables(mappings).map_err(|error| error.print())
}

/// Loads the tables without printing errors.
///
/// # Errors
/// All errors of the tables.
pub fn read_tables(mappings: Option<&PathBuf>) -> Result<Tables, Error> {
    compile_tables(&read_sources(mappings)?)
}

/// Reads the files of the tables.
///
/// # Errors
/// An unreadable file.
pub fn read_sources(mappings: Option<&PathBuf>) -> Result<Vec<Arc<Source>>, Error> {
    match mappings {
        None => Ok(embedded()),
        Some(dir) => from_dir(dir).map_err(|unreadable| {
            let hint = tables_hint(&unreadable);
            Error::usage(&unreadable).maybe_hint(hint)
        }),
    }
}

/// Compiles tables without printing errors.
///
/// # Errors
/// All errors of the tables.
pub fn compile_tables(sources: &[Arc<Source>]) -> Result<Tables, Error> {
    let (tables, diags) = compile(sources);
    if diags.is_empty() {
        return Ok(tables);
    }
    let hint = "run `sigbridge check --mappings DIR` to list all errors";
    Err(Error::usage("invalid mapping tables").hint(hint).with_diags(diags))
}

/// Returns the hint for a directory without tables.
fn tables_hint(unreadable: &Unreadable) -> Option<&'static str> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(unreadable.source.kind(), NotADirectory | NotFound)
        .then_some("a tables directory holds *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source")
}
