//! Rounds: the cases of a load in random order, between two runs of the echo itself that show whether the machine was quiet.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::contender::{Contender, Place, Running};
use super::plan::{Case, Load};
use super::{Results, Sample, reload};
use crate::load::Figures;

/// Maximum ratio between the p50 of both runs of the echo.
const DRIFT: f64 = 0.15;
/// Maximum delay of the load for 99 % of its messages, in microseconds, in runs of more than [`MANY`] messages.
const SLIP: f64 = 2000.0;
const MANY: f64 = 1000.0;

/// The runner of loads.
#[derive(Debug)]
pub struct Runner {
    pub place: Place,
    pub begun: Instant,
    /// True if contents are JSON.
    pub json: bool,
    /// Time limit of repetitions of disturbed rounds.
    pub spare: Duration,
    /// A seed for the order.
    pub noise: u64,
}

impl Runner {
    /// Runs all rounds of a load.
    ///
    /// # Errors
    /// A machine that starts no program. A failed contender is a result.
    pub fn run(&mut self, load: &Load, results: &mut Results) -> Result<()> {
        self.say(&format!("{}: {}", load.name, load.about));
        match load.name {
            "idle" => return self.idle(load, results),
            "replay" => return self.replay(load, results),
            _ => {}
        }
        let (mut kept, mut round) = (0, 0);
        while kept < load.rounds {
            let begun = Instant::now();
            kept += 1;
            if let Some(why) = self.round(load, round, results)? {
                self.say(&format!("round {round} was disturbed: {why}"));
                results.disturbed.insert((load.name, round), why);
                if let Some(spare) = self.spare.checked_sub(begun.elapsed()) {
                    (self.spare, kept) = (spare, kept - 1);
                }
            }
            round += 1;
        }
        Ok(())
    }

    /// Runs a round and returns what disturbed it.
    fn round(&mut self, load: &Load, round: usize, results: &mut Results) -> Result<Option<String>> {
        let mut runs: Vec<(&Case, Contender)> = Vec::new();
        for case in &load.cases {
            runs.extend(case.contenders.iter().map(|contender| (case, *contender)));
        }
        for last in (1..runs.len()).rev() {
            runs.swap(last, self.random(last + 1));
        }
        let direct = Case {
            name: "direct".into(),
            args: "peer --rate 4000 --bytes 200 --warmup 0.5 --seconds 1.5"
                .split(' ')
                .map(Into::into)
                .collect(),
            contenders: vec![Contender::Direct],
            reloads: 0,
        };
        runs.insert(0, (&direct, Contender::Direct));
        runs.push((&direct, Contender::Direct));

        let first = results.samples.len();
        for (order, (case, contender)) in runs.into_iter().enumerate() {
            let outcome = self.measure(case, contender).map_err(|error| self.error(&error));
            let sample = Sample {
                load: load.name,
                case: case.name.clone(),
                round,
                order,
                contender,
                outcome,
            };
            self.say(&format!("  {round} {}", line(&sample)));
            results.samples.push(sample);
        }
        Ok(disturbance(&results.samples[first..]))
    }

    /// Runs a load once against a contender that is started for it.
    fn measure(&self, case: &Case, contender: Contender) -> Result<Figures> {
        let mut running = Running::start(contender, &self.place)?;
        let loading = self.load(case, contender, &running, &self.place)?;
        let reloads = match case.reloads {
            0 => None,
            times => Some(reload::run(&self.place, &running, contender.name(), times)?),
        };
        let mut figures = loading.figures()?;
        if let Some(reloads) = reloads {
            figures.insert("reloads".into(), reloads as f64);
        }
        running.stop();
        let _ = fs::remove_dir_all(self.place.traces());
        Ok(figures)
    }

