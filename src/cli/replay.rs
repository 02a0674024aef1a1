//! `sigbridge replay`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::front::speeches;
use crate::mapping::Tables;
use crate::shell::Speech;
use crate::trace::{Difference, Outcome, Record, Trace, Watch, read, replay_embedded, replay_watched};

mod live;
mod progress;

use live::Live;
use progress::Progress;

use super::Exit;
use super::check::load_tables;
use super::exit::{HELP, tell};
use super::files::{trace_files, write_beside};
use super::output::Data;

/// What `replay` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ReplayArgs {
    /// Traces, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Tables to use instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// Play only what clients said, to a live RTM in place of the recorded one, and compare only what clients are told:
    /// `embedded` is the embedded RTM, on the trace's own clock; `ws://127.0.0.1:8012/agent` an RTM that is served there
    /// (`[embedded] listen`), in real time
    #[arg(long, value_name = "embedded|URL", value_parser = against)]
    against: Option<Against>,
    /// Multiplies the rates of the embedded RTM, as `rate_scale` of the config does: 0 for none
    #[arg(long, value_name = "N", requires = "against")]
    rate_scale: Option<u32>,
    /// The file with the secret of the RTM at a URL, its `[embedded] secret_file`
    #[arg(long, value_name = "FILE", requires = "against")]
    secret_file: Option<PathBuf>,
    /// Write what was played as what is expected
    #[arg(long, conflicts_with = "against")]
    update: bool,
    /// Print one JSON object for each trace
    #[arg(long)]
    json: bool,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Which RTM answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Against {
    /// The embedded one.
    Embedded,
    /// One that is served there.
    Url(String),
}

fn against(text: &str) -> Result<Against, String> {
    match text {
        "embedded" => Ok(Against::Embedded),
        url if url.starts_with("ws://") => Ok(Against::Url(url.to_owned())),
        url if url.starts_with("wss://") => Err("the link has no TLS: use ws://, by a tunnel where it must be".into()),
        _ => Err("an RTM to play against is `embedded` or like ws://127.0.0.1:8012/agent".into()),
    }
}

/// What became of a trace.
struct Played {
    path: PathBuf,
    result: Result<Outcome, String>,
}

/// Plays, and prints what differs.
pub fn run(args: &ReplayArgs) -> Exit {
    let tables = match load_tables(args.mappings.as_ref()) {
        Ok(tables) => Arc::new(tables),
        Err(exit) => return exit,
    };
    let Some(speeches) = speeches(&tables).map(Arc::new) else {
        tell("the tables have no wire for a profile", None);
        return Exit::Usage;
    };
    let paths = match trace_files(&args.paths) {
        Ok(paths) => paths,
        Err(exit) => return exit,
    };
    let live = match live_rtm(args, &tables) {
        Ok(live) => live,
        Err(exit) => return exit,
    };
    let (mut all, mut out) = (Vec::new(), Data::new());
    let progress = Progress::new(args.json);
    let count = paths.len();
    for (at, path) in paths.into_iter().enumerate() {
        progress.begins(at + 1, count, &path);
        let result = play(&path, &tables, &speeches, (args, live.as_ref()), &progress);
        let played = Played { path, result };
        progress.aside(|| match args.json {
            true => out.line(as_json(&played)),
            false => show(&played, &mut out),
        });
        all.push(played);
    }
    progress.ends();
    if let Some(junit) = &args.junit
        && let Err(error) = write_beside(junit, |file| write_junit(file, &all))
    {
        tell(format_args!("cannot write {}: {error}", junit.display()), None);
        return Exit::Failed;
    }
    let unreadable = all.iter().filter(|played| played.result.is_err()).count();
    let differ = |played: &&Played| played.result.as_ref().is_ok_and(|o| !o.differences.is_empty());
    let different = all.iter().filter(differ).count();
    if !args.json {
        let records: usize = all.iter().flat_map(|p| &p.result).map(|o| o.records).sum();
        out.line(format_args!(
            "{} traces, {records} records: {} equal, {different} different, {unreadable} unreadable",
            all.len(),
            all.len() - different - unreadable
        ));
    }
    out.end(match (unreadable, different) {
        (1.., _) => Exit::Unreadable,
        (0, 1..) if !args.update => Exit::Failed,
        _ => Exit::Ok,
    })
}

fn live_rtm(args: &ReplayArgs, tables: &Tables) -> Result<Option<Live>, Exit> {
    match &args.against {
        Some(Against::Url(_)) if args.rate_scale.is_some() => {
            tell(
                "--rate-scale is for --against embedded",
                Some("the rates are those of the RTM at the URL"),
            );
            Err(Exit::Usage)
        }
        Some(Against::Url(url)) => Live::connect(url, args.secret_file.as_deref(), tables).map(Some),
        _ if args.secret_file.is_some() => {
            tell("--secret-file is for --against URL", None);
            Err(Exit::Usage)
        }
        _ => Ok(None),
    }
}

