//! The port of the native clients.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::debug;

use crate::front::client::Accepted;
use crate::front::socket::run_socket;
use crate::mapping::profile::Transport;
use crate::shell::Server;

use super::pipe::TcpPipe;

/// How long a listener that fails is left alone: others must close first.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts native clients until the shutdown.
pub async fn serve_tcp(server: Arc<Server>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = server.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "cannot accept");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = server.permits.clone().try_acquire_owned() else {
            server.metrics.dropped("sockets over the limit");
            continue;
        };
        let _ = stream.set_nodelay(true);
        let accepted = Accepted {
            peer: peer.ip(),
            at: server.clock.now(),
        };
        let serving = server.clone();
        server.tasks.spawn(async move {
            run_socket(serving, Transport::Tcp, TcpPipe::new(stream), accepted).await;
            drop(permit);
        });
    }
}
