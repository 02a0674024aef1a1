//! Paths of the admin address.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};

use crate::admin::handlers::{
    console, coverage, doctor, lifecycle, live, log_level, logins, nodes, probes, record, recordings, sessions, tables,
    usage,
};
use crate::admin::query::{Query, body};
use crate::admin::reply::{Reply, text};
use crate::server::Server;

/// A request of the admin address.
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path; `{id}` is any segment.
    pub path: &'static str,
    /// The purpose, for documents.
    pub purpose: &'static str,
    handler: fn(Call<'_>) -> Answer<'_>,
}

/// An admitted request for a handler.
struct Call<'a> {
    server: &'a Arc<Server>,
    query: &'a Query,
    headers: &'a HeaderMap,
    /// The segment of the path at `{id}`.
    id: &'a str,
    body: Incoming,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

const fn route(
    method: &'static str,
    path: &'static str,
    purpose: &'static str,
    handler: fn(Call<'_>) -> Answer<'_>,
) -> Route {
    Route {
        method,
        path,
        purpose,
        handler,
    }
}

fn now<'a>(reply: Reply) -> Answer<'a> {
    Box::pin(ready(reply))
}

/// All requests.
pub const ROUTES: &[Route] = &[
    route("GET", "/livez", "200 while the process runs", |_| now(probes::live())),
    route("GET", "/healthz", "the same", |_| now(probes::live())),
    route(
        "GET",
        "/readyz",
        "200 if new clients may connect, else 503 with the reasons",
        |call| now(probes::ready(call.server, call.query)),
    ),
    route("GET", "/status", "version, readiness and numbers", |call| {
        now(probes::status(call.server))
    }),
    route("GET", "/metrics", "metrics in the OpenMetrics format", |call| {
        now(probes::metrics(call.server))
    }),
    route("GET", "/sessions", "live sessions, by filter and page", |call| {
        Box::pin(sessions::list(call.server, call.query))
    }),
    route("GET", "/sessions/{id}", "one session", |call| {
        now(sessions::one(call.server, call.id))
    }),
    route("POST", "/sessions/{id}/close", "ends a session", |call| {
        now(sessions::close(call.server, call.id))
    }),
    route(
        "GET",
        "/logins",
        "refused logins: counts by reason, and the latest ones",
        |call| now(logins::logins(call.server)),
    ),
    route("GET", "/log-level", "the log filter", |_| now(log_level::get())),
    route("PUT", "/log-level", "replaces the log filter", |call| {
        Box::pin(async move {
            match body(call.body).await {
                Ok(filter) => log_level::put(call.server, &filter),
                Err(wrong) => wrong.into(),
            }
        })
    }),
    route("GET", "/", "the console", |_| now(console::page())),
    route("GET", "/app.js", "its program", |_| now(console::program())),
    route("GET", "/style.css", "its style", |_| now(console::style())),
    route(
        "GET",
        "/favicon.ico",
        "204: browsers request it, and would report its absence",
        |_| now(text(StatusCode::NO_CONTENT, "")),
    ),
    route(
        "GET",
        "/sessions/{id}/live",
        "events of a session, as server-sent events",
        |call| now(live::live(call.server, call.id)),
    ),
    route("GET", "/usage", "usage and limitations by kind of client", |call| {
        now(usage::usage(call.server))
    }),
    route(
        "GET",
        "/tables",
        "rows, the conformance matrix, limitation codes",
        |call| now(tables::tables(call.server)),
    ),
    route("POST", "/explain", "translation of a frame", |call| {
        Box::pin(async move {
            match body(call.body).await {
                Ok(frame) => tables::explained(call.server, call.query, &frame),
                Err(wrong) => wrong.into(),
            }
        })
    }),
    route("GET", "/recordings", "state and files of the recording", |call| {
        Box::pin(recordings::list(call.server))
    }),
    route("GET", "/recordings/{id}", "a recorded file", |call| {
        Box::pin(recordings::download(call.server, call.id))
    }),
    route("GET", "/nodes", "the sidecars that share a Redis", |call| {
        Box::pin(nodes::nodes(call.server))
    }),
    route("GET", "/coverage", "calls and events in use", |call| {
        now(coverage::coverage(call.server, call.headers))
    }),
    route("POST", "/doctor", "diagnosis of the connectivity to RTM", |call| {
        Box::pin(doctor::doctor(call.server, call.query))
    }),
    route("POST", "/drain", "begins the drain", |call| {
        now(lifecycle::drain(call.server))
    }),
    route(
        "POST",
        "/reload",
        "reads config, tables, certificates and secrets again",
        |call| Box::pin(lifecycle::reload(call.server)),
    ),
    route("POST", "/record/start", "starts the recording", |call| {
        Box::pin(record::start(call.server, call.query))
    }),
    route("POST", "/record/stop", "stops the recording", |call| {
        now(record::stop(call.server))
    }),
];

/// Answers an admitted request.
pub async fn answer(server: &Arc<Server>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let query = Query::of(head.uri.query());
    let method = match head.method {
        Method::HEAD => Method::GET,
        method => method,
    };
    let path = head.uri.path();
    let found = ROUTES.iter().filter(|route| route.method == method.as_str());
    let mut found = found.filter_map(|route| Some((route, id_of(route.path, path)?)));
    let Some((route, id)) = found.next() else {
        return unknown(path);
    };
    let call = Call {
        server,
        query: &query,
        headers: &head.headers,
        id,
        body,
    };
    (route.handler)(call).await
}

/// Answers a path or a method that does not exist.
fn unknown(path: &str) -> Reply {
    let methods: Vec<&str> = ROUTES
        .iter()
        .filter(|route| id_of(route.path, path).is_some())
        .map(|route| route.method)
        .collect();
    if methods.is_empty() {
        let all: Vec<String> = ROUTES
            .iter()
            .map(|route| format!("{} {}", route.method, route.path))
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

/// Returns the segment of a path at `{id}`, empty without one; `None` if the path is not that of the route.
fn id_of<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    let (mut route, mut path, mut id) = (route.split('/'), path.split('/'), "");
    loop {
        match (route.next(), path.next()) {
            (None, None) => return Some(id),
            (Some("{id}"), Some(given)) if !given.is_empty() => id = given,
            (Some(segment), Some(given)) if segment == given => {}
            _ => return None,
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
        assert_eq!(id_of("/sessions/{id}/close", "/sessions/7/close"), Some("7"));
        assert_eq!(id_of("/sessions/{id}/close", "/sessions//close"), None);
        assert_eq!(id_of("/sessions/{id}", "/sessions/7/close"), None);
        assert_eq!(id_of("/", "/"), Some(""));
    }
}
