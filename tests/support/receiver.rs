//! An HTTP server that records requests and answers as a test defines.

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

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request1 {
    /// `POST`.
    pub method: String,
    /// The path and the query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

impl Request1 {
    /// The body's JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The value of a header, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// What a request is answered.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub body: String,
    /// Before that.
    pub after: Duration,
    /// Closes the connection instead.
    pub hang_up: bool,
}

impl Said {
    /// A status, without a body.
    pub fn status(status: u16) -> Self {
        Self::json(status, "")
    }

    /// A status and a body.
    pub fn json(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.into(),
            after: Duration::ZERO,
            hang_up: false,
        }
    }
}

/// The server; it ends with the test's runtime.
pub struct Receiver {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Request1>>>,
    next: Arc<Mutex<VecDeque<Said>>>,
    open: watch::Sender<bool>,
}

impl Receiver {
    /// Answers 200 with that body, unless [`Self::say`] sets another answer.
    pub async fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let seen: Arc<Mutex<Vec<Request1>>> = Arc::default();
        let next: Arc<Mutex<VecDeque<Said>>> = Arc::default();
        let (open, opened) = watch::channel(true);
        let (all_seen, all_next, usual) = (seen.clone(), next.clone(), Said::json(200, body));
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
                        let said = next.lock().pop_front().unwrap_or(usual);
                        tokio::time::sleep(said.after).await;
                        if said.hang_up {
                            return Err("hang up");
                        }
                        let mut response = Response::new(Full::new(Bytes::from(said.body)));
                        *response.status_mut() = StatusCode::from_u16(said.status).expect("a status");
                        Ok::<_, &str>(response)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
            Ok::<_, Infallible>(())
        });
        Self { addr, seen, next, open }
    }

    /// How the next requests are answered, in order.
    pub fn say(&self, said: impl IntoIterator<Item = Said>) {
        self.next.lock().extend(said);
    }

    /// While it is shut, requests wait unread.
    pub fn shut(&self, shut: bool) {
        self.open.send_replace(!shut);
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Request1> {
        self.seen.lock().clone()
    }

    /// Waits until there were that many.
    pub async fn wait_for(&self, count: usize) -> Vec<Request1> {
        eventually(&format!("{count} requests"), || self.seen().len() >= count).await;
        self.seen()
    }
}
