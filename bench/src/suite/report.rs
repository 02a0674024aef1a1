//! Output of a suite: raw figures, a page with the ratios, and charts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Results;
use super::bars::{Bar, bars};
use super::contender::Contender::{self, *};
use super::plan::{DRAIN, Load, MEMBERS, Size, connections, idle_steps};
use super::svg::{Chart, Line};
use crate::stats::Spread;

/// Writes all files of a suite into a folder.
///
/// # Errors
/// Those of files.
pub fn write(folder: &Path, results: &Results, loads: &[Load], size: Size, machine: &[(String, String)]) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("raw.csv"), csv(results))?;
    for (name, chart) in charts(results, size) {
        fs::write(folder.join(name), chart.draw())?;
    }
    fs::write(folder.join("README.md"), page(results, loads, size, machine))?;
    Ok(())
}

/// Returns a line for each figure of each run.
fn csv(results: &Results) -> String {
    let mut csv = String::from("load,case,round,order,contender,counts,figure,value\n");
    for sample in &results.samples {
        let (load, round, order) = (sample.load, sample.round, sample.order);
        let (case, contender) = (sample.case.replace(',', ""), sample.contender.name());
        let counts = results.counts(sample);
        let mut row = |figure: &str, value: &str| {
            let _ = writeln!(
                csv,
                "{load},{case},{round},{order},{contender},{counts},{figure},{value}"
            );
        };
        match &sample.outcome {
            Ok(figures) => figures
                .iter()
                .for_each(|(figure, value)| row(figure, &value.to_string())),
            Err(error) => row("error", &format!("\"{}\"", error.replace('"', "'"))),
        }
    }
    csv
}

fn page(results: &Results, loads: &[Load], size: Size, machine: &[(String, String)]) -> String {
    let mut page = String::from("# Benchmark run\n\n| | |\n|---|---|\n");
    for (name, value) in machine {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    page.push_str(
        "\nA contender runs on one core, the load with the echo or the agent on another. Ratios are of runs in the same round; a \
         cell has the median and, in brackets, the quartiles over the rounds that count. CPU is that of all threads of the \
         contender. A peer message is counted where it is delivered, with its answer and acknowledgement; proxies carry a round \
         trip of the same frame. `raw.csv` has every figure.\n\n## Bars\n\n| what | bar | here | met |\n|---|---|---|---|\n",
    );
    let runs = |bar: &Bar| loads.iter().any(|load| load.name == bar.load);
    for bar in bars(results, size).into_iter().filter(runs) {
        let met = match bar.got {
            _ if bar.bar == "–" => "–",
            None => "not measured",
            Some(_) if results.all_disturbed(bar.load) => "disturbed",
            Some(spread) if (bar.is_met)(spread.median) => "yes",
            Some(_) => "**no**",
        };
        let _ = writeln!(page, "| {} | {} | {} | {met} |", bar.what, bar.bar, cell(bar.got));
    }
    for load in loads {
        let _ = write!(page, "\n## {}\n\n{}.\n", load.name, sentence(load.about));
        if results.all_disturbed(load.name) {
            page.push_str("\n**All rounds were disturbed; these figures are of disturbed rounds.**\n");
        }
        table(&mut page, results, load);
        if load.name == "operate" {
            timeline(&mut page, results);
        }
        for (name, chart) in charts(results, size) {
            if name.strip_suffix(".svg") == Some(load.name) {
                let _ = write!(page, "\n![{}]({name})\n", chart.title);
            }
        }
    }
    trouble(&mut page, results);
    page
}

/// The columns of a load: heading, figure, decimals.
fn columns(load: &str) -> &'static [(&'static str, &'static str)] {
    match load {
        "fanout" => &[
            ("CPU µs", "cpu_us"),
            ("p50 µs", "p50_us"),
            ("p99 µs", "p99_us"),
            ("first to last p99 µs", "spread_p99_us"),
        ],
        "storm" => &[
            ("all in ms", "all_ms"),
            ("CPU µs", "cpu_us"),
            ("p50 µs", "p50_us"),
            ("p99 µs", "p99_us"),
        ],
        "idle" => &[
            ("KiB a client", "client_kib"),
            ("base KiB", "rss_base_kib"),
            ("share back", "returned"),
        ],
        "slow" => &[
            ("p99 µs before", "before_p99_us"),
            ("p99 µs during", "during_p99_us"),
            ("ratio", "p99_ratio"),
            ("RSS growth KiB", "rss_growth_kib"),
            ("closed", "slow_closed"),
            ("close frame", "slow_close_frame"),
        ],
        "replay" => &[
            ("records", "records"),
            ("CPU s", "cpu_seconds"),
            ("records of a core-second", "records_per_core_second"),
        ],
        "redis" => &[
            ("CPU µs", "cpu_us"),
            ("without pings µs", "message_cpu_us"),
            ("Redis CPU µs", "beside_cpu_us"),
            ("p50 µs", "p50_us"),
            ("p99 µs", "p99_us"),
            ("lost", "lost"),
            ("repeated", "repeated"),
            ("commands", "redis_commands"),
            ("all in ms", "all_ms"),
            ("Redis bytes a user", "redis_user_bytes"),
        ],
        "operate" => &[
            ("CPU µs", "cpu_us"),
            ("p50 µs", "p50_us"),
            ("p99 µs", "p99_us"),
            ("longest µs", "max_us"),
            ("lost", "lost"),
            ("reloads", "reloads"),
            ("sessions", "sessions"),
            ("page of 1 000 ms", "page_ms"),
            ("all pages ms", "pages_ms"),
            ("one answer ms", "whole_ms"),
            ("most arrivals / mean", "arrivals_ratio"),
        ],
        _ => &[
            ("CPU µs", "cpu_us"),
            ("p50 µs", "p50_us"),
            ("p99 µs", "p99_us"),
            ("messages/s", "per_second"),
        ],
    }
}

