//! Paths of the admin address.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};

use crate::admin::handlers::{
    console, coverage, doctor, lifecycle, live, log_level, logins, nodes, probes, record, recordings, sessions, tables,
    usage,
};
use crate::admin::query::{Query, body};
use crate::admin::reply::{Reply, text};
use crate::server::Server;

/// Every request, with its purpose. `{id}` is any segment.
pub const PATHS: &[(&str, &str, &str)] = &[
    ("GET", "/livez", "200 while the process runs"),
    ("GET", "/healthz", "the same"),
    (
        "GET",
        "/readyz",
        "200 if new clients may connect, else 503 with the reasons",
    ),
    ("GET", "/status", "version, readiness and numbers"),
    ("GET", "/metrics", "metrics in the OpenMetrics format"),
    ("GET", "/sessions", "live sessions, by filter and page"),
    ("GET", "/sessions/{id}", "one session"),
    ("POST", "/sessions/{id}/close", "ends a session"),
    (
        "GET",
        "/logins",
        "refused logins: counts by reason, and the latest ones",
    ),
    ("GET", "/log-level", "the log filter"),
    ("PUT", "/log-level", "replaces the log filter"),
    ("GET", "/", "the console"),
    ("GET", "/app.js", "its program"),
    ("GET", "/style.css", "its style"),
    (
        "GET",
        "/sessions/{id}/live",
        "what happens in a session, as server-sent events",
    ),
    ("GET", "/usage", "usage and limitations by kind of client"),
    ("GET", "/tables", "rows, the conformance matrix, limitation codes"),
    ("POST", "/explain", "translation of a frame"),
    ("GET", "/recordings", "state and files of the recording"),
    ("GET", "/recordings/{id}", "a recorded file"),
    ("GET", "/nodes", "the sidecars that share a Redis"),
    ("GET", "/coverage", "calls and events in use"),
    ("POST", "/doctor", "diagnosis of the connectivity to RTM"),
    ("POST", "/drain", "begins the drain"),
    (
        "POST",
        "/reload",
        "reads config, tables, certificates and secrets again",
    ),
    ("POST", "/record/start", "starts the recording"),
    ("POST", "/record/stop", "stops the recording"),
];

/// Answers an admitted request.
pub async fn route(server: &Arc<Server>, request: Request<Incoming>) -> Reply {
    let (head, incoming) = request.into_parts();
    let query = Query::of(head.uri.query());
    let method = match head.method {
        Method::HEAD => Method::GET,
        method => method,
    };
    let path = head.uri.path();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), &segments[..]) {
        ("GET", ["livez" | "healthz"]) => probes::live(),
        ("GET", ["readyz"]) => probes::ready(server, &query),
        ("GET", ["status"]) => probes::status(server),
        ("GET", ["metrics"]) => probes::metrics(server),
        ("GET", ["sessions"]) => sessions::list(server, &query).await,
        ("GET", ["sessions", id]) => sessions::one(server, id),
        ("GET", ["sessions", id, "live"]) => live::live(server, id),
        ("GET", ["usage"]) => usage::usage(server),
        ("GET", ["tables"]) => tables::tables(server),
        ("POST", ["explain"]) => match body(incoming).await {
            Ok(frame) => tables::explained(server, &query, &frame),
            Err(wrong) => wrong.into(),
        },
        ("GET", ["recordings"]) => recordings::list(server).await,
        ("GET", ["recordings", name]) => recordings::download(server, name).await,
        ("POST", ["sessions", id, "close"]) => sessions::close(server, id),
        ("GET", ["logins"]) => logins::logins(server),
        ("GET", ["log-level"]) => log_level::get(),
        ("PUT", ["log-level"]) => match body(incoming).await {
            Ok(body) => log_level::put(server, &body),
            Err(wrong) => wrong.into(),
        },
        ("GET", ["nodes"]) => nodes::nodes(server).await,
        ("GET", ["coverage"]) => coverage::coverage(server, &head.headers),
        ("POST", ["doctor"]) => doctor::doctor(server, &query).await,
        ("POST", ["drain"]) => lifecycle::drain(server),
        ("POST", ["reload"]) => lifecycle::reload(server).await,
        ("POST", ["record", "start"]) => record::start(server, &query).await,
        ("POST", ["record", "stop"]) => record::stop(server),
        // Browsers ask for it unasked, and would report its absence.
        ("GET", ["favicon.ico"]) => text(StatusCode::NO_CONTENT, ""),
        ("GET", [file]) => console::file(file).unwrap_or_else(|| unknown(path)),
        _ => unknown(path),
    }
}

/// Answers a path or a method that does not exist.
fn unknown(path: &str) -> Reply {
    let methods: Vec<&str> = PATHS
        .iter()
        .filter(|(_, known, _)| fits(known, path))
        .map(|(method, ..)| *method)
        .collect();
    if methods.is_empty() {
        let all: Vec<String> = PATHS
            .iter()
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        return text(
            StatusCode::NOT_FOUND,
            format!("unknown path; paths: {}\n", all.join(", ")),
        );
    }
    let allowed = methods.join(", ");
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, format!("use {allowed}\n"));
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        reply.headers_mut().insert(ALLOW, allowed);
    }
    reply
}

fn fits(known: &str, path: &str) -> bool {
    let (mut known, mut path) = (known.split('/'), path.split('/'));
    loop {
        match (known.next(), path.next()) {
            (None, None) => return true,
            (Some("{id}"), Some(given)) if !given.is_empty() => {}
            (Some(known), Some(given)) if known == given => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_method_is_no_unknown_path() {
        assert_eq!(unknown("/doctor").status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(unknown("/doctor").headers()[ALLOW], "POST");
        assert_eq!(unknown("/nowhere").status(), StatusCode::NOT_FOUND);
        assert!(fits("/sessions/{id}/close", "/sessions/7/close"));
        assert!(!fits("/sessions/{id}/close", "/sessions//close"));
        assert!(!fits("/sessions/{id}", "/sessions/7/close"));
    }
}
