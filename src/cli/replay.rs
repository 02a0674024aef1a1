//! `sigbridge replay`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use protocol::encoder::Encoder;
use protocol::encoders;
use tables::Tables;
use trace::{Outcome, Watch, replay_embedded, replay_watched};

mod live;
mod progress;
mod report;

use live::Live;
use progress::Progress;
use report::{as_json, difference_text, write_junit};

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::{Error, HELP};
use crate::cli::files::{
    is_unfinished, note_cut, open_trace, refuse_input, trace_as_written, trace_files, trace_hint, write_beside,
};
use crate::cli::messages::print_error;
use crate::cli::output::Data;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ReplayArgs {
    /// Trace files, or directories with traces
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Mapping tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Replay the clients' frames to a live RTM and compare the frames to clients only. `embedded` runs the embedded RTM
    /// on the trace's clock; a URL such as `ws://127.0.0.1:8012/agent` uses a served RTM (`[embedded] listen`) in real
    /// time
    #[arg(long, value_name = "embedded|URL", value_parser = against)]
    against: Option<ReplayTarget>,
    /// Multiplier for the embedded RTM's rate limits, like `rate_scale` in the config; 0 disables them
    #[arg(long, value_name = "N", requires = "against")]
    rate_scale: Option<u32>,
    /// File with the secret of the RTM at the URL, its `[embedded] secret_file`
    #[arg(long, value_name = "FILE", requires = "against")]
    secret_file: Option<PathBuf>,
    /// Update the traces with the replayed output
    #[arg(long, conflicts_with = "against")]
    update: bool,
    /// Print one JSON object per trace
    #[arg(long)]
    json: bool,
    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Live RTM of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ReplayTarget {
    /// Embedded RTM on the trace's clock.
    Embedded,
    /// RTM served at a URL.
    Url(String),
}

fn against(text: &str) -> Result<ReplayTarget, String> {
    match text {
        "embedded" => Ok(ReplayTarget::Embedded),
        url if url.starts_with("ws://") => Ok(ReplayTarget::Url(url.to_owned())),
        url if url.starts_with("wss://") => {
            Err("the agent link has no TLS; use ws://, through a tunnel if necessary".into())
        }
        _ => Err("expected `embedded` or a URL such as ws://127.0.0.1:8012/agent".into()),
    }
}

/// Replay result of one trace.
struct Played {
    path: PathBuf,
    result: Result<Outcome, String>,
    /// Result of the update, if requested.
    updated: Option<Result<(), String>>,
}

impl Played {
    fn differs(&self) -> bool {
        self.result
            .as_ref()
            .is_ok_and(|outcome| !outcome.differences.is_empty())
    }

    fn is_cut(&self) -> bool {
        self.result.as_ref().is_ok_and(|outcome| !outcome.cut.is_empty())
    }
}

/// Replays the traces and prints the differences.
pub fn run(args: &ReplayArgs) -> Exit {
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => Arc::new(tables),
        Err(exit) => return exit,
    };
    let Some(encoders) = encoders(&tables).map(Arc::new) else {
        print_error("a profile of the tables has no wire", None);
        return Exit::Usage;
    };
    let paths = match trace_files(&args.paths) {
        Ok(paths) => paths,
        Err(exit) => return exit,
    };
    let live = may_be_written(args, &paths).and_then(|()| live_rtm(args, &tables));
    let live = match live {
        Ok(live) => live,
        Err(error) => return error.print(),
    };
    let (mut all, mut out) = (Vec::new(), Data::new());
    let progress = Progress::new(args.json);
    let count = paths.len();
    for (at, path) in paths.into_iter().enumerate() {
        progress.begins(at + 1, count, &path);
        let played = play(path, &tables, &encoders, (args, live.as_ref()), &progress);
        progress.aside(|| {
            match args.json {
                true => out.line(as_json(&played)),
                false => show(&played, &mut out),
            }
            if let Some(Err(error)) = &played.updated {
                print_error(format_args!("cannot write {}: {error}", played.path.display()), None);
            }
        });
        all.push(played);
    }
    progress.ends();
    if let Some(junit) = &args.junit
        && let Err(error) = write_beside(junit, |file| write_junit(file, &all))
    {
        print_error(format_args!("cannot write {}: {error}", junit.display()), None);
        return Exit::Failed;
    }
    let unreadable = all.iter().filter(|played| played.result.is_err()).count();
    let different = all.iter().filter(|played| played.differs()).count();
    let unwritten = all.iter().any(|played| matches!(played.updated, Some(Err(_))));
    if !args.json {
        let records: usize = all.iter().flat_map(|p| &p.result).map(|o| o.records).sum();
        let cut = match all.iter().filter(|played| played.is_cut()).count() {
            0 => String::new(),
            cut => format!(", {cut} truncated"),
        };
        out.line(format_args!(
            "{} traces, {records} records: {} equal, {different} different, {unreadable} unreadable{cut}",
            all.len(),
            all.len() - different - unreadable
        ));
    }
    out.end(match (unreadable, different) {
        (1.., _) => Exit::Unreadable,
        (0, 1..) if !args.update => Exit::Failed,
        _ if unwritten => Exit::Failed,
        _ => Exit::Ok,
    })
}