fn table(page: &mut String, results: &Results, load: &Load) {
    let columns = columns(load.name);
    let compared: &[(&str, Contender)] = match load.name {
        "fanout" => &[("CPU / broadcast", Broadcast)],
        "idle" | "slow" | "replay" | "operate" => &[],
        "redis" => &[("CPU / embedded", Embedded)],
        "peer" | "rates" => &[("CPU / floor", Floor), ("CPU / HAProxy", Haproxy)],
        _ => &[("CPU / floor", Floor)],
    };
    let mut heads: Vec<&str> = vec!["case", "contender"];
    heads.extend(columns.iter().map(|(head, _)| *head));
    heads.extend(compared.iter().map(|(head, _)| *head));
    let _ = writeln!(page, "\n| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for case in &load.cases {
        for contender in &case.contenders {
            if results.of(load.name, &case.name, *contender).next().is_none() {
                continue;
            }
            let figures = columns.iter().map(|(_, figure)| {
                let spread = results.spread(load.name, &case.name, *contender, figure);
                spread.map_or("–".into(), |spread| number(spread.median))
            });
            let ratios = compared.iter().map(|(_, to)| {
                let ratio = results.ratio(load.name, &case.name, "cpu_us", *contender, *to);
                cell(ratio.filter(|_| contender != to))
            });
            let cells: Vec<String> = figures.chain(ratios).collect();
            let _ = writeln!(page, "| {} | {} | {} |", case.name, contender.name(), cells.join(" | "));
        }
    }
}

/// Writes the numbers of closed and of arrived clients for each second of a drain.
fn timeline(page: &mut String, results: &Results) {
    let Some(figures) = results
        .of("operate", DRAIN, Pair)
        .find_map(|sample| sample.outcome.as_ref().ok())
    else {
        return;
    };
    for name in ["closes", "arrivals"] {
        let seconds = (0..100).map_while(|second| figures.get(&format!("{name}_{second:02}")));
        let seconds: Vec<String> = seconds.map(ToString::to_string).collect();
        let _ = write!(page, "\nDrain, {name} in each second: {}.\n", seconds.join(", "));
    }
}