fn play(
    path: &Path,
    tables: &Arc<Tables>,
    speeches: &Arc<Vec<Arc<dyn Speech>>>,
    (args, live): (&ReplayArgs, Option<&Live>),
    progress: &Progress,
) -> Result<Outcome, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let trace = read(file).map_err(|error| error.to_string())?;
    progress.has(trace.records.len());
    let watch = Watch {
        keeps: args.update,
        progress: &mut |records| progress.is_at(records),
    };
    let outcome = match (&args.against, live) {
        (_, Some(live)) => live.play(tables, speeches, &trace, watch),
        (Some(_), None) => replay_embedded(tables, speeches, &trace, args.rate_scale.unwrap_or(1)),
        (None, None) => replay_watched(tables, speeches, &trace, watch),
    };
    let outcome = outcome.map_err(|error| error.to_string())?;
    if args.update && !outcome.differences.is_empty() {
        write_beside(path, |file| write_trace(file, &trace, &outcome.played)).map_err(|error| error.to_string())?;
    }
    Ok(outcome)
}

fn write_trace(file: &mut dyn Write, trace: &Trace, records: &[Record]) -> io::Result<()> {
    writeln!(file, "{}", serde_json::to_string(&trace.header)?)?;
    for record in records {
        writeln!(file, "{}", serde_json::to_string(record)?)?;
    }
    Ok(())
}

fn show(played: &Played, out: &mut Data) {
    match &played.result {
        Err(what) => tell(format_args!("{}: {what}", played.path.display()), None),
        Ok(outcome) => {
            for difference in &outcome.differences {
                out.line(difference_text(&played.path, difference));
            }
        }
    }
}

/// A difference and what led to it.
fn difference_text(path: &Path, difference: &Difference) -> String {
    let row = |row: Option<&crate::value::Text>| row.map_or(String::new(), |row| format!("  [{row}]"));
    let mut text = format!(
        "{}:{}: session {} differs, {} ms in",
        path.display(),
        difference.line,
        difference.session,
        difference.t_us / 1000
    );
    if let Some(after) = &difference.after {
        text.push_str(&format!("\n  after     {:?} {}", after.leg, after.data));
    }
    match &difference.expected {
        Some(expected) => text.push_str(&format!(
            "\n  expected  {:?} {}{}",
            expected.leg,
            expected.data,
            row(expected.row.as_ref())
        )),
        None => text.push_str("\n  expected  nothing more"),
    }
    match &difference.got {
        Some(got) => text.push_str(&format!(
            "\n  got       {:?} {}{}",
            got.leg,
            got.data,
            row(got.row.as_ref())
        )),
        None => text.push_str("\n  got       nothing more"),
    }
    if !difference.codes.is_empty() {
        let codes: Vec<&str> = difference.codes.iter().map(|code| &**code).collect();
        text.push_str(&format!("\n  codes     {}", codes.join(", ")));
    }
    text
}

fn as_json(played: &Played) -> serde_json::Value {
    let path = played.path.display().to_string();
    match &played.result {
        Err(what) => json!({ "trace": path, "unreadable": what }),
        Ok(outcome) => {
            let difference = |d: &Difference| {
                json!({
                    "line": d.line,
                    "session": d.session,
                    "t_us": d.t_us,
                    "expected": d.expected,
                    "got": d.got.as_ref().map(|got| json!({ "leg": got.leg, "row": got.row, "data": got.data })),
                    "after": d.after,
                    "codes": d.codes,
                })
            };
            let differences: Vec<_> = outcome.differences.iter().map(difference).collect();
            json!({
                "trace": path,
                "sessions": outcome.sessions,
                "records": outcome.records,
                "passed_over": outcome.passed_over,
                "differences": differences,
            })
        }
    }
}

fn write_junit(file: &mut dyn Write, all: &[Played]) -> io::Result<()> {
    let bad = |played: &&Played| played.result.as_ref().map_or(true, |o| !o.differences.is_empty());
    let failures = all.iter().filter(bad).count();
    writeln!(file, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        file,
        r#"<testsuite name="sigbridge replay" tests="{}" failures="{failures}">"#,
        all.len()
    )?;
    for played in all {
        let name = escaped(&played.path.display().to_string());
        let what = match &played.result {
            Err(what) => Some(what.clone()),
            Ok(outcome) => {
                let texts = outcome.differences.iter().map(|d| difference_text(&played.path, d));
                let texts: Vec<String> = texts.collect();
                (!texts.is_empty()).then(|| texts.join("\n"))
            }
        };
        match what {
            None => writeln!(file, r#"  <testcase name="{name}"/>"#)?,
            Some(what) => {
                writeln!(file, r#"  <testcase name="{name}">"#)?;
                writeln!(file, "    <failure>{}</failure>", escaped(&what))?;
                writeln!(file, "  </testcase>")?;
            }
        }
    }
    writeln!(file, "</testsuite>")
}

/// Text as XML may hold it.
fn escaped(text: &str) -> String {
    let legal = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let text: String = text.chars().filter(legal).collect();
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
