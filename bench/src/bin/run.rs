//! The suite: all loads against all contenders, on the loopback interface.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use sigbridge_bench::process::raise_files;
use sigbridge_bench::suite::contender::{Contender, Place, program};
use sigbridge_bench::suite::plan::{Load, Size, loads};
use sigbridge_bench::suite::round::Runner;
use sigbridge_bench::suite::{Results, bars, report};

/// Measure sigbridge against proxies and minimal servers, and write a report
#[derive(Debug, Parser)]
struct Args {
    /// Run each case once and briefly, as a test of the suite without measurements
    #[arg(long)]
    quick: bool,
    /// Run these loads only: peer, rates, saturation, fanout, storm, slow, clients, idle, replay; or redis, operate, which
    /// run only where they are named here
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Run these contenders only
    #[arg(long, value_delimiter = ',', value_enum)]
    contenders: Vec<Contender>,
    /// Rounds of each load, in place of the plan's
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of a measurement
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// The sigbridge to measure; bench/run builds one without it
    #[arg(long)]
    sigbridge: PathBuf,
    /// Contents are JSON
    #[arg(long)]
    json: bool,
    /// Run all programs of the suite with real-time priority, for a busy machine; needs root
    #[arg(long)]
    realtime: bool,
    /// The first of 50 ports on 127.0.0.2
    #[arg(long, default_value_t = 18900)]
    port: u16,
    /// Output folder; default: bench/runs/DATE
    #[arg(long)]
    out: Option<PathBuf>,
    /// Install missing contenders with apt-get
    #[arg(long)]
    install: bool,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let begun = Instant::now();
    let cores = bars::cores();
    ensure!(
        cores >= 2,
        "two cores are needed: one for the contender, one for the load"
    );
    let files = raise_files();
    let programs = std::env::current_exe()?.parent().context("no folder")?.to_owned();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sigbridge = args.sigbridge.canonicalize();
    let sigbridge = sigbridge.with_context(|| format!("no sigbridge at {}", args.sigbridge.display()))?;

    let size = Size {
        warmup: if args.quick { 0.2 } else { 1.0 },
        seconds: if args.quick { 0.5 } else { args.seconds },
        // A proxy has two files for each client.
        clients: ((files.saturating_sub(200) / 2) as usize).min(if args.quick { 1000 } else { 9500 }),
        // Sockets of the load, and some files of its own.
        sessions: (files.saturating_sub(200) as usize).min(if args.quick { 1000 } else { 10_000 }),
        after: if args.quick { 2 } else { 30 },
    };
    let mut plan = loads(size);
    for name in &args.only {
        ensure!(plan.iter().any(|load| load.name == name), "no load is called {name}");
    }
    plan.retain(|load| match args.only.is_empty() {
        true => !load.apart,
        false => args.only.iter().any(|name| name == load.name),
    });
    let missing = missing(&plan, args.install)?;
    for load in &mut plan {
        load.rounds = args.rounds.unwrap_or(if args.quick { 1 } else { load.rounds });
        for case in &mut load.cases {
            let wanted = |contender: &Contender| args.contenders.is_empty() || args.contenders.contains(contender);
            case.contenders
                .retain(|contender| wanted(contender) && !missing.contains(contender));
        }
    }

    let work = std::env::temp_dir().join(format!("sigbridge-bench-{}", std::process::id()));
    std::fs::create_dir_all(&work)?;
    let mut runner = Runner {
        place: Place {
            programs,
            sigbridge: sigbridge.clone(),
            mappings: package.with_file_name("mappings"),
            work: work.clone(),
            port: args.port,
            cores: (1, 0),
            realtime: args.realtime,
        },
        begun,
        json: args.json,
        spare: Duration::from_secs(if args.quick { 0 } else { 80 }),
        noise: SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64 | 1,
    };
    let mut results = Results::default();
    for load in &plan {
        runner.run(load, &mut results)?;
    }
    let _ = std::fs::remove_dir_all(&work);