/// Lists losses, refusals, closes, disturbances and failures.
fn trouble(page: &mut String, results: &Results) {
    page.push_str("\n## Trouble\n\n");
    let mut none = true;
    for ((load, round), why) in &results.disturbed {
        let _ = writeln!(page, "- {load}, round {round} does not count: {why}.");
        none = false;
    }
    for sample in &results.samples {
        let run = format!(
            "{}, {}, {}, round {}",
            sample.load,
            sample.case,
            sample.contender.name(),
            sample.round
        );
        match &sample.outcome {
            Err(error) => {
                let _ = writeln!(page, "- {run}: failed: {error}");
                none = false;
            }
            Ok(figures) => {
                let bad: Vec<String> = ["lost", "refused", "unanswered", "closed", "others_closed"]
                    .iter()
                    .filter_map(|name| Some((name, figures.get(*name).filter(|value| **value != 0.0)?)))
                    .map(|(name, value)| format!("{value} {name}"))
                    .collect();
                if !bad.is_empty() {
                    let _ = writeln!(page, "- {run}: {}", bad.join(", "));
                    none = false;
                }
            }
        }
    }
    if none {
        page.push_str("None: every message arrived once and every call was answered.\n");
    }
}

fn charts(results: &Results, size: Size) -> Vec<(&'static str, Chart)> {
    let cost = |load: &str, steps: &[usize], contenders: &[Contender]| {
        let line = |contender: &Contender| Line {
            name: contender.name().into(),
            points: steps
                .iter()
                .filter_map(|step| {
                    let spread = results.spread(load, &step.to_string(), *contender, "cpu_us")?;
                    Some((*step as f64, (spread.median * 10.0).round() / 10.0))
                })
                .collect(),
        };
        let lines = contenders.iter().map(line);
        lines.filter(|line| !line.points.is_empty()).collect::<Vec<_>>()
    };
    let memory = [Haproxy, Nginx, Relay, Floor, Embedded].iter().filter_map(|contender| {
        let sample = results.of("idle", "idle", *contender).next()?;
        let points = idle_steps(size).into_iter().filter_map(|step| {
            let kib = sample.figure(&format!("rss_{step}_kib"))?;
            Some((step as f64, kib / 1024.0))
        });
        let points: Vec<(f64, f64)> = [(0.0, sample.figure("rss_base_kib")? / 1024.0)]
            .into_iter()
            .chain(points)
            .collect();
        Some(Line {
            name: contender.name().into(),
            points,
        })
    });
    let charts = [
        (
            "fanout.svg",
            Chart {
                title: "CPU of a delivery by members of the channel".into(),
                x: "members",
                y: "µs",
                log_x: true,
                lines: cost("fanout", &MEMBERS, &[Broadcast, Embedded]),
            },
        ),
        (
            "clients.svg",
            Chart {
                title: "CPU of a peer message by connected clients, 4 000 messages/s in all".into(),
                x: "clients",
                y: "µs",
                log_x: true,
                lines: cost("clients", &connections(size), &[Floor, Embedded]),
            },
        ),
        (
            "idle.svg",
            Chart {
                title: "Resident memory by idle clients".into(),
                x: "clients",
                y: "MiB",
                log_x: false,
                lines: memory.collect(),
            },
        ),
    ];
    charts
        .into_iter()
        .filter(|(_, chart)| !chart.lines.is_empty())
        .collect()
}

fn cell(spread: Option<Spread>) -> String {
    match spread {
        None => "–".into(),
        Some(spread) if spread.count == 1 => number(spread.median),
        Some(spread) => format!(
            "{} ({}–{})",
            number(spread.median),
            number(spread.low),
            number(spread.high)
        ),
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        small if small < 10.0 => format!("{value:.2}"),
        medium if medium < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
