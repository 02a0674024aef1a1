//! Loads, their cases and their contenders.

use super::contender::Contender::{self, *};

/// A load with its cases, which are run in rounds.
#[derive(Clone, Debug)]
pub struct Load {
    pub name: &'static str,
    pub about: &'static str,
    pub rounds: usize,
    /// True for a load that runs only by name: all others together take less than 15 minutes.
    pub apart: bool,
    pub cases: Vec<Case>,
}

/// One setting of a load.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// Arguments of the load generator.
    pub args: Vec<String>,
    pub contenders: Vec<Contender>,
    /// Reloads of config and tables while the load runs, one a second.
    pub reloads: usize,
}

/// Duration and size of the runs.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub warmup: f64,
    pub seconds: f64,
    /// Number of clients that the limit of open files allows.
    pub clients: usize,
    /// Number of clients of a program with one file for each.
    pub sessions: usize,
    /// Seconds after which memory is read once more.
    pub after: u64,
}

/// The case that most bars refer to.
pub const MAIN: &str = "4000/s, 200 B";
/// Members of a channel.
pub const MEMBERS: [usize; 4] = [2, 10, 100, 1000];

/// Returns the numbers of clients that share a total of messages.
pub fn connections(size: Size) -> Vec<usize> {
    let steps = [100, 1000, 4000, 9500];
    steps.into_iter().filter(|step| *step <= size.clients).collect()
}

/// Returns the numbers of idle clients at which memory is read.
pub fn idle_steps(size: Size) -> Vec<usize> {
    match size.clients {
        9500.. => vec![1000, 5000, 9500],
        fewer => vec![fewer / 10, fewer / 2, fewer],
    }
}

/// Returns the numbers of clients that are logged in while 100 of them exchange messages.
pub fn logged_in(size: Size) -> Vec<usize> {
    let steps = [100, 1000, 5000, 10_000];
    let mut steps: Vec<usize> = steps.into_iter().filter(|step| *step <= size.sessions).collect();
    if !steps.contains(&size.sessions) {
        steps.push(size.sessions);
    }
    steps
}

/// Returns all loads, in the order in which they run.
pub fn loads(size: Size) -> Vec<Load> {
    let span = |seconds: f64| format!("--warmup {} --seconds {seconds}", size.warmup);
    let long = span(size.seconds);
    let short = span(size.seconds * 0.75);
    let shorter = span(size.seconds * 0.5);
    let servers = vec![Floor, Embedded];
    let rates = [(1000, 200), (1000, 2000), (4000, 2000), (10_000, 200), (10_000, 2000)];
    vec![
        Load {
            name: "peer",
            about: "peer messages between 100 clients at the rate that most bars are about; proxies: round trips",
            apart: false,
            rounds: 5,
            cases: vec![case(
                MAIN,
                format!("peer --rate 4000 --bytes 200 {long}"),
                &[Haproxy, Nginx, Relay, Floor, Embedded, Agent, Recording],
            )],
        },
        Load {
            name: "rates",
            about: "peer messages between 100 clients at other rates and sizes",
            apart: false,
            rounds: 2,
            cases: rates
                .map(|(rate, bytes)| {
                    let name = format!("{rate}/s, {bytes} B");
                    let args = format!("peer --rate {rate} --bytes {bytes} {shorter}");
                    case(name, args, &[Haproxy, Floor, Embedded])
                })
                .into(),
        },
        Load {
            name: "saturation",
            about: "100 clients that send the next message when the last one is answered and delivered, 200 B",
            apart: false,
            rounds: 3,
            cases: vec![case(
                "closed loop",
                format!("peer --closed --bytes 200 {short}"),
                &[Haproxy, Relay, Floor, Embedded, Agent, TwoCores],
            )],
        },
        Load {
            name: "fanout",
            about: "one sender, 8 000 deliveries a second in all, 200 B",
            apart: false,
            rounds: 3,
            cases: MEMBERS
                .map(|members| {
                    let args = format!("fanout --members {members} --rate 8000 --bytes 200 {short}");
                    case(members.to_string(), args, &[Broadcast, Embedded])
                })
                .into(),
        },
        Load {
            name: "storm",
            about: "5 000 logins, a connection every 250 µs",
            apart: false,
            rounds: 3,
            cases: vec![case(
                "5000",
                format!("storm --clients {}", size.clients.min(5000)),
                &servers,
            )],
        },
        Load {
            name: "slow",
            about: "one of 100 members of a channel stops reading; 8 000 deliveries a second of 4 000 B",
            apart: false,
            rounds: 2,
            cases: vec![case(
                "1 of 100",
                format!("slow --members 100 --rate 8000 --bytes 4000 {long}"),
                &[Broadcast, Embedded],
            )],
        },
        Load {
            name: "clients",
            about: "4 000 peer messages a second in all between more and more clients, 200 B",
            apart: false,
            rounds: 2,
            cases: connections(size)
                .into_iter()
                .map(|clients| {
                    let args = format!("peer --clients {clients} --rate 4000 --bytes 200 {shorter}");
                    case(clients.to_string(), args, &servers)
                })
                .collect(),
        },
        Load {
            name: "idle",
            about: "clients that only ping; all contenders at the same time",
            apart: false,
            rounds: 1,
            cases: vec![case(
                "idle",
                format!("idle --after {} --steps {}", size.after, join(&idle_steps(size))),
                &[Haproxy, Nginx, Relay, Floor, Embedded],
            )],
        },
        Load {
            name: "replay",
            about: "`sigbridge replay` of a recording of the main load",
            apart: false,
            rounds: 1,
            cases: vec![case(MAIN, format!("peer --rate 4000 --bytes 200 {long}"), &[Recording])],
        },
        redis(size),
        operate(size),
    ]
}

