//! The listener of the admin address. [`routes`](super::routes) has the paths, [`guard`](super::guard) the access
//! control.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::admin::guard::admit;
use crate::admin::reply::{Reply, text};
use crate::admin::routes::answer;
use crate::server::Server;
use runtime::net::Acceptor;

/// Maximum of concurrent connections.
const MAX_CONNECTIONS: usize = 64;
/// Time limit for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the admin address until shutdown, after the drain.
pub async fn serve_admin(server: Arc<Server>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut acceptor = Acceptor::new(listener, "admin", server.shortages.clone());
    while let Some((stream, _)) = acceptor.next(&server.admin.closed).await {
        let Ok(permit) = room.clone().try_acquire_owned() else {
            server.metrics.dropped("admin connections over the limit");
            continue;
        };
        let serving = server.clone();
        server.admin.tasks.spawn(async move {
            connection(serving, stream).await;
            drop(permit);
        });
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    if let Ok(local) = stream.local_addr() {
        serve_requests(server, local, stream).await;
    }
}

/// Serves the requests of a connection to a local address.
pub async fn serve_requests(server: Arc<Server>, local: SocketAddr, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let closed = server.admin.closed.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(respond(&server, local, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => {}
        () = closed.cancelled() => {}
    }
}

async fn respond(server: &Arc<Server>, local: SocketAddr, request: Request<Incoming>) -> Reply {
    match admit(&server.config().admin, local, request.uri(), request.headers()) {
        Ok(()) => answer(server, request).await,
        Err((status, why)) => text(status, why),
    }
}
