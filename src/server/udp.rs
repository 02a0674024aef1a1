//! The UDP sockets of the native SDKs: discovery, and the reports that nobody reads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tracing::{debug, warn};

use crate::config::Config;
use crate::server::Server;
use crate::server::native_lookup::{Answer, MAX_QUESTION_BYTES, advertised, answer};
use crate::server::source_rate::Rates;

/// How long a socket that fails is left alone.
const PAUSE: Duration = Duration::from_millis(50);

/// The sockets that a config asks for.
#[derive(Debug)]
pub struct UdpSockets {
    discovery: Arc<Discovery>,
    questions: Vec<(UdpSocket, SocketAddr)>,
    reports: Option<(UdpSocket, SocketAddr)>,
}

/// What all discovery sockets share: the answer, and who has got it.
#[derive(Debug)]
struct Discovery {
    answer: Answer,
    rates: Mutex<Rates>,
}

impl UdpSockets {
    /// Binds them. `tcp_port` is the port of native clients that is really bound; where there is none, and the config
    /// advertises no other place, questions have no answer and no socket.
    ///
    /// # Errors
    /// The address that cannot be bound, and what the system says.
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
        let answer = Answer::new(place.as_slice());
        if !answer.fits() {
            warn!("the host of advertise_tcp is too long: an answer by UDP may have three times its question's length");
        }
        let discovery = Arc::new(Discovery {
            answer,
            rates: Mutex::default(),
        });
        Ok(Self {
            discovery,
            questions,
            reports,
        })
    }

    /// Serves them until the shutdown; the addresses of discovery, and that of reports.
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

async fn bind(addr: SocketAddr) -> Result<(UdpSocket, SocketAddr), (SocketAddr, io::Error)> {
    let failed = |source| (addr, source);
    let socket = UdpSocket::bind(addr).await.map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, bound))
}

/// Answers questions until the shutdown.
///
/// Whatever is no question gets no answer, and is counted; so are questions over the rate of their source.
async fn serve_udp(server: Arc<Server>, socket: UdpSocket, discovery: Arc<Discovery>) {
    // What is longer than a question is cut off, and is no zlib stream then.
    let mut datagram = [0; MAX_QUESTION_BYTES];
    while let Some((length, source)) = receive(&server, &socket, &mut datagram).await {
        match answer(&datagram[..length], &discovery.answer) {
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

/// Takes login reports until the shutdown. They carry tokens, so they are not even read: a byte of each is
/// (signaling-wire 1.5 and 10).
async fn swallow_reports(server: Arc<Server>, socket: UdpSocket) {
    let mut byte = [0];
    while receive(&server, &socket, &mut byte).await.is_some() {}
}

/// The next datagram, or nothing at the shutdown.
async fn receive(server: &Server, socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        let received: io::Result<_> = tokio::select! {
            () = server.shutdown.cancelled() => return None,
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