/// Names of the cases that bars refer to.
pub const TWO: &str = "two sidecars, 2000/s";
pub const COMMANDS: [(&str, usize); 3] = [
    ("commands, peer", 0),
    ("commands, 10 members", 10),
    ("commands, 100 members", 100),
];
pub const LOGINS: &str = "logins";
pub const MEMORY: &str = "memory of Redis";

fn redis(size: Size) -> Load {
    let span = format!("--warmup {} --seconds {}", size.warmup, size.seconds);
    let mut cases = vec![
        case(MAIN, format!("peer --rate 4000 --bytes 200 {span}"), &[Embedded, Redis]),
        case(TWO, format!("peer --rate 2000 --bytes 200 {span}"), &[RedisTwo]),
        case(LOGINS, format!("storm --clients {}", size.sessions), &[RedisTwo]),
        case(
            MEMORY,
            format!("idle --after 0 --steps {}", size.sessions / 2),
            &[Redis],
        ),
    ];
    for (name, members) in COMMANDS {
        let load = match members {
            0 => "peer --rate 2000".into(),
            _ => format!("fanout --members {members} --rate 4000"),
        };
        cases.push(case(name, format!("{load} --bytes 200 --commands {span}"), &[RedisTwo]));
    }
    for clients in logged_in(size) {
        let args = format!("peer --rate 4000 --bytes 200 --idle {} {span}", clients - 100);
        cases.push(case(format!("{clients} logged in"), args, &[Redis]));
    }
    Load {
        name: "redis",
        about: "RTM on Redis, with one sidecar and with two; receivers are at another sidecar than their senders",
        apart: true,
        rounds: 3,
        cases,
    }
}

pub const RELOADED: &str = "config and tables reloaded";
pub const VIEWED: &str = "one session viewed";
pub const SESSIONS: &str = "list of sessions";
pub const DRAIN: &str = "drain over 20 s";

fn operate(size: Size) -> Load {
    let span = format!("--warmup {} --seconds {}", size.warmup, size.seconds);
    // Reloads are a second apart, also in a quick run.
    let reloading = size.seconds.max(2.0);
    let clients = size.sessions.min(5000);
    let peer = "peer --rate 4000 --bytes 200";
    let mut cases = vec![
        case(MAIN, format!("{peer} {span}"), &[Embedded]),
        case(VIEWED, format!("{peer} --viewer {span}"), &[Embedded]),
        case(RELOADED, format!("{peer} --warmup 1 --seconds {reloading}"), &[Folder]),
        case(SESSIONS, format!("sessions --clients {}", size.sessions), &[Embedded]),
        case(DRAIN, format!("drain --clients {clients} --spread 20"), &[Pair]),
    ];
    cases[2].reloads = reloading as usize;
    Load {
        name: "operate",
        about: "operation of a sidecar: a live view, reloads, the list of sessions, a drain to another sidecar",
        apart: true,
        rounds: 3,
        cases,
    }
}

fn case(name: impl Into<String>, args: impl AsRef<str>, contenders: &[Contender]) -> Case {
    Case {
        name: name.into(),
        args: args.as_ref().split(' ').map(Into::into).collect(),
        contenders: contenders.to_vec(),
        reloads: 0,
    }
}

fn join(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
