//! `sigbridge diff`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use trace::{Noise, Scope, Trace, diff};

use crate::cli::Exit;
use crate::cli::exit::{HELP, note};
use crate::cli::files::{note_cut, open_trace, trace_hint};
use crate::cli::messages::print_error;
use crate::cli::output::data;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DiffArgs {
    /// Baseline trace
    a: PathBuf,
    /// Trace to compare with A
    b: PathBuf,
    /// Second baseline recording; differences between A and A2 are ignored as noise
    #[arg(long, value_name = "A2")]
    noise: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Compares two traces and prints the differences.
pub fn run(args: &DiffArgs) -> Exit {
    let (a, b) = match (open(&args.a), open(&args.b)) {
        (Ok(a), Ok(b)) => (a, b),
        _ => return Exit::Unreadable,
    };
    let Ok(again) = args.noise.as_deref().map(open).transpose() else {
        return Exit::Unreadable;
    };
    let scope = Scope::of([&a, &b].into_iter().chain(&again));
    if scope == Scope::Frames {
        note("comparing frames only: one of the traces has no other records");
    }
    let mut found = diff(&a, &b, scope);
    let noise = again.map_or(0, |again| Noise::of(&diff(&a, &again, scope)).remove_from(&mut found));
    let text = if args.json {
        let report = json!({
            "equal": found.is_empty(),
            "noise": noise,
            "compared": found.compared,
            "sessions": found.sessions,
        });
        format!("{report:#}\n")
    } else if noise > 0 {
        format!("{found}differences ignored as noise: {noise}\n")
    } else {
        found.to_string()
    };
    let exit = if found.is_empty() { Exit::Ok } else { Exit::Failed };
    data(&text, exit)
}

/// Opens a trace; prints the error on failure.
fn open(path: &Path) -> Result<Trace, ()> {
    let trace = open_trace(path);
    let trace = trace.map_err(|error| print_error(format_args!("{}: {error}", path.display()), trace_hint(path)))?;
    note_cut(path, &trace);
    Ok(trace)
}