/// Rejects outputs that are inputs, and updates of unfinished traces.
fn may_be_written(args: &ReplayArgs, paths: &[PathBuf]) -> Result<(), Error> {
    if let Some(junit) = &args.junit {
        refuse_input(junit, paths)?;
    }
    if let Some(part) = paths.iter().find(|path| args.update && is_unfinished(path)) {
        let message = format!("{} is unfinished and cannot be updated", part.display());
        return Err(Error::usage(message).hint("omit it, or copy it to a file that ends in .jsonl"));
    }
    Ok(())
}

fn live_rtm(args: &ReplayArgs, tables: &Tables) -> Result<Option<Live>, Error> {
    match &args.against {
        Some(ReplayTarget::Url(_)) if args.rate_scale.is_some() => {
            let error = Error::usage("--rate-scale requires --against embedded");
            Err(error.hint("the RTM at the URL sets its own rate limits"))
        }
        Some(ReplayTarget::Url(url)) => Live::connect(url, args.secret_file.as_deref(), tables).map(Some),
        _ if args.secret_file.is_some() => Err(Error::usage("--secret-file requires --against URL")),
        _ => Ok(None),
    }
}

fn play(
    path: PathBuf,
    tables: &Arc<Tables>,
    encoders: &Arc<Vec<Arc<dyn Encoder>>>,
    (args, live): (&ReplayArgs, Option<&Live>),
    progress: &Progress,
) -> Played {
    let mut played = Played {
        result: Err(String::new()),
        updated: None,
        path,
    };
    let trace = match open_trace(&played.path) {
        Ok(trace) => trace,
        Err(error) => {
            played.result = Err(error);
            return played;
        }
    };
    progress.aside(|| note_cut(&played.path, &trace));
    progress.has(trace.records.len());
    let watch = Watch {
        keeps: args.update,
        progress: &mut |records| progress.is_at(records),
    };
    let outcome = match (&args.against, live) {
        (_, Some(live)) => live.play(tables, encoders, &trace, watch),
        (Some(_), None) => replay_embedded(tables, encoders, &trace, args.rate_scale.unwrap_or(1)),
        (None, None) => replay_watched(tables, encoders, &trace, watch),
    };
    played.result = outcome.map_err(|error| error.to_string());
    if let Ok(outcome) = &played.result
        && args.update
        && played.differs()
    {
        let updated = trace_as_written(&played.path).and_then(|trace| {
            let written = write_beside(&played.path, |file| trace.write_played(file, &outcome.played));
            written.map_err(|error| error.to_string())
        });
        played.updated = Some(updated);
    }
    played
}

fn show(played: &Played, out: &mut Data) {
    let path = played.path.display();
    let outcome = match &played.result {
        Ok(outcome) => outcome,
        Err(what) => return print_error(format_args!("{path}: {what}"), trace_hint(&played.path)),
    };
    for difference in &outcome.differences {
        out.line(difference_text(&played.path, difference));
    }
    if let Some(Ok(())) = played.updated {
        let records = outcome.played.len();
        out.line(format_args!("updated {path}: {records} records"));
    }
}
