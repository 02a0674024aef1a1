//! Acceptor of agent links: WebSockets, authenticated by secret and origin.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_tungstenite::HyperWebsocketStream;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use runtime::log_limit::{Bound, Cause, admits};
use runtime::net::{Acceptor, Shortage, Shortages, bearer, is_secret};

use crate::{MAX_WAITING, PATH, websocket_config};

/// WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "sigbridge.agent.1";
/// Prefix of a secret sent as a subprotocol.
pub const SECRET_SUBPROTOCOL: &str = "sigbridge.secret.";
/// Shortest secret in bytes.
pub const MIN_SECRET_BYTES: usize = 16;

const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum of unauthenticated connections. An agent sends its first bytes at once, so it is served before that many
/// others arrive. Beyond the limit, the oldest connection is closed.
const MAX_UNAUTHENTICATED: usize = 64;

/// Access rules of an acceptor.
#[derive(Clone, Debug)]
pub struct AccessPolicy {
    /// Required secret; `None` admits everybody, allowed for loopback addresses only.
    pub secret: Option<SecretString>,
    /// Allowed origins of pages. Processes send no origin.
    pub origins: Vec<String>,
    /// Recorder of too many unauthenticated connections.
    pub shortages: Arc<Shortages>,
}

/// Unauthenticated connections, oldest first.
#[derive(Debug, Default)]
struct Unauthenticated(Mutex<VecDeque<CancellationToken>>);

impl Unauthenticated {
    /// Adds a connection; returns true if the oldest one was closed for it.
    fn add(&self, connection: CancellationToken) -> bool {
        let mut all = self.0.lock();
        all.retain(|connection| !connection.is_cancelled());
        all.push_back(connection);
        let oldest = if all.len() > MAX_UNAUTHENTICATED {
            all.pop_front()
        } else {
            None
        };
        oldest.is_some_and(|oldest| {
            oldest.cancel();
            true
        })
    }
}

/// Accepts at `listener` until shutdown; passes on connections after their handshake.
pub async fn accept(
    policy: Arc<AccessPolicy>,
    listener: TcpListener,
    out: mpsc::Sender<HyperWebsocketStream>,
    shutdown: CancellationToken,
) {
    let unauthenticated = Unauthenticated::default();
    let mut acceptor = Acceptor::new(listener, "agent link", policy.shortages.clone());
    while let Some((stream, peer)) = acceptor.next(&shutdown).await {
        // A child token: the shutdown cancels it as well.
        let away = shutdown.child_token();
        if unauthenticated.add(away.clone()) {
            policy.shortages.note(Shortage::Strangers);
        }
        let (policy, out) = (policy.clone(), out.clone());
        tokio::spawn(async move {
            // An admitted connection already has its own task.
            tokio::select! {
                () = away.cancelled() => {}
                () = connection(policy, (stream, peer.ip()), out) => {}
            }
            away.cancel();
        });
    }
}

