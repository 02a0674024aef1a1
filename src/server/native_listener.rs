//! Listener of the native clients.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::server::Server;
use crate::server::connection::{Connection, run_socket};
use crate::server::connection_state::Accepted;
use runtime::net::{Acceptor, Metered, Taken};
use tables::profile::Transport;

use crate::server::native_transport::NativeTransport;

/// Accepts native clients until clients are closed.
pub async fn serve_tcp(server: Arc<Server>, listener: TcpListener) {
    let mut acceptor = Acceptor::new(listener, "tcp", server.shortages.clone());
    while let Some((stream, peer)) = acceptor.next(server.drain.closing_token()).await {
        let Some(permit) = server.enter(peer.ip()) else {
            continue;
        };
        let taken = Taken::default();
        let transport = NativeTransport::new(Metered::new(stream, taken.clone()));
        let transport = Arc::new(Mutex::new(transport));
        let accepted = Accepted {
            peer: peer.ip(),
            at: server.clock.now(),
            origin: None,
        };
        let connection = Connection {
            accepted,
            taken,
            permit,
        };
        server
            .tasks
            .spawn(run_socket(server.clone(), Transport::Tcp, transport, connection));
    }
}