    fn load(&self, case: &Case, contender: Contender, running: &Running, place: &Place) -> Result<Loading> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).args(place.priority());
        command.arg(place.programs.join("load")).args(&case.args);
        let pids: Vec<String> = running.pids.iter().map(ToString::to_string).collect();
        command.args(["--address", &running.addresses.join(","), "--pid", &pids.join(",")]);
        if let Some(admin) = &running.admin {
            command.args(["--admin", admin]);
        }
        if let Some((address, pid)) = &running.redis {
            command.args(["--redis", address, "--beside", &pid.to_string()]);
        }
        command.args(["--core", &place.cores.1.to_string()]);
        if contender.is_proxy() {
            command.arg("--echo");
        }
        if self.json {
            command.arg("--json");
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(Loading(command.spawn().context("the load does not start")?))
    }

    /// Reads the memory of all contenders in parallel, since most of the time is waiting.
    fn idle(&mut self, load: &Load, results: &mut Results) -> Result<()> {
        for case in &load.cases {
            let mut runs = Vec::new();
            for (order, contender) in case.contenders.iter().enumerate() {
                let mut place = self.place.clone();
                place.work = place.work.join(contender.name());
                place.port += 10 * order as u16;
                fs::create_dir_all(&place.work)?;
                let started = Running::start(*contender, &place).and_then(|running| {
                    let loading = self.load(case, *contender, &running, &place)?;
                    Ok((running, loading))
                });
                runs.push((order, *contender, started));
            }
            for (order, contender, started) in runs {
                let outcome = started.and_then(|(_running, loading)| loading.figures());
                let sample = Sample {
                    load: load.name,
                    case: case.name.clone(),
                    round: 0,
                    order,
                    contender,
                    outcome: outcome.map_err(|error| self.error(&error)),
                };
                self.say(&format!("  {}", line(&sample)));
                results.samples.push(sample);
            }
        }
        Ok(())
    }

    /// Records the load, then plays the recording three times.
    fn replay(&mut self, load: &Load, results: &mut Results) -> Result<()> {
        for case in &load.cases {
            let outcome = self.record(case).and_then(|()| self.play());
            let sample = Sample {
                load: load.name,
                case: case.name.clone(),
                round: 0,
                order: 0,
                contender: Contender::Recording,
                outcome: outcome.map_err(|error| self.error(&error)),
            };
            self.say(&format!("  {}", line(&sample)));
            results.samples.push(sample);
        }
        Ok(())
    }

    fn record(&self, case: &Case) -> Result<()> {
        let running = Running::start(Contender::Recording, &self.place)?;
        self.load(case, Contender::Recording, &running, &self.place)?
            .figures()?;
        // Sessions end some time after their clients, and a trace with the last of them.
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    }

    fn play(&self) -> Result<Figures> {
        let traces = self.place.traces();
        let mut records = 0;
        for file in fs::read_dir(&traces)? {
            records += fs::read(file?.path())?.iter().filter(|byte| **byte == b'\n').count();
        }
        let mut cpu = 0.0;
        for _ in 0..3 {
            let mut command = Command::new("taskset");
            command.args(["-c", &self.place.cores.0.to_string()]);
            command.arg(&self.place.sigbridge).arg("replay").arg(&traces);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            let pid = rustix::process::Pid::from_child(&child);
            let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
            rustix::process::waitid(rustix::process::WaitId::Pid(pid), ended)?;
            // Its CPU time can be read, in hundredths of a second, until it is reaped.
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
            let (_, fields) = stat.rsplit_once(") ").context("an odd stat")?;
            let ticks = fields
                .split(' ')
                .skip(11)
                .take(2)
                .filter_map(|ticks| ticks.parse::<f64>().ok());
            cpu += ticks.sum::<f64>() / 100.0;
            let status = child.wait()?;
            ensure!(status.success(), "sigbridge replay: {status}");
        }
        Ok(Figures::from([
            ("records".into(), records as f64),
            ("cpu_seconds".into(), cpu / 3.0),
            ("records_per_core_second".into(), 3.0 * records as f64 / cpu),
        ]))
    }

    /// Returns an error as it is reported.
    fn error(&self, error: &anyhow::Error) -> String {
        self.place.hide(&format!("{error:#}"))
    }

    /// Prints a line of progress, with the time since the start.
    pub fn say(&self, text: &str) {
        eprintln!("{:>4} s  {text}", self.begun.elapsed().as_secs());
    }

    fn random(&mut self, below: usize) -> usize {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise % below as u64) as usize
    }
}

/// A running load generator.
struct Loading(std::process::Child);

impl Loading {
    fn figures(self) -> Result<Figures> {
        let output = self.0.wait_with_output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", errors.trim_end().replace('\n', "; "));
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Returns the reason to discard a round: different figures of the echo before and after, or a late load.
fn disturbance(samples: &[Sample]) -> Option<String> {
    let p50: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.contender == Contender::Direct)
        .filter_map(|sample| sample.figure("p50_us"))
        .collect();
    let [before, after] = p50[..] else {
        return Some("the echo was not measured twice".into());
    };
    if (before - after).abs() > DRIFT * before.min(after) {
        return Some(format!(
            "the echo's p50 was {before:.0} µs before and {after:.0} µs after"
        ));
    }
    let is_late = |sample: &&Sample| sample.figure("slip_p99_us") > Some(SLIP) && sample.figure("sent") > Some(MANY);
    let late = samples.iter().find(is_late)?;
    let slip = late.figure("slip_p99_us")? / 1000.0;
    let (case, name) = (&late.case, late.contender.name());
    Some(format!(
        "the load was {slip:.1} ms late with 1 % of its messages ({case}, {name})"
    ))
}

/// Returns a line about a run.
fn line(sample: &Sample) -> String {
    let name = format!("{} {}", sample.case, sample.contender.name());
    match &sample.outcome {
        Err(error) => format!("{name}: FAILED: {error}"),
        Ok(figures) => {
            const SHOWN: [&str; 21] = [
                "cpu_us",
                "p50_us",
                "p99_us",
                "per_second",
                "all_ms",
                "beside_cpu_us",
                "message_cpu_us",
                "redis_commands",
                "redis_user_bytes",
                "max_us",
                "reloads",
                "page_ms",
                "arrivals_ratio",
                "p99_ratio",
                "client_kib",
                "returned",
                "records_per_core_second",
                "slow_closed",
                "lost",
                "repeated",
                "closed",
            ];
            let shown = SHOWN
                .iter()
                .filter_map(|name| Some(format!("{name} {:.1}", figures.get(*name)?)));
            format!("{name}: {}", shown.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(contender: Contender, p50: f64, slip: f64) -> Sample {
        Sample {
            load: "peer",
            case: "4000".into(),
            round: 0,
            order: 0,
            contender,
            outcome: Ok(Figures::from([
                ("p50_us".into(), p50),
                ("slip_p99_us".into(), slip),
                ("sent".into(), 16000.0),
            ])),
        }
    }

    #[test]
    fn a_round_counts_when_the_machine_was_quiet() {
        let floor = |slip| run(Contender::Floor, 80.0, slip);
        let direct = |p50| run(Contender::Direct, p50, 100.0);
        assert_eq!(disturbance(&[direct(60.0), floor(100.0), direct(68.0)]), None);
        assert!(
            disturbance(&[direct(60.0), floor(100.0), direct(70.0)])
                .unwrap()
                .contains("70 µs after")
        );
        assert!(
            disturbance(&[direct(60.0), floor(2100.0), direct(60.0)])
                .unwrap()
                .contains("2.1 ms late")
        );
        assert!(disturbance(&[direct(60.0), floor(100.0)]).is_some());
    }
}
