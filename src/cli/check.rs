//! `sigbridge check`.

use std::path::PathBuf;

use clap::Args;

use crate::check::{check, mutate};
use crate::config::Config;
use crate::diag::Diags;
use crate::mapping::{Tables, compile, embedded, from_dir};

use super::exit::{HELP, Trouble, tell};
use super::output::{Data, message};
use super::{Exit, color};

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
    /// Leave out what takes its time: changing every value of the tables, one at a time, to see that each is found
    #[arg(long)]
    no_mutations: bool,
    /// Name the changes that nothing finds
    #[arg(long)]
    survivors: bool,
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
            Err(error) => {
                tell(
                    format_args!("cannot read the tables in {}: {error}", dir.display()),
                    Some(TABLES_HINT),
                );
                return Exit::Usage;
            }
        },
    };
    let (tables, diags) = compile(&sources);
    let compiled = diags.is_empty();
    wrong.extend(diags);
    // Examples run as far as the tables compiled, so that one run shows all there is to mend.
    let (counts, diags) = check(&tables);
    wrong.extend(diags);
    if wrong.is_empty() && compiled {
        let mut out = Data::new();
        out.line(format_args!("rows           {}", counts.rows));
        out.line(format_args!(
            "examples       {} ({} runs)",
            counts.examples, counts.runs
        ));
        out.line(format_args!(
            "platform runs  {} ({} not possible there)",
            counts.platform_runs, counts.platform_skips
        ));
        // Nobody is there to read of them where the output is closed.
        if !args.no_mutations
            && !out.is_over()
            && let Ok(report) = mutate::run(&sources)
        {
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
            if args.survivors {
                report
                    .survivors
                    .iter()
                    .for_each(|name| out.line(format_args!("  {name}")));
            }
        }
        return out.end(Exit::Ok);
    }
    message(wrong.render(color()));
    let plural = if wrong.len() == 1 { "" } else { "s" };
    message(format_args!("\nerror: {} error{plural} found", wrong.len()));
    Exit::Usage
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
        Some(dir) => from_dir(dir).map_err(|error| {
            let error = format!("cannot read the tables in {}: {error}", dir.display());
            Trouble::new(Exit::Usage, error, Some(TABLES_HINT))
        })?,
    };
    let (tables, diags) = compile(&sources);
    if diags.is_empty() {
        return Ok(tables);
    }
    let hint = "sigbridge check --mappings DIR shows all errors";
    Err(Trouble::new(Exit::Usage, "the tables are wrong", Some(hint)).at(diags))
}

const TABLES_HINT: &str =
    "a folder of tables has *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source";
