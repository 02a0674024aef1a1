//! `cargo xtask`: development tasks that are not part of the product.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Parser, Subcommand};
use tables::embedded;
use xtask::mutate;

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
}

#[expect(clippy::disallowed_methods, reason = "a development tool may fail on a closed pipe")]
fn main() -> anyhow::Result<ExitCode> {
    let Task::Mutants { survivors } = Cli::parse().task;
    let report = mutate::run(&embedded()).map_err(|diags| anyhow!("{}", diags.render(false)))?;
    let mut out = io::stdout().lock();
    writeln!(out, "{report}")?;
    if survivors {
        for name in &report.survivors {
            writeln!(out, "  {name}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
