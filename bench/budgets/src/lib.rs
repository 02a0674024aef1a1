//! Instructions and allocations of calls, from the frame of a client to the frames of all receivers.
//!
//! Two programs measure the same cases: `instructions` under callgrind, `allocations` with dhat's allocator. `budgets`
//! runs both and compares the results with `bench/budgets.toml`.

mod case;
mod coverage;
mod pair;
mod stage;

pub use case::{Budgets, Case, Costs};
pub use coverage::uncovered;
pub use pair::Pair;
pub use stage::Stage;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tables::Tables;

/// Measures a case after a first run that fills the caches. `boundary` is called before the first stage and after each
/// stage.
///
/// # Errors
/// The case is not valid.
pub fn measure(tables: &Arc<Tables>, case: &Case, boundary: &mut dyn FnMut()) -> Result<()> {
    let context = || format!("case `{}`", case.name);
    prepared(tables, case)
        .and_then(|mut pair| pair.call(&case.call, &mut || {}))
        .with_context(context)?;
    let mut pair = prepared(tables, case).with_context(context)?;
    pair.call(&case.call, boundary).with_context(context)
}

fn prepared(tables: &Arc<Tables>, case: &Case) -> Result<Pair> {
    let mut pair = Pair::new(tables)?;
    for call in &case.before {
        pair.call(call, &mut || {})?;
    }
    Ok(pair)
}

/// Reads the built-in tables.
///
/// # Errors
/// The tables have errors.
pub fn tables() -> Result<Arc<Tables>> {
    let tables = Tables::built_in().map_err(|_| anyhow::anyhow!("the built-in tables have errors"))?;
    Ok(Arc::new(tables))
}
