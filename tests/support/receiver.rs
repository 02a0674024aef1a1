//! HTTP server that records requests and sends scripted answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::eventually;

/// Received request.
#[derive(Clone, Debug)]
pub struct Request1 {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request1 {
    /// Parses the body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Returns a header's value; empty if missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// Scripted answer.
#[derive(Clone, Debug)]
pub struct ScriptedResponse {
    pub status: u16,
    pub body: String,
    /// Delay before the answer.
    pub after: Duration,
    /// Closes the connection instead of an answer.
    pub hang_up: bool,
}

impl ScriptedResponse {
    /// Creates an answer without a body.
    pub fn status(status: u16) -> Self {
        Self::json(status, "")
    }

    pub fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.into(),
            after: Duration::ZERO,
            hang_up: false,
        }
    }
}

/// Server that stops with the test's runtime.
pub struct Receiver {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Request1>>>,
    next: Arc<Mutex<VecDeque<ScriptedResponse>>>,
    open: watch::Sender<bool>,
}

impl Receiver {
    /// Answers 200 with this body, unless [`Self::send_line`] sets another answer.
    pub async fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let seen: Arc<Mutex<Vec<Request1>>> = Arc::default();
        let next: Arc<Mutex<VecDeque<ScriptedResponse>>> = Arc::default();
        let (open, opened) = watch::channel(true);
        let (all_seen, all_next, usual) = (seen.clone(), next.clone(), ScriptedResponse::json(200, body));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, next, usual, opened) = (all_seen.clone(), all_next.clone(), usual.clone(), opened.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, next, usual, mut opened) = (seen.clone(), next.clone(), usual.clone(), opened.clone());
                    async move {
                        let _ = opened.wait_for(|open| *open).await;
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.expect("a body").to_bytes();
                        seen.lock().push(Request1 {
                            method: head.method.to_string(),
                            path: head.uri.to_string(),
                            headers: head.headers,
                            body,
                        });
                        let response_script = next.lock().pop_front().unwrap_or(usual);
                        tokio::time::sleep(response_script.after).await;
                        if response_script.hang_up {
                            return Err("hang up");
                        }
                        let mut response = Response::new(Full::new(Bytes::from(response_script.body)));
                        *response.status_mut() = StatusCode::from_u16(response_script.status).expect("a status");
                        Ok::<_, &str>(response)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
            Ok::<_, Infallible>(())
        });
        Self { addr, seen, next, open }
    }

    /// Sets the next answers, in order.
    pub fn send_line(&self, sent: impl IntoIterator<Item = ScriptedResponse>) {
        self.next.lock().extend(sent);
    }

    /// While shut, requests wait unread.
    pub fn shut(&self, shut: bool) {
        self.open.send_replace(!shut);
    }

    /// Returns all requests.
    pub fn seen(&self) -> Vec<Request1> {
        self.seen.lock().clone()
    }

    /// Waits for a number of requests.
    pub async fn wait_for(&self, count: usize) -> Vec<Request1> {
        eventually(&format!("{count} requests"), || self.seen().len() >= count).await;
        self.seen()
    }
}
