//! `cargo xtask`: development tasks that are not part of the product.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Parser, Subcommand};
use tables::embedded;
use xtask::{admission, mutate};

/// Development tasks
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Mutation testing of the mapping tables; takes minutes
    Mutants {
        /// List surviving mutants
        #[arg(long)]
        survivors: bool,
    },
    /// Break admission and related code, one mutant at a time, and list the scenarios that fail; takes minutes.
    /// The sources change meanwhile
    Admission {
        /// Run these mutants only
        names: Vec<String>,
    },
}

#[expect(clippy::disallowed_methods, reason = "a development tool may fail on a closed pipe")]
fn main() -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let survivors = match Cli::parse().task {
        Task::Mutants { survivors } => survivors,
        Task::Admission { names } => {
            let all_fail = admission::run(&names, &mut out)?;
            return Ok(if all_fail { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    };
    let report = mutate::run(&embedded()).map_err(|diags| anyhow!("{}", diags.render(false)))?;
    writeln!(out, "{report}")?;
    if survivors {
        for name in &report.survivors {
            writeln!(out, "  {name}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
