//! Requests to the admin address of a server: guard, paths, queries, bodies.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::Mutex;
use sigbridge::admin::serve_requests;
use sigbridge::config::Config;
use sigbridge::startup::{Running, start};
use tables::Tables;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::selected;

/// Time for all requests of an input.
const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "admintoken-0123456789abcdef";

/// A server in this process. Its addresses are on free ports.
struct Served {
    runtime: Runtime,
    open: Running,
    closed: Running,
}

static SERVED: LazyLock<Mutex<Served>> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let served = |token: Option<&str>| {
        let mut config = Config::default();
        config.listen.http.set_port(0);
        (config.listen.tcp, config.listen.udp) = (None, Vec::new());
        config.admin.token = token.map(Into::into);
        let running = runtime.block_on(start(config, Tables::built_in().expect("the built-in tables compile")));
        let running = running.expect("any free port can be bound");
        // Nobody performs reloads here, so each request would wait for a minute.
        drop(running.server.reloads.requests());
        running
    };
    let (open, closed) = (served(None), served(Some(TOKEN)));
    Mutex::new(Served { runtime, open, closed })
});

/// The first byte selects the server: with or without a token. The rest is the input of a connection.
pub fn admin(data: &[u8]) {
    let (choice, rest) = selected(data);
    let served = SERVED.lock();
    let needs_token = choice % 2 == 1;
    let running = if needs_token { &served.closed } else { &served.open };
    let local = SocketAddr::from(([127, 0, 0, 1], 8080));
    let server = running.server.clone();
    let exchange = async {
        let (near, mut far) = duplex(1 << 20);
        let talk = async {
            let _ = far.write_all(rest).await;
            let _ = far.shutdown().await;
            let mut answer = Vec::new();
            let _ = far.read_to_end(&mut answer).await;
            answer
        };
        let (answer, ()) = tokio::join!(talk, serve_requests(server, local, near));
        answer
    };
    let answer = served.runtime.block_on(timeout_of(exchange));
    let answer = answer.unwrap_or_else(|| panic!("no end of the answer within {PATIENCE:?}"));
    let text = String::from_utf8_lossy(&answer);
    assert!(text.is_empty() || text.starts_with("HTTP/1."), "{text:.200}");
    assert!(!text.starts_with("HTTP/1.1 500"), "{text:.400}");
    assert!(!text.contains(TOKEN), "the token is shown");
}

async fn timeout_of<T>(work: impl Future<Output = T>) -> Option<T> {
    timeout(PATIENCE, work).await.ok()
}