    let out = match args.out {
        Some(out) => out,
        None => folder(&package.join("runs"))?,
    };
    let mut machine = machine(&sigbridge, package);
    machine.push(("time".into(), format!("{} s", begun.elapsed().as_secs())));
    machine.push(("options".into(), options(std::env::args().skip(1))));
    report::write(&out, &results, &plan, size, &machine)?;
    runner.say(&format!("written: {}", out.display()));
    Ok(())
}

/// Returns the options of a run, with the names of files in place of their paths.
fn options(args: impl Iterator<Item = String>) -> String {
    let name = |part: &str| match Path::new(part).file_name() {
        Some(name) if part.contains('/') => name.to_string_lossy().into_owned(),
        _ => part.to_owned(),
    };
    let args = args.map(|arg| match arg.split_once('=') {
        Some((option, value)) => format!("{option}={}", name(value)),
        None => name(&arg),
    });
    args.collect::<Vec<_>>().join(" ")
}

/// Installs missing contenders if requested, and returns those that are still missing.
fn missing(plan: &[Load], install: bool) -> Result<Vec<Contender>> {
    let cases = plan.iter().flat_map(|load| &load.cases);
    let mut missing: Vec<Contender> = cases.flat_map(|case| case.contenders.iter().copied()).collect();
    missing.retain(|contender| !contender.is_installed());
    missing.sort_unstable();
    missing.dedup();
    let mut packages: Vec<&str> = missing.iter().filter_map(|contender| contender.package()).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(missing);
    }
    if !install {
        eprintln!("not installed, and left out: {}", packages.join(", "));
        eprintln!("hint: --install has apt-get install them");
        return Ok(missing);
    }
    let status = Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()?;
    if !status.success() {
        bail!("apt-get cannot install {}: {status}", packages.join(", "));
    }
    Ok(Vec::new())
}

/// Returns a new folder with the name of the day.
fn folder(runs: &Path) -> Result<PathBuf> {
    let date = first_line("date", &["+%F"]);
    ensure!(!date.is_empty(), "`date` does not run");
    let names = std::iter::once(date.clone()).chain((2..).map(|number| format!("{date}-{number}")));
    let mut folders = names.map(|name| runs.join(name));
    folders.find(|folder| !folder.exists()).context("no name is left")
}

/// Returns the description of the machine and the versions.
fn machine(sigbridge: &Path, package: &Path) -> Vec<(String, String)> {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = value(&read("/proc/cpuinfo"), "model name").unwrap_or_default();
    let memory = value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let git = |args: &[&str]| first_line("git", &[&["-C", &package.to_string_lossy()], args].concat());
    let dirty = if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() {
        ""
    } else {
        ", with changes"
    };
    let version = |name: &str, args: &[&str]| {
        let program = program(name)?;
        Some((name.to_owned(), first_line(&program.to_string_lossy(), args)))
    };
    let mut machine = vec![
        ("date".into(), first_line("date", &["--iso-8601=minutes"])),
        ("commit".into(), git(&["rev-parse", "--short=12", "HEAD"]) + dirty),
        (
            "sigbridge".into(),
            first_line(&sigbridge.to_string_lossy(), &["--version"]),
        ),
        ("CPU".into(), format!("{cpu}, {} cores", bars::cores())),
        ("memory".into(), memory),
        ("kernel".into(), read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("rustc".into(), first_line("rustc", &["--version"])),
    ];
    machine.extend(version("haproxy", &["-v"]));
    machine.extend(version("nginx", &["-v"]));
    machine.extend(version("redis-server", &["--version"]));
    machine
}

/// Returns the first line of the output of a program.
fn first_line(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else {
        return String::new();
    };
    let text = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    String::from_utf8_lossy(&text)
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_no_paths() {
        let args = [
            "--quick",
            "--sigbridge",
            "/home/me/bridge",
            "--out=runs/x",
            "--only",
            "redis",
        ];
        let shown = options(args.map(String::from).into_iter());
        assert_eq!(shown, "--quick --sigbridge bridge --out=x --only redis");
    }
}
