//! Functions of the Web wire without a case.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use protocol::client::Catalog;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::profile::Transport;
use tables::wire::Target;

use crate::Case;

/// Returns the functions with a row that no case calls.
///
/// # Errors
/// The tables have no wire for Web clients.
pub fn uncovered(tables: &Arc<Tables>, cases: &[Case]) -> Result<Vec<Text>> {
    let profile = tables
        .profile(Transport::WebSocket, &Value::Null)
        .context("no Web profile")?;
    let wire = tables.wire(&tables.profiles[profile].family).context("no wire")?;
    let calls = Catalog::new(tables.clone(), wire.clone()).calls();
    let called: BTreeSet<&str> = cases.iter().filter_map(|case| name(&case.call)).collect();
    let is_called = |function: &str| {
        let mut of_function = calls.iter().filter(|call| &*call.function == function);
        called.contains(function) || of_function.any(|call| called.contains(&*call.name))
    };
    let mut functions: Vec<Text> = Vec::new();
    for function in &wire.functions {
        let has_row = matches!(function.target, Target::Row(_));
        if has_row && !is_called(&function.name) && !functions.contains(&function.name) {
            functions.push(function.name.clone());
        }
    }
    Ok(functions)
}

/// Returns the name of a call `alice: name arguments`.
fn name(call: &str) -> Option<&str> {
    call.split_once(": ")?.1.split(' ').next()
}
