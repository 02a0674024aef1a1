//! Prints the allocations of each stage, one case a line.

use std::path::PathBuf;

use anyhow::Result;
use budgets::{Budgets, measure, tables};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[expect(clippy::print_stdout, reason = "the result")]
fn main() -> Result<()> {
    let _profiler = dhat::Profiler::builder().testing().build();
    let path: PathBuf = std::env::args_os().nth(1).unwrap_or_default().into();
    let budgets: Budgets = toml::from_str(&std::fs::read_to_string(path)?)?;
    let tables = tables()?;
    for case in &budgets.case {
        let mut totals = Vec::with_capacity(4);
        measure(&tables, case, &mut || totals.push(dhat::HeapStats::get().total_blocks))?;
        let counts: Vec<String> = totals.windows(2).map(|pair| (pair[1] - pair[0]).to_string()).collect();
        println!("{}", counts.join(" "));
    }
    Ok(())
}
