//! The loads. Each opens its clients, measures for a while, and returns its figures by name.

pub mod drain;
pub mod fanout;
pub mod idle;
pub mod peer;
pub mod sessions;
pub mod slow;
pub mod storm;
pub mod target;

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::client::{Call, Event};
use crate::net::{MICROSECOND, Net, SECOND};
use crate::stats::quantile;
use target::Counters;
pub use target::Target;

/// The figures of a run, by name.
pub type Figures = BTreeMap<String, f64>;

/// Longest wait for messages that are on their way at the end of a run.
const DRAIN: u64 = 5 * SECOND;

/// Times of a run, in seconds.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Span {
    /// Seconds before the measurement
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds of the measurement
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
}

/// An open loop: messages are due at a fixed rate, independent of earlier ones.
#[derive(Debug)]
pub struct Pace {
    start: u64,
    end: u64,
    interval: f64,
    sent: u64,
    slips: Vec<u64>,
}

impl Pace {
    /// Makes a pace of `rate` messages a second.
    pub fn new(start: u64, end: u64, rate: f64) -> Self {
        Self {
            start,
            end,
            interval: SECOND as f64 / rate,
            sent: 0,
            slips: Vec::new(),
        }
    }

    /// Returns the due time of the next message.
    pub fn next(&self) -> u64 {
        self.start + (self.sent as f64 * self.interval) as u64
    }

    /// Counts a due message, and returns its number. Its delay is the slip.
    pub fn take(&mut self, now: u64) -> Option<u64> {
        let next = self.next();
        let slip = now.checked_sub(next).filter(|_| next < self.end)?;
        self.slips.push(slip);
        self.sent += 1;
        Some(self.sent - 1)
    }

    fn figures(mut self, figures: &mut Figures) {
        put(figures, "slip_p99_us", micros(quantile(&mut self.slips, 0.99)));
        put(figures, "slip_max_us", micros(quantile(&mut self.slips, 1.0)));
    }
}

/// Counts events, and keeps the latencies of messages that were sent within the span.
#[derive(Debug, Default)]
pub struct Tally {
    from: u64,
    to: u64,
    latencies: Vec<u64>,
    answers: Vec<u64>,
    delivered: u64,
    in_span: u64,
    /// Number of sent messages, and of their deliveries.
    sent: u64,
    expected: u64,
    answered: u64,
    refused: u64,
    polls: u64,
    repeated: u64,
    closed: u64,
    /// Figures of the target in the span.
    counters: Counters,
    /// A client outside of the figures: its deliveries and its end are figures of their own.
    except: Option<usize>,
    excepted: u64,
    ended: Option<&'static str>,
    /// Times of the first and last delivery of each message, if requested.
    times: Option<HashMap<u64, (u64, u64)>>,
}

impl Tally {
    fn new(from: u64, span: Span) -> Self {
        let from = from + seconds(span.warmup);
        Self {
            from,
            to: from + seconds(span.seconds),
            ..Self::default()
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Delivered { client, .. } if self.except == Some(client) => self.excepted += 1,
            Event::Closed { client, reason } if self.except == Some(client) => self.ended = Some(reason),
            Event::Delivered { stamp, at, .. } => {
                if let Some(times) = &mut self.times {
                    times.entry(stamp).or_insert((at, at)).1 = at;
                }
                self.delivered += 1;
                self.in_span += u64::from((self.from..self.to).contains(&at));
                if (self.from..self.to).contains(&stamp) {
                    self.latencies.push(at - stamp);
                }
            }
            Event::Answered {
                call: Call::Send,
                after,
                ok,
                ..
            } => {
                self.answered += 1;
                self.refused += u64::from(!ok);
                self.answers.push(after);
            }
            Event::Answered { call: Call::Poll, .. } => self.polls += 1,
            Event::Repeated { .. } => self.repeated += 1,
            Event::Closed { .. } => self.closed += 1,
            _ => {}
        }
    }

    fn lost(&self) -> f64 {
        self.expected as f64 - self.delivered as f64
    }

    fn figures(mut self, echo: bool, figures: &mut Figures) {
        let span = (self.to - self.from) as f64 / SECOND as f64;
        put(figures, "sent", self.sent as f64);
        put(figures, "delivered", self.delivered as f64);
        put(figures, "lost", self.lost());
        put(figures, "missed", self.lost() + self.refused as f64);
        put(figures, "refused", self.refused as f64);
        put(figures, "repeated", self.repeated as f64);
        put(figures, "closed", self.closed as f64);
        if !echo {
            put(figures, "unanswered", self.sent as f64 - self.answered as f64);
            put(figures, "polls", self.polls as f64);
            put(figures, "answer_p50_us", micros(quantile(&mut self.answers, 0.5)));
        }
        put(figures, "p50_us", micros(quantile(&mut self.latencies, 0.5)));
        put(figures, "p99_us", micros(quantile(&mut self.latencies, 0.99)));
        put(figures, "max_us", micros(quantile(&mut self.latencies, 1.0)));
        put(figures, "per_second", self.in_span as f64 / span);
        if let Some(times) = self.times {
            let mut spreads: Vec<u64> = times.values().map(|(first, last)| last - first).collect();
            put(figures, "spread_p99_us", micros(quantile(&mut spreads, 0.99)));
        }
        let Counters { cpu, beside, .. } = self.counters;
        if cpu > 0 && self.in_span > 0 {
            put(figures, "cpu_us", micros(cpu) / self.in_span as f64);
            put(figures, "core_share", cpu as f64 / (self.to - self.from) as f64);
        }
        if beside > 0 && self.in_span > 0 {
            put(figures, "beside_cpu_us", micros(beside) / self.in_span as f64);
        }
    }
}

/// Runs a load until its span is over: `step` sends due messages and returns the time of its next call.
fn measure(
    net: &mut Net,
    target: &Target,
    tally: &mut Tally,
    mut step: impl FnMut(&mut Net, &[Event], u64) -> u64,
) -> Result<()> {
    let mut first = None;
    let mut events = net.take_events();
    events.clear();
    loop {
        let now = net.now();
        if now >= tally.from && first.is_none() {
            first = Some(target.counters()?);
        }
        let next = step(net, &events, now);
        if now >= tally.to {
            break;
        }
        let boundary = if first.is_none() { tally.from } else { tally.to };
        net.poll(next.min(boundary));
        events = net.take_events();
        events.iter().for_each(|event| tally.take(*event));
    }
    tally.counters = target.counters()?.since(first.unwrap_or_default());
    Ok(())
}

/// Waits until all sent messages have arrived, up to a limit.
fn drain(net: &mut Net, tally: &mut Tally) {
    let end = net.now() + DRAIN;
    while (tally.delivered < tally.expected || (tally.answered < tally.sent && !net.echo)) && net.now() < end {
        net.poll(end);
        net.take_events().into_iter().for_each(|event| tally.take(event));
    }
}

/// Puts the number of Redis commands per delivery.
fn put_commands(figures: &mut Figures, target: &Target, tally: &Tally, deliveries: usize) {
    if target.monitor.is_some() && tally.in_span > 0 {
        let messages = tally.in_span as f64 / deliveries as f64;
        put(figures, "redis_commands", tally.counters.commands as f64 / messages);
    }
}

/// Puts a figure. A ratio to nothing is none.
fn put(figures: &mut Figures, name: &str, value: f64) {
    if value.is_finite() {
        figures.insert(name.into(), value);
    }
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / MICROSECOND as f64
}

fn seconds(seconds: f64) -> u64 {
    (seconds * SECOND as f64) as u64
}
