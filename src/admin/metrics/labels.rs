//! Label values, known from the start: reasons and codes come from the tables and the source, never from clients.

use tables::Tables;
use tables::row::RowKind;
use trace::coverage::Noted;

/// True for a drop that a limit or the configuration requires. Others are losses.
pub type IsIntentional = bool;

/// Everything that [`Metrics::dropped`](super::Metrics::dropped) counts.
pub const DROPS: &[(&str, IsIntentional)] = &[
    ("UDP answers that the system refused", false),
    ("UDP questions over the rate", true),
    ("admin connections over the limit", true),
    ("calls", false),
    ("channel lines of a client that was away", false),
    ("console events of a slow viewer", true),
    ("frames of a slow client", false),
    ("held channel events", false),
    ("kept lines", false),
    ("kept lines over their time", true),
    ("lines of a client that is away", false),
    ("mailbox lines", false),
    ("mailbox lines of an earlier login", true),
    ("messages for a session that cannot keep up", false),
    ("messages in the mailbox file", false),
    ("messages of a session that was cut off", false),
    ("messages over a channel's rate", true),
    ("messages over the rate of an app or of all", true),
    ("messages over the rate", true),
    ("messages to offline peers", false),
    ("oldest kept lines", false),
    ("requests", false),
    ("sessions without a client", false),
    ("trace spans", false),
    ("webhook notices at the end of the process", false),
];

/// Reasons of invalid frames and of closes by the sidecar.
pub const BAD_FRAMES: &[&str] = &[
    "UDP bad zlib",
    "UDP no question",
    "UDP question too short",
    "UDP zlib bomb",
    "bad zlib",
    "binary",
    "bytes after zlib",
    "call before login",
    "frame too large",
    "large param",
    "no login",
    "no request",
    "no room",
    "not JSON",
    "not UTF-8",
    "not a frame",
    "not a number",
    "not an object",
    "origin not allowed",
    "packet too large",
    "packet too short",
    "second login",
    "silent for too long",
    "too few words",
    "too many open calls",
    "truncated",
    "unknown frame",
    "unknown function",
    "wrong header",
    "wrong line",
    "wrong param",
    "zlib bomb",
];

/// Results of logins beside `refused`.
pub const LOGINS: &[&str] = &["abandoned", "line", "new", "replace", "resume", "twin"];

/// Reasons of refused logins.
pub const REFUSALS: &[&str] = &[
    "TokenErrorDigest",
    "TokenErrorExpired",
    "TokenErrorFormat",
    "TokenErrorNotAllowed",
    "TokenErrorOrigin",
    "TokenErrorVendor",
    "replaced line",
    "sunset",
    "too often",
    "unknown line",
    "wrong account",
];

/// Reasons of failed TLS handshakes.
pub const TLS_FAILURES: &[&str] = &[
    "closed by the client",
    "no certificate",
    "not TLS",
    "nothing in common",
    "other",
    "refused by the client",
    "too slow",
];

/// Reasons of calls lost between this process and the agent.
pub const AGENT_FAILURES: &[&str] = &[
    "in flight when the agent was lost",
    "no agent in time",
    "not answered in time",
    "not restored",
    "tokens",
    "too many calls wait for the agent",
    "wrong events",
    "wrong results",
];

pub const RELOADS: &[&str] = &["failed", "ok"];
pub const CERTIFICATE_LOADS: &[&str] = &["failed", "ok"];
pub const TRACE_RECORDS: &[&str] = &["lost", "written"];
pub const WEBHOOK_NOTICES: &[&str] = &["delivered", "failed", "overflow", "retried"];
pub const REST_REQUESTS: &[&str] = &["failed", "invalid", "sent", "timeout", "too often", "unauthorized"];

/// Returns the rows and codes of inexact translations that are counted when they occur.
pub fn limitations(tables: &Tables) -> impl Iterator<Item = (&str, &str)> {
    let noted = Noted::of(tables);
    let rows = tables.rows.iter().filter(|row| !matches!(row.kind, RowKind::Result));
    rows.flat_map(move |row| {
        let of_outcomes = row.outcomes.iter().filter_map(|outcome| outcome.code);
        let own = row.codes.iter().copied().filter(|code| noted.contains(*code));
        let codes: Vec<_> = of_outcomes.chain(own).collect();
        let named = codes.into_iter().map(|code| (&*row.id, &**tables.code_name(code)));
        named.collect::<Vec<_>>()
    })
}
