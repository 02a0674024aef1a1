//! The bars: what is required, and what was found.

use super::Results;
use super::contender::Contender::*;
use super::plan::{
    COMMANDS, DRAIN, LOGINS, MAIN, MEMBERS, MEMORY, RELOADED, SESSIONS, Size, TWO, VIEWED, idle_steps, logged_in,
};
use crate::stats::Spread;

/// A requirement and what was found.
pub struct Bar {
    pub load: &'static str,
    pub what: &'static str,
    pub bar: &'static str,
    pub got: Option<Spread>,
    /// Whether the median is good enough.
    pub is_met: fn(f64) -> bool,
}

/// Returns all bars.
pub fn bars(results: &Results, size: Size) -> Vec<Bar> {
    let mut bars = translation(results, size);
    bars.extend(redis(results, size));
    bars.extend(operation(results));
    bars
}

/// Those of the translation and its cost.
fn translation(results: &Results, size: Size) -> Vec<Bar> {
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

/// Those of RTM on Redis.
fn redis(results: &Results, size: Size) -> Vec<Bar> {
    let two = |figure: &str| results.spread("redis", TWO, RedisTwo, figure);
    let commands = |case: &str| results.spread("redis", case, RedisTwo, "redis_commands");
    let [peer, ten, hundred] = COMMANDS.map(|(case, _)| commands(case));
    let name = |clients: usize| format!("{clients} logged in");
    let most = logged_in(size).last().copied().map(name).unwrap_or_default();
    let flat = results.ratio_of_cases("redis", "message_cpu_us", (&most, Redis), (&name(100), Redis));
    let bar = |what, bar, got, is_met| Bar {
        load: "redis",
        what,
        bar,
        got,
        is_met,
    };
    vec![
        bar(
            "CPU of a delivered peer message inside sigbridge, redis / embedded",
            "≤ 3",
            results.ratio("redis", MAIN, "cpu_us", Redis, Embedded),
            |ratio| ratio <= 3.0,
        ),
        bar(
            "p50 from one sidecar to another at 2 000/s, ms",
            "≤ 2",
            two("p50_us").map(|spread| spread.times(0.001)),
            |millis| millis <= 2.0,
        ),
        bar("lost or refused of them", "0", two("missed"), |lost| lost == 0.0),
        bar("Redis commands of a peer message", "≤ 3", peer, |count| count <= 3.0),
        bar(
            "Redis commands of a channel message, 10 members on 2 sidecars",
            "≤ 4",
            ten,
            |count| count <= 4.0,
        ),
        bar("the same, 100 members", "≤ 4", hundred, |count| count <= 4.0),
        bar(
            "10 000 logins at two sidecars (fewer where files are fewer), s",
            "≤ 10",
            results
                .spread("redis", LOGINS, RedisTwo, "all_ms")
                .map(|spread| spread.times(0.001)),
            |seconds| seconds <= 10.0,
        ),
        bar(
            "memory of Redis for an idle user, bytes",
            "≤ 1 000",
            results.spread("redis", MEMORY, Redis, "redis_user_bytes"),
            |bytes| bytes <= 1000.0,
        ),
        bar(
            "CPU of a message without pings, most users / 100 users",
            "flat: ≤ 1.15",
            flat,
            |ratio| ratio <= 1.15,
        ),
    ]
}

/// Those of the operation of a sidecar.
fn operation(results: &Results) -> Vec<Bar> {
    let of = |case: &str, contender, figure: &str| results.spread("operate", case, contender, figure);
    let bar = |what, bar, got, is_met| Bar {
        load: "operate",
        what,
        bar,
        got,
        is_met,
    };
    vec![
        bar(
            "reloads of config and tables at 4 000/s: lost or refused",
            "0",
            of(RELOADED, Folder, "missed"),
            |lost| lost == 0.0,
        ),
        bar(
            "the same: longest delay of a message, ms",
            "≤ 100",
            of(RELOADED, Folder, "max_us").map(|spread| spread.times(0.001)),
            |millis| millis <= 100.0,
        ),
        bar(
            "10 000 sessions listed: the console's page of 1 000, ms",
            "< 50",
            of(SESSIONS, Embedded, "page_ms"),
            |millis| millis < 50.0,
        ),
        bar(
            "10 000 sessions listed in one answer, ms",
            "< 50",
            of(SESSIONS, Embedded, "whole_ms"),
            |millis| millis < 50.0,
        ),
        bar(
            "5 000 clients drained over 20 s: most arrivals in a second / mean",
            "≤ 1.3",
            of(DRAIN, Pair, "arrivals_ratio"),
            |ratio| ratio <= 1.3,
        ),
        bar(
            "CPU of a message, one session viewed live / none",
            "≤ 1.05",
            results.ratio_of_cases("operate", "cpu_us", (VIEWED, Embedded), (MAIN, Embedded)),
            |ratio| ratio <= 1.05,
        ),
    ]
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
