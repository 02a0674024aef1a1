//! `sigbridge trace`: traces from and to the archives of developer tools.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use tables::Tables;
use trace;
use trace::har::{HarError, Imported, MAX_HAR_BYTES, export, import};

use crate::cli::Exit;
use crate::cli::exit::{Error, HELP};
use crate::cli::files::{note_cut, open_trace, refuse_input, trace_hint, write_beside};
use crate::cli::messages::message;
use crate::cli::output::{Data, NO_ROOM, STDOUT, data};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct TraceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import the WebSocket messages of a HAR file as a trace
    ///
    /// The trace holds the client's frames and the server's frames, but no RTM events. Replay it with `--against embedded` or a URL;
    /// `coverage` and `diff` read it as well. Tokens are replaced; accounts and messages are unchanged.
    #[command(after_help = HELP)]
    Import {
        /// HAR file saved by a browser's developer tools
        har: PathBuf,
        /// Write the trace to this file instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Export a trace as a HAR file for developer tools
    ///
    /// The HAR has one entry per socket. Lines of native clients are exported as text messages.
    #[command(after_help = HELP)]
    Export {
        /// Trace to export
        trace: PathBuf,
        /// Write the HAR to this file instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the JSON Schema of trace records
    #[command(after_help = HELP)]
    Schema,
}

/// Runs `trace import`, `export` or `schema`.
pub fn run(args: &TraceArgs) -> Exit {
    let paths = match &args.command {
        Command::Import { har: from, output } | Command::Export { trace: from, output } => {
            output.as_ref().map(|to| (to, from))
        }
        Command::Schema => None,
    };
    if let Some(Err(error)) = paths.map(|(to, from)| refuse_input(to, [from])) {
        return error.print();
    }
    let done = match &args.command {
        Command::Import { har, output } => run_import(har, output.as_deref()),
        Command::Export { trace, output } => run_export(trace, output.as_deref()),
        Command::Schema => return data(&trace::schema(), Exit::Ok),
    };
    match done {
        Ok(summary) => {
            message(summary);
            Exit::Ok
        }
        Err(error) => error.print(),
    }
}

fn error_in(exit: Exit, path: &Path, error: impl std::fmt::Display, hint: Option<&'static str>) -> Error {
    Error::new(exit, format_args!("{}: {error}", path.display())).maybe_hint(hint)
}

fn run_import(path: &Path, output: Option<&Path>) -> Result<String, Error> {
    let tables = Tables::built_in().map_err(Error::usage)?;
    let wrong = |error: HarError| error_in(Exit::BadInput, path, &error, Some(error.hint()));
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(MAX_HAR_BYTES + 1).read_to_end(&mut bytes));
    file.map_err(|error| error_in(Exit::BadInput, path, error, None))?;
    if bytes.len() as u64 > MAX_HAR_BYTES {
        return Err(wrong(HarError::TooLarge));
    }
    let imported = import(&Arc::new(tables), &bytes).map_err(wrong)?;
    let trace = &imported.trace;
    write(output, |out| {
        trace.write(out, trace.records.iter().map(|(_, record)| record))
    })?;
    Ok(summary(&imported))
}

fn summary(imported: &Imported) -> String {
    let Imported {
        sessions,
        frames,
        not_admitted,
        early,
        silent,
        others,
        odd,
        ..
    } = imported;
    let mut text = format!(
        "imported {} with {}",
        count(*sessions, "session"),
        count(*frames, "frame")
    );
    if *not_admitted > 0 {
        text.push_str(&format!("\n{not_admitted} of them rejected at login"));
    }
    let left_out = [
        (*silent, "socket", "without client frames"),
        (*others, "socket", "without a login"),
        (*odd, "entry", "unreadable"),
        (*early, "frame", "before a login"),
    ];
    let left_out = left_out.iter().filter(|(number, ..)| *number > 0);
    let left_out: Vec<String> = left_out
        .map(|(number, what, which)| format!("{} {which}", count(*number, what)))
        .collect();
    if !left_out.is_empty() {
        text.push_str(&format!("\nskipped: {}", left_out.join(", ")));
    }
    text
}

fn run_export(path: &Path, output: Option<&Path>) -> Result<String, Error> {
    let trace = open_trace(path).map_err(|error| error_in(Exit::Unreadable, path, error, trace_hint(path)))?;
    note_cut(path, &trace);
    let har = export(&trace);
    let entries = har["log"]["entries"].as_array().map_or(0, Vec::len);
    if entries == 0 {
        let hint = "record until at least one client has logged in";
        return Err(error_in(
            Exit::Unreadable,
            path,
            "the file holds no legacy frames",
            Some(hint),
        ));
    }
    write(output, |out| {
        serde_json::to_writer_pretty(&mut *out, &har)?;
        out.write_all(b"\n")
    })?;
    Ok(format!("exported {}", count(entries, "socket")))
}

fn count(number: usize, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}

/// Writes to a file or to standard output.
fn write(to: Option<&Path>, what: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let whole = |out: &mut dyn Write| {
        what(&mut *out)?;
        out.flush()
    };
    let Some(path) = to else {
        let mut data = Data::new();
        data.with(whole);
        let unwritten = |error| Error::failed(format_args!("{STDOUT}: {error}")).hint(NO_ROOM);
        return data.finish().map_err(unwritten);
    };
    write_beside(path, whole).map_err(|error| error_in(Exit::Failed, path, error, None))
}
