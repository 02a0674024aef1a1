//! Metrics of the process, of its runtime and of the build, read when they are asked for.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Reader of `/proc/self`. On other systems its metrics are absent.
#[derive(Debug)]
pub struct Process;

/// Reader of the metrics of the async runtime.
#[derive(Debug)]
pub struct Runtime;

/// Clock ticks of a second in `/proc/self/stat`; Linux has no other value for programs.
const TICKS: f64 = 100.0;
/// Bytes of a memory page.
const PAGE: u64 = 4096;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stat = text("/proc/self/stat");
        // The command's name in parentheses may contain anything.
        let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after.split(' ').collect();
        let number = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
        if let (Some(user), Some(system)) = (number(11), number(12)) {
            let seconds = (user + system) as f64 / TICKS;
            let help = "CPU time of the process, user and system";
            let counter = ConstCounter::new(seconds);
            let encoder =
                encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), counter.metric_type())?;
            counter.encode(encoder)?;
        }
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
        };
        if let Some(threads) = number(17) {
            gauge("process_threads", "Threads of the process", None, threads as f64)?;
        }
        if let (Some(started), Some(booted)) = (number(19), boot_time()) {
            let help = "Start of the process, in seconds of UNIX time";
            let at = booted as f64 + started as f64 / TICKS;
            gauge("process_start_time", help, Some(&Unit::Seconds), at)?;
        }
        if let Some(size) = number(20) {
            let help = "Virtual memory of the process";
            gauge("process_virtual_memory", help, Some(&Unit::Bytes), size as f64)?;
        }
        if let Some(pages) = number(21) {
            let help = "Resident memory of the process";
            gauge(
                "process_resident_memory",
                help,
                Some(&Unit::Bytes),
                (pages * PAGE) as f64,
            )?;
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            gauge("process_open_fds", "Open file descriptors", None, open.count() as f64)?;
        }
        let limits = text("/proc/self/limits");
        let most = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let most = most.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        if let Some(most) = most {
            gauge("process_max_fds", "Limit of open file descriptors", None, most as f64)?;
        }
        Ok(())
    }
}

impl Collector for Runtime {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Ok(handle) = tokio::runtime::Handle::try_current() else {
            return Ok(());
        };
        let metrics = handle.metrics();
        let workers = metrics.num_workers();
        let busy: f64 = (0..workers)
            .map(|worker| metrics.worker_total_busy_duration(worker).as_secs_f64())
            .sum();
        let parks: u64 = (0..workers).map(|worker| metrics.worker_park_count(worker)).sum();
        let busy = ConstCounter::new(busy);
        let help = "Time in which the runtime's workers were busy";
        busy.encode(encoder.encode_descriptor("tokio_busy", help, Some(&Unit::Seconds), busy.metric_type())?)?;
        let parks = ConstCounter::new(parks);
        let help = "Times that a worker of the runtime had nothing to do";
        parks.encode(encoder.encode_descriptor("tokio_parks", help, None, parks.metric_type())?)?;
        let mut gauge = |name: &str, help: &str, value: usize| {
            let gauge = ConstGauge::new(value as f64);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("tokio_workers", "Worker threads of the runtime", workers)?;
        gauge("tokio_tasks", "Tasks that have not ended", metrics.num_alive_tasks())?;
        gauge(
            "tokio_queue",
            "Tasks that wait in the runtime's global queue",
            metrics.global_queue_depth(),
        )
    }
}

/// Returns the boot time in seconds of UNIX time.
fn boot_time() -> Option<u64> {
    let stat = text("/proc/stat");
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

/// Reads a file of the system.
fn text(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
