//! `sigbridge check`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::check::mutate;
use crate::check::mutate::MutationReport;
use crate::check::{Counts, check_sources};
use crate::config::Config;
use tables::diagnostics::{Diag, Diags, Source};
use tables::{Tables, compile, embedded, from_dir};
use text_files::Unreadable;

use crate::cli::exit::{HELP, Trouble, tell};
use crate::cli::output::{Data, message};
use crate::cli::{Exit, color};

/// What `check` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CheckArgs {
    /// Tables to check instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// A config file to check as well
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change every value of the tables as well, one at a time, and count what the examples do not notice; takes a
    /// while
    #[arg(long)]
    mutations: bool,
    /// Name the changes that nothing notices; implies --mutations
    #[arg(long)]
    survivors: bool,
    /// Print one JSON object: the counts, and every error with its file, line and column
    #[arg(long)]
    json: bool,
}

/// Checks, and prints what was checked, or everything that is wrong.
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
                print_json(&mut out, &wrong, None, None);
                return out.end(Exit::Usage);
            }
            Err(unreadable) => {
                tell(&unreadable, tables_hint(&unreadable));
                return Exit::Usage;
            }
        },
    };
    let (counts, diags) = check_sources(&sources);
    wrong.extend(diags);
    let mut out = Data::new();
    if args.json {
        let report = mutations(args, &sources, &wrong, &out);
        print_json(&mut out, &wrong, Some(&counts), report.as_ref());
    } else if wrong.is_empty() {
        print_counts(&mut out, &counts);
        if let Some(report) = mutations(args, &sources, &wrong, &out) {
            print_mutations(&mut out, &report, args.survivors);
        }
    } else {
        let plural = if wrong.len() == 1 { "" } else { "s" };
        message(wrong.render(color()));
        message(format_args!("\nerror: {} error{plural} found", wrong.len()));
    }
    out.end(if wrong.is_empty() { Exit::Ok } else { Exit::Usage })
}

/// Changes every value, where that is asked for, the tables are right, and the result has a reader.
fn mutations(args: &CheckArgs, sources: &[Arc<Source>], wrong: &Diags, out: &Data) -> Option<MutationReport> {
    let wanted = (args.mutations || args.survivors) && wrong.is_empty() && !out.is_over();
    wanted.then(|| mutate::run(sources).ok())?
}

fn print_counts(out: &mut Data, counts: &Counts) {
    out.line(format_args!("rows           {}", counts.rows));
    out.line(format_args!(
        "examples       {} ({} runs)",
        counts.examples, counts.runs
    ));
    out.line(format_args!(
        "platform runs  {} ({} not possible there)",
        counts.platform_runs, counts.platform_skips
    ));
}

fn print_mutations(out: &mut Data, report: &MutationReport, survivors: bool) {
    let per_mille = report.survivors.len() * 1000 / report.mutants.max(1);
    out.line(format_args!(
        "mutations      {} ({} do not compile)",
        report.mutants, report.uncompiled
    ));
    out.line(format_args!(
        "survivors      {} ({}.{} %)",
        report.survivors.len(),
        per_mille / 10,
        per_mille % 10
    ));
    if survivors {
        report
            .survivors
            .iter()
            .for_each(|name| out.line(format_args!("  {name}")));
    }
}

fn print_json(out: &mut Data, wrong: &Diags, counts: Option<&Counts>, report: Option<&MutationReport>) {
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
        "mutations": report.map(|report| json!({
            "tried": report.mutants,
            "uncompiled": report.uncompiled,
            "survivors": report.survivors,
        })),
    });
    out.line(format_args!("{shown:#}"));
}

/// Tables of a folder, or the built-in ones.
///
/// # Errors
/// How the command ends, after everything that is wrong was printed.
pub fn load_tables(mappings: Option<&PathBuf>) -> Result<Tables, Exit> {
    read_tables(mappings).map_err(|trouble| trouble.tell())
}

/// The same, and nothing is printed.
///
/// # Errors
/// Everything that is wrong.
pub fn read_tables(mappings: Option<&PathBuf>) -> Result<Tables, Trouble> {
    let sources = match mappings {
        None => embedded(),
        Some(dir) => from_dir(dir).map_err(|unreadable| {
            let hint = tables_hint(&unreadable);
            Trouble::new(Exit::Usage, unreadable.to_string(), hint)
        })?,
    };
    let (tables, diags) = compile(&sources);
    if diags.is_empty() {
        return Ok(tables);
    }
    let hint = "sigbridge check --mappings DIR shows all errors";
    Err(Trouble::new(Exit::Usage, "the tables are wrong", Some(hint)).at(diags))
}

/// What to do where the folder is none of tables.
fn tables_hint(unreadable: &Unreadable) -> Option<&'static str> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(unreadable.source.kind(), NotADirectory | NotFound)
        .then_some("a folder of tables has *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source")
}
