//! What is written of a suite: raw figures, a page with the ratios, and charts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Results;
use super::contender::Contender::{self, *};
use super::plan::{Load, MAIN, MEMBERS, Size, connections, idle_steps};
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

/// A requirement and what was found.
struct Bar {
    load: &'static str,
    what: &'static str,
    bar: &'static str,
    got: Option<Spread>,
    /// Whether the median is good enough.
    is_met: fn(f64) -> bool,
}

fn bars(results: &Results, size: Size) -> Vec<Bar> {
    let to = |load: &str, case: &str, figure: &str, of, to| results.ratio(load, case, figure, of, to);
    let main = |figure, of, to| results.ratio("peer", MAIN, figure, of, to);
    let idle = |figure: &str| results.spread("idle", "idle", Embedded, figure);
    let closed_loop = |of| to("saturation", "closed loop", "cpu_us", Floor, of);
    let step = idle_steps(size).last().copied().unwrap_or_default();
    let mut bars = vec![
        Bar {
            load: "peer",
            what: "CPU of a delivered peer message, embedded / floor",
            bar: "≤ 1.15; above 1.35 is not done",
            got: main("cpu_us", Embedded, Floor),
            is_met: |ratio| ratio <= 1.15,
        },
        Bar {
            load: "peer",
            what: "p50 of it",
            bar: "≤ 1.2",
            got: main("p50_us", Embedded, Floor),
            is_met: |ratio| ratio <= 1.2,
        },
        Bar {
            load: "peer",
            what: "p99 of it",
            bar: "≤ 1.5",
            got: main("p99_us", Embedded, Floor),
            is_met: |ratio| ratio <= 1.5,
        },
        Bar {
            load: "saturation",
            what: "saturation: messages of a CPU second, embedded / floor",
            bar: "≥ 0.75",
            got: closed_loop(Embedded),
            is_met: |ratio| ratio >= 0.75,
        },
    ];
    for (members, what) in MEMBERS.into_iter().zip([
        "fan-out, 2 members: CPU of a delivery, embedded / broadcast",
        "fan-out, 10 members",
        "fan-out, 100 members",
        "fan-out, 1 000 members",
    ]) {
        bars.push(Bar {
            load: "fanout",
            what,
            bar: if members == 2 { "–" } else { "≤ 1.3" },
            got: to("fanout", &members.to_string(), "cpu_us", Embedded, Broadcast),
            is_met: |ratio| ratio <= 1.3,
        });
    }
    bars.extend([
        Bar {
            load: "fanout",
            what: "fan-out, 10 to 1 000 members: dearest / cheapest delivery",
            bar: "≤ 1.3",
            got: flatness(results),
            is_met: |ratio| ratio <= 1.3,
        },
        Bar {
            load: "idle",
            what: "idle client: KiB, slope over all numbers of clients",
            bar: "≤ 9",
            got: idle("client_kib"),
            is_met: |kib| kib <= 9.0,
        },
        Bar {
            load: "idle",
            what: "idle client: KiB at the largest number / slope (linear: 1)",
            bar: "≤ 1.2",
            got: results.of("idle", "idle", Embedded).next().and_then(|sample| {
                let last = sample.figure(&format!("client_{step}_kib"))?;
                Spread::of(vec![last / sample.figure("client_kib")?])
            }),
            is_met: |ratio| ratio <= 1.2,
        },
        Bar {
            load: "idle",
            what: "memory that is back 30 s after the clients have left, share",
            bar: "≥ 0.8",
            got: idle("returned"),
            is_met: |share| share >= 0.8,
        },
        two_cores(results),
        Bar {
            load: "slow",
            what: "slow consumer, 1 of 100: p99 of the others, while it does not read / before",
            bar: "≤ 1.1",
            got: results.spread("slow", "1 of 100", Embedded, "p99_ratio"),
            is_met: |ratio| ratio <= 1.1,
        },
        Bar {
            load: "peer",
            what: "agent link: CPU of a message inside sigbridge, agent / embedded",
            bar: "≤ 1.2",
            got: main("cpu_us", Agent, Embedded),
            is_met: |ratio| ratio <= 1.2,
        },
        Bar {
            load: "peer",
            what: "recording at 4 000 messages/s: % of a core",
            bar: "≤ 8",
            got: recording(results),
            is_met: |percent| percent <= 8.0,
        },
        Bar {
            load: "replay",
            what: "replay: records of a core-second",
            bar: "≥ 400 000",
            got: results.spread("replay", MAIN, Recording, "records_per_core_second"),
            is_met: |records| records >= 400_000.0,
        },
    ]);
    bars
}

/// With three cores the throughput on two of them is measured. With two, the load needs one of them, and only the cost of
/// sharing can be: CPU of a message on two cores against one. It gives the most that two cores can do.
fn two_cores(results: &Results) -> Bar {
    let (figure, what) = if cores() > 2 {
        ("per_second", "two cores: throughput / that of one")
    } else {
        (
            "cpu_us",
            "two cores: twice the CPU of a message on one core / on two (a bound: the load needs a core)",
        )
    };
    let got = if cores() > 2 {
        results.ratio("saturation", "closed loop", figure, TwoCores, Embedded)
    } else {
        results
            .ratio("saturation", "closed loop", figure, Embedded, TwoCores)
            .map(|spread| spread.times(2.0))
    };
    Bar {
        load: "saturation",
        what,
        bar: "≥ 1.7",
        got,
        is_met: |ratio| ratio >= 1.7,
    }
}

/// Returns how many cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns, of each round, the dearest delivery against the cheapest, from 10 members on.
fn flatness(results: &Results) -> Option<Spread> {
    let rounds = results
        .samples
        .iter()
        .filter(|sample| sample.load == "fanout")
        .map(|sample| sample.round)
        .max()?;
    let ratios = (0..=rounds).filter_map(|round| {
        let costs: Option<Vec<f64>> = MEMBERS[1..]
            .iter()
            .map(|members| {
                let members = members.to_string();
                let mut samples = results.of("fanout", &members, Embedded);
                samples.find(|sample| sample.round == round)?.figure("cpu_us")
            })
            .collect();
        let costs = costs?;
        let low = costs.iter().copied().fold(f64::INFINITY, f64::min);
        Some(costs.into_iter().fold(0.0, f64::max) / low)
    });
    Spread::of(ratios.collect())
}

/// Returns what recording takes of a core at the main load, in percent.
fn recording(results: &Results) -> Option<Spread> {
    let shares = results.of("peer", MAIN, Recording).filter_map(|sample| {
        let mut others = results.of("peer", MAIN, Embedded);
        let other = others.find(|other| other.round == sample.round)?;
        Some((sample.figure("core_share")? - other.figure("core_share")?) * 100.0)
    });
    Spread::of(shares.collect())
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
    for bar in bars(results, size) {
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
            ("told close", "slow_told_close"),
        ],
        "replay" => &[
            ("records", "records"),
            ("CPU s", "cpu_seconds"),
            ("records of a core-second", "records_per_core_second"),
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
        "idle" | "slow" | "replay" => &[],
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

/// Lists what was lost, refused, closed, disturbed or failed.
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
