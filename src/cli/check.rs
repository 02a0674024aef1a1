//! `sigbridge check`.

use std::path::PathBuf;

use clap::Args;

use crate::check::{check, mutate};
use crate::config::Config;
use crate::diag::Diags;
use crate::mapping::{Tables, compile, embedded, from_dir};

use super::exit::{HELP, tell};
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
        println!("rows           {}", counts.rows);
        println!("examples       {} ({} runs)", counts.examples, counts.runs);
        println!(
            "platform runs  {} ({} not possible there)",
            counts.platform_runs, counts.platform_skips
        );
        if !args.no_mutations
            && let Ok(report) = mutate::run(&sources)
        {
            let per_mille = report.survivors.len() * 1000 / report.mutants.max(1);
            println!(
                "mutations      {} ({} do not compile)",
                report.mutants, report.uncompiled
            );
            println!(
                "survivors      {} ({}.{} %)",
                report.survivors.len(),
                per_mille / 10,
                per_mille % 10
            );
            if args.survivors {
                report.survivors.iter().for_each(|name| println!("  {name}"));
            }
        }
        return Exit::Ok;
    }
    eprintln!("{}", wrong.render(color()));
    let plural = if wrong.len() == 1 { "" } else { "s" };
    eprintln!("\nerror: {} error{plural} found", wrong.len());
    Exit::Usage
}

/// Tables of a folder, or the built-in ones.
///
/// # Errors
/// How the command ends, after everything that is wrong was printed.
pub fn load_tables(mappings: Option<&PathBuf>) -> Result<Tables, Exit> {
    let sources = match mappings {
        None => embedded(),
        Some(dir) => from_dir(dir).map_err(|error| {
            tell(
                format_args!("cannot read the tables in {}: {error}", dir.display()),
                Some(TABLES_HINT),
            );
            Exit::Usage
        })?,
    };
    let (tables, diags) = compile(&sources);
    if diags.is_empty() {
        return Ok(tables);
    }
    eprintln!("{}", diags.render(color()));
    tell(
        "the tables are wrong",
        Some("sigbridge check --mappings DIR shows all errors"),
    );
    Err(Exit::Usage)
}

const TABLES_HINT: &str =
    "a folder of tables has *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source";