async fn connection(
    policy: Arc<AccessPolicy>,
    (stream, peer): (TcpStream, IpAddr),
    out: mpsc::Sender<HyperWebsocketStream>,
) {
    let service = service_fn(move |request| {
        let response = policy.respond(request, peer, &out);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = served.await {
        debug!(%error, "link connection ended");
    }
}

impl AccessPolicy {
    fn respond(
        &self,
        mut request: Request<Incoming>,
        peer: IpAddr,
        out: &mpsc::Sender<HyperWebsocketStream>,
    ) -> Response<Full<Bytes>> {
        if !hyper_tungstenite::is_upgrade_request(&request) || request.uri().path() != PATH {
            return plain(
                StatusCode::NOT_FOUND,
                "sigbridge agent link: connect a WebSocket to /agent\n",
            );
        }
        if let Err((status, text)) = self.admit(request.headers()) {
            if admits("rejected at the link", Bound::EVENT, Cause::from(peer)) {
                warn!(%peer, status = status.as_u16(), reason = text.trim_end(), "rejected at the link");
            }
            return plain(status, text);
        }
        let by_subprotocol = request.headers().contains_key(SEC_WEBSOCKET_PROTOCOL);
        let config = websocket_config().max_write_buffer_size(MAX_WAITING * 1024);
        match hyper_tungstenite::upgrade(&mut request, Some(config)) {
            Ok((response, websocket)) => {
                let out = out.clone();
                tokio::spawn(async move {
                    if let Ok(websocket) = websocket.await {
                        let _ = out.send(websocket).await;
                    }
                });
                let mut response = response.map(|_| Full::default());
                if by_subprotocol {
                    let agreed = HeaderValue::from_static(SUBPROTOCOL);
                    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, agreed);
                }
                response
            }
            Err(error) => plain(
                StatusCode::BAD_REQUEST,
                &format!("invalid WebSocket handshake: {error}\n"),
            ),
        }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        if let Some(origin) = headers.get(ORIGIN) {
            let listed = self.origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes());
            if !listed {
                return Err((StatusCode::FORBIDDEN, "Origin not allowed; add it to `origins`\n"));
            }
        }
        let Some(secret) = &self.secret else { return Ok(()) };
        let given = bearer(headers).map(<[u8]>::to_vec);
        let given = given.or_else(|| by_subprotocol(headers)).unwrap_or_default();
        if is_secret(&given, secret) {
            Ok(())
        } else {
            Err((StatusCode::UNAUTHORIZED, "missing or invalid secret\n"))
        }
    }
}

fn by_subprotocol(headers: &HeaderMap) -> Option<Vec<u8>> {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let secret = offered.find_map(|one| one.trim().strip_prefix(SECRET_SUBPROTOCOL))?;
    URL_SAFE_NO_PAD.decode(secret).ok()
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::clock::Clock;

    #[test]
    fn the_oldest_unauthenticated_connection_is_evicted() {
        let unauthenticated = Unauthenticated::default();
        let all: Vec<CancellationToken> = (0..=MAX_UNAUTHENTICATED).map(|_| CancellationToken::new()).collect();
        let made_room = all.iter().filter(|one| unauthenticated.add((*one).clone())).count();
        assert_eq!(made_room, 1);
        assert!(all[0].is_cancelled() && !all[1].is_cancelled());
        // Neither an admitted nor a closed connection counts as unauthenticated.
        all[1].cancel();
        assert!(!unauthenticated.add(CancellationToken::new()));
        assert!(!all[2].is_cancelled());
    }

    fn check(headers: &[(&'static str, &str)], expected: u16) {
        let policy = AccessPolicy {
            secret: Some("0123456789abcdef".into()),
            origins: vec!["http://127.0.0.1:8011".into()],
            shortages: Arc::new(Shortages::new(Clock::start())),
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header"));
        }
        let status = policy.admit(&map).map_or_else(|(status, _)| status.as_u16(), |()| 101);
        assert_eq!(status, expected, "{headers:?}");
    }

    #[test]
    fn the_secret_is_accepted() {
        const GOOD: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");
        check(&[], 401);
        check(&[GOOD], 101);
        check(&[("authorization", "Bearer 0123456789abcdeX")], 401);
        check(&[("authorization", "Basic 0123456789abcdef")], 401);
        let offered = "sigbridge.agent.1, sigbridge.secret.MDEyMzQ1Njc4OWFiY2RlZg";
        check(&[("sec-websocket-protocol", offered)], 101);
        check(&[("sec-websocket-protocol", "sigbridge.agent.1")], 401);
        check(&[("sec-websocket-protocol", "sigbridge.secret.!!")], 401);
        check(&[GOOD, ("origin", "http://127.0.0.1:8011")], 101);
        check(&[GOOD, ("origin", "https://example.com")], 403);
        check(&[GOOD, ("origin", "null")], 403);
    }
}
