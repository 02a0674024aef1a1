//! Histograms of work and waits.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use rtm::CallKind;
use runtime::histogram::Histogram;

/// Histograms of work and waits.
#[derive(Debug)]
pub struct Times {
    /// Time in which the engine takes one input; one of 16 is measured.
    pub translate: Histogram,
    /// Time of a frame in the queue of its connection; one of 32 is measured.
    pub outbound: Histogram,
    /// Members of this sidecar that a channel message goes to.
    pub fan_out: Histogram,
    logins: [Histogram; 3],
    /// By call: succeeded, failed.
    rtm_calls: Vec<[Histogram; 2]>,
}

/// Result of a login, for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginResult {
    Accepted,
    Refused,
    Abandoned,
}

impl LoginResult {
    const NAMES: [&'static str; 3] = ["accepted", "refused", "abandoned"];
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Call {
    call: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

type HistogramFamily<L> = Family<L, Histogram, fn() -> Histogram>;

impl Times {
    /// Creates and registers the histograms.
    pub fn register(registry: &mut Registry) -> Self {
        let logins = HistogramFamily::<Result>::new_with_constructor(Histogram::long);
        let calls = HistogramFamily::<Call>::new_with_constructor(Histogram::long);
        let of = |kind: &CallKind| {
            ["ok", "failed"].map(|result| {
                let call = kind.name();
                calls.get_or_create_owned(&Call { call, result })
            })
        };
        let times = Self {
            translate: Histogram::short(),
            outbound: Histogram::short(),
            fan_out: Histogram::counts(),
            logins: LoginResult::NAMES.map(|result| logins.get_or_create_owned(&Result { result })),
            rtm_calls: CallKind::ALL.iter().map(of).collect(),
        };
        registry.register(
            "translate_seconds",
            "Time in which the engine takes one input, measured for one of 16",
            times.translate.clone(),
        );
        registry.register("login_seconds", "Time from a login to its answer, by result", logins);
        registry.register(
            "rtm_call_seconds",
            "Time from an RTM call of a session to its reply, by call and result, in steps of a millisecond",
            calls,
        );
        registry.register(
            "outbound_wait_seconds",
            "Time of a frame in the queue of its connection, measured for one of 32",
            times.outbound.clone(),
        );
        registry.register(
            "fan_out_receivers",
            "Members of this sidecar in the channel of a sent message",
            times.fan_out.clone(),
        );
        times
    }

    /// Adds a login.
    pub fn login(&self, result: LoginResult, took: Duration) {
        self.logins[result as usize].took(took);
    }

    /// Adds an RTM call with its reply.
    pub fn rtm_call(&self, kind: CallKind, failed: bool, took: Duration) {
        if let Some(times) = self.rtm_calls.get(kind as usize) {
            times[usize::from(failed)].took(took);
        }
    }
}
