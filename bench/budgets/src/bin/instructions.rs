//! The measured program: callgrind writes its counts at each boundary.

use std::hint::black_box;
use std::path::PathBuf;

use anyhow::Result;
use budgets::{Budgets, measure, tables};

fn main() -> Result<()> {
    let path: PathBuf = std::env::args_os().nth(1).unwrap_or_default().into();
    let budgets: Budgets = toml::from_str(&std::fs::read_to_string(path)?)?;
    let tables = tables()?;
    for case in &budgets.case {
        measure(&tables, case, &mut budget_boundary)?;
    }
    Ok(())
}

/// Boundary of two stages. Callgrind knows it by its name.
#[inline(never)]
fn budget_boundary() {
    black_box(());
}
