//! UDP sockets of the native SDKs: discovery and login reports.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tracing::{debug, warn};

use crate::config;
use crate::config::Config;
use crate::server::Server;
use crate::server::native_lookup::{Answer, MAX_QUESTION_BYTES, advertised, answer};
use crate::server::source_rate::Rates;
use runtime::net;

/// Pause after a socket error.
const PAUSE: Duration = Duration::from_millis(50);

/// Sockets of a config.
#[derive(Debug)]
pub struct UdpSockets {
    discovery: Arc<Discovery>,
    questions: Vec<(UdpSocket, SocketAddr)>,
    reports: Option<(UdpSocket, SocketAddr)>,
}

/// Shared data of the discovery sockets: the answer and the source rates.
#[derive(Debug)]
struct Discovery {
    tcp_port: Option<u16>,
    /// Answer, with the config that it is made from.
    answer: ArcSwap<(config::Discovery, Answer)>,
    rates: Mutex<Rates>,
}

impl UdpSockets {
    /// Binds the sockets. `tcp_port` is the bound port of native clients. Without it, and without another advertised
    /// place, discovery has no answer and no socket.
    ///
    /// # Errors
    /// Returns the address that cannot be bound, with the system error.
    pub async fn bind(config: &Config, tcp_port: Option<u16>) -> Result<Self, (SocketAddr, io::Error)> {
        let place = advertised(config, tcp_port);
        let mut questions = Vec::new();
        if place.is_some() {
            for addr in &config.listen.udp {
                questions.push(bind(*addr).await?);
            }
        }
        let reports = match config.listen.reports {
            Some(addr) => Some(bind(addr).await?),
            None => None,
        };
        let discovery = Arc::new(Discovery {
            tcp_port,
            answer: ArcSwap::from_pointee((config.discovery.clone(), answer_of(config, tcp_port))),
            rates: Mutex::default(),
        });
        Ok(Self {
            discovery,
            questions,
            reports,
        })
    }

    /// Serves the sockets until clients are closed. Returns the addresses of discovery and that of reports.
    pub fn serve(self, server: &Arc<Server>) -> (Vec<SocketAddr>, Option<SocketAddr>) {
        let questions = self.questions.into_iter().map(|(socket, addr)| {
            let task = serve_udp(server.clone(), socket, self.discovery.clone());
            server.tasks.spawn(task);
            addr
        });
        let reports = self.reports.map(|(socket, addr)| {
            server.tasks.spawn(swallow_reports(server.clone(), socket));
            addr
        });
        (questions.collect(), reports)
    }
}

impl Discovery {
    /// Returns the answer. A reload may have changed it.
    fn current(&self, config: &Config) -> Arc<(config::Discovery, Answer)> {
        let current = self.answer.load_full();
        if current.0 == config.discovery {
            return current;
        }
        let new = Arc::new((config.discovery.clone(), answer_of(config, self.tcp_port)));
        self.answer.store(new.clone());
        new
    }
}

fn answer_of(config: &Config, tcp_port: Option<u16>) -> Answer {
    let answer = Answer::new(advertised(config, tcp_port).as_slice());
    if !answer.fits() {
        warn!("the host of advertise_tcp is too long: an answer by UDP may have three times its question's length");
    }
    answer
}

async fn bind(addr: SocketAddr) -> Result<(UdpSocket, SocketAddr), (SocketAddr, io::Error)> {
    net::bind_udp(addr).await.map_err(|source| (addr, source))
}

/// Answers questions until clients are closed.
///
/// Other datagrams, and questions over the rate of their source, are counted and not answered.
async fn serve_udp(server: Arc<Server>, socket: UdpSocket, discovery: Arc<Discovery>) {
    // A longer datagram is cut off, and is then no zlib stream.
    let mut datagram = [0; MAX_QUESTION_BYTES];
    while let Some((length, source)) = receive(&server, &socket, &mut datagram).await {
        let current = discovery.current(&server.config());
        match answer(&datagram[..length], &current.1) {
            Err(reason) => server.metrics.bad_frame(reason.label()),
            Ok(_) if !discovery.rates.lock().allow(source.ip(), server.clock.now()) => {
                server.metrics.dropped("UDP questions over the rate");
            }
            Ok(answer) => {
                if let Err(error) = socket.send_to(answer, source).await {
                    debug!(%error, "cannot answer a question");
                    server.metrics.dropped("UDP answers that the system refused");
                }
            }
        }
    }
}

/// Receives and discards login reports until clients are closed. They contain tokens, so it reads only one byte of each
/// (signaling-wire 1.5 and 10).
async fn swallow_reports(server: Arc<Server>, socket: UdpSocket) {
    let mut byte = [0];
    while receive(&server, &socket, &mut byte).await.is_some() {}
}

/// Returns the next datagram, or `None` when clients are closed.
async fn receive(server: &Server, socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        let received: io::Result<_> = tokio::select! {
            () = server.drain.closing() => return None,
            received = socket.recv_from(buffer) => received,
        };
        match received {
            Ok(received) => return Some(received),
            Err(error) => {
                debug!(%error, "cannot receive");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
