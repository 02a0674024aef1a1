//! Holds the instructions and allocations of calls against their budgets.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use budgets::{Budgets, Case, Costs, Stage, tables, uncovered};
use clap::Parser;

/// Largest growth of instructions, in parts of a thousand.
const TOLERANCE: u64 = 30;
/// Growth of instructions that is noise: hash seeds differ from run to run.
const NOISE: u64 = 60;

/// Holds the instructions and allocations of calls against their budgets.
#[derive(Parser)]
struct Options {
    /// File with the cases and their budgets
    #[arg(default_value = "bench/budgets.toml")]
    file: PathBuf,
    /// Write the measured costs as the new budgets
    #[arg(long)]
    update: bool,
}

#[expect(clippy::print_stdout, reason = "the result")]
fn main() -> Result<()> {
    let options = Options::parse();
    let text = std::fs::read_to_string(&options.file).with_context(|| options.file.display().to_string())?;
    let mut budgets: Budgets = toml::from_str(&text)?;
    let rustc = rustc()?;
    if !options.update && budgets.rustc != rustc {
        bail!(
            "the budgets were measured with {}, this is {rustc}\nhint: run with --update, and review the difference",
            budgets.rustc
        );
    }
    let uncovered = uncovered(&tables()?, &budgets.case)?;
    if !uncovered.is_empty() {
        bail!(
            "no case calls {}\nhint: add cases to {}",
            uncovered.join(", "),
            options.file.display()
        );
    }
    build()?;
    let instructions = instructions(&options.file, budgets.case.len())?;
    let allocations = allocations(&options.file, budgets.case.len())?;
    let mut excesses = Vec::new();
    println!(
        "{:34} {:>8} {:>8} {:>8} {:>12}",
        "instructions of", "decode", "row", "encode", "allocations"
    );
    for ((case, instructions), allocations) in budgets.case.iter_mut().zip(instructions).zip(allocations) {
        let [decode, row, encode] = Stage::ALL.map(|stage| instructions.of(stage));
        let total: u64 = Stage::ALL.iter().map(|stage| allocations.of(*stage)).sum();
        println!("{:34} {decode:>8} {row:>8} {encode:>8} {total:>12}", case.name);
        excesses.extend(excess(case, &instructions, &allocations));
        (case.instructions, case.allocations) = (instructions, allocations);
    }
    if options.update {
        budgets.rustc = rustc;
        let text = format!("{}\n{}", head(&text), toml::to_string(&budgets)?);
        return Ok(std::fs::write(&options.file, text)?);
    }
    if !excesses.is_empty() {
        bail!(
            "over the budget:\n  {}\nhint: find the cause, or run with --update and say why",
            excesses.join("\n  ")
        );
    }
    Ok(())
}

/// Returns the stages of a case over its budgets.
fn excess(case: &Case, instructions: &Costs, allocations: &Costs) -> Vec<String> {
    let mut found = Vec::new();
    for stage in Stage::ALL {
        let (budget, cost) = (case.instructions.of(stage), instructions.of(stage));
        if cost > budget + budget * TOLERANCE / 1000 + NOISE {
            found.push(format!(
                "{}, {}: {cost} instructions, budget {budget}",
                case.name,
                stage.name()
            ));
        }
        let (budget, cost) = (case.allocations.of(stage), allocations.of(stage));
        if cost > budget {
            found.push(format!(
                "{}, {}: {cost} allocations, budget {budget}",
                case.name,
                stage.name()
            ));
        }
    }
    found
}

/// Returns the comments at the start of the file.
fn head(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

fn rustc() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("rustc")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Builds the measured programs beside this one.
fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--package", "budgets", "--bins"])
        .status()
        .context("cargo")?;
    if !status.success() {
        bail!("the measured programs do not build");
    }
    Ok(())
}

fn sibling(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// Runs the measured program under callgrind, which writes a file at each boundary.
fn instructions(file: &Path, cases: usize) -> Result<Vec<Costs>> {
    let folder = std::env::temp_dir().join(format!("budgets-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let counts = callgrind(file, &folder);
    std::fs::remove_dir_all(&folder)?;
    let counts = counts?;
    // Before the first boundary of each case is its preparation. What follows the last boundary is a part of its own.
    let boundaries = Stage::ALL.len() + 1;
    if counts.len() < cases * boundaries {
        bail!("{} parts of callgrind for {cases} cases", counts.len());
    }
    let costs = counts
        .chunks(boundaries)
        .take(cases)
        .map(|parts| Costs::read(&parts[1..]));
    costs.collect::<Option<_>>().context("missing parts")
}

fn callgrind(file: &Path, folder: &Path) -> Result<Vec<u64>> {
    let out = folder.join("callgrind.out");
    let status = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg("--dump-before=*budget_boundary*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg("--quiet")
        .arg(sibling("instructions")?)
        .arg(file)
        .status()
        .context("valgrind\nhint: install Debian's package valgrind")?;
    if !status.success() {
        bail!("the measured program failed");
    }
    let parts = (1..).map(|part| folder.join(format!("callgrind.out.{part}")));
    parts
        .take_while(|part| part.exists())
        .map(|part| total(&part))
        .collect()
}

/// Returns the instructions of a part.
fn total(path: &Path) -> Result<u64> {
    let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.context("no totals")?.trim().parse()?)
}

fn allocations(file: &Path, cases: usize) -> Result<Vec<Costs>> {
    let output = Command::new(sibling("allocations")?).arg(file).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let read = |line: &str| -> Option<Costs> {
        let counts: Option<Vec<u64>> = line.split(' ').map(|count| count.parse().ok()).collect();
        Costs::read(&counts?)
    };
    let text = String::from_utf8(output.stdout)?;
    let costs: Option<Vec<Costs>> = text.lines().map(read).collect();
    let costs = costs.context("the output of `allocations` is invalid")?;
    if costs.len() != cases {
        bail!("{} lines of allocations for {cases} cases", costs.len());
    }
    Ok(costs)
}
