//! `[otel]`.

use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::PathAndQuery;

use crate::config::declare::{Reader, Section, section};
use crate::config::kinds::{Int, Maybe, Parsed, Time};
use crate::config::sections::{MS, SECOND};
use crate::config::values::https;
use tables::diagnostics::Diag;

/// Path of traces at a collector.
const TRACES: &str = "/v1/traces";

section! {
    /// OpenTelemetry traces of client calls (docs/guide/metrics.md). They need a build with the cargo feature `otel`.
    pub struct Otel("otel") derives(PartialEq, Eq) {
        /// Collector that takes OTLP over HTTP as JSON: https, or http on this machine. Without a path, /v1/traces is
        /// used. Default: no traces.
        endpoint: Option<Uri> = None, example "\"http://127.0.0.1:4318\"" => Maybe(Parsed(https)), Restart;
        /// Sampling: one of so many calls and logins is traced. 1 traces all.
        one_in: u32 = 1 => Int::new(1..=1_000_000), Restart;
        /// Spans that wait for the collector. Further ones are dropped and counted.
        queue: usize = 8192 => Int::new(1..=1_000_000), Restart;
        /// Time limit of a request.
        timeout: Duration = 5 * SECOND => Time(100 * MS..=60 * SECOND), Restart;
    }
}

pub(super) fn otel(reader: &mut Reader<'_, '_>) -> Otel {
    let mut otel = Otel::read(reader);
    if let Some(place) = reader.place("endpoint").filter(|_| !cfg!(feature = "otel")) {
        let unknown = Diag::new(place, "`otel.endpoint`: this build cannot export traces");
        reader.report(unknown.help("build with `cargo build --release --features otel`, or remove the key"));
    }
    otel.endpoint = otel.endpoint.map(with_path);
    otel
}

/// Adds the usual path to a URL that has none.
fn with_path(endpoint: Uri) -> Uri {
    if endpoint.path() != "/" {
        return endpoint;
    }
    let mut parts = endpoint.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_static(TRACES));
    Uri::from_parts(parts).unwrap_or(endpoint)
}
