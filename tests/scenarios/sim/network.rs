//! Connections in memory, in place of sockets: what the sidecars send, in order, and what clients send.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use protocol::event::SocketId;
use protocol::web::MAX_FRAME_BYTES;
use rtm::upstream::UpstreamEvent;
use sigbridge::server::native_transport;
use sigbridge::server::transport::{End, FrameTransport, Incoming};
use sigbridge::server::websocket::{Reader as _, Sdk};
use tables::profile::Transport;

use super::observed::Observed;

/// Close codes of a protocol error.
const PROTOCOL_ERRORS: [u16; 2] = [1007, 1009];

/// Output of the sidecars and of RTM.
pub(super) enum Item {
    Frame(SocketId, Utf8Bytes),
    /// A closed connection, with the code of a protocol error.
    Closed(SocketId, Option<u16>),
    /// A note or a drop of a session.
    Noted(Observed),
    /// A reply or an event for an RTM-native user.
    Native(String, UpstreamEvent),
}

/// Queue of all outputs.
#[derive(Default)]
pub(super) struct Network {
    items: Mutex<VecDeque<Item>>,
    filled: AtomicWaker,
}

impl Network {
    pub fn push(&self, item: Item) {
        self.items.lock().push_back(item);
        self.filled.wake();
    }

    pub fn pop(&self) -> Option<Item> {
        self.items.lock().pop_front()
    }

    pub fn poll_filled(&self, context: &mut Context<'_>) -> Poll<()> {
        self.filled.register(context.waker());
        match self.items.lock().is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

/// The client's side of a connection.
#[derive(Default)]
pub(super) struct ClientEnd(Mutex<Sent>);

#[derive(Default)]
struct Sent {
    frames: VecDeque<String>,
    /// The client's close; with a code if it is in order.
    closed: Option<Option<u16>>,
    reader: Option<Waker>,
}

impl ClientEnd {
    pub fn send(&self, frame: String) {
        self.change(|sent| sent.frames.push_back(frame));
    }

    pub fn close(&self, code: Option<u16>) {
        self.change(|frames| frames.closed = Some(code));
    }

    fn change(&self, change: impl FnOnce(&mut Sent)) {
        let mut frames = self.0.lock();
        change(&mut frames);
        if let Some(reader) = frames.reader.take() {
            reader.wake();
        }
    }
}

/// The sidecar's side of a connection.
pub(super) struct SidecarEnd {
    pub socket: SocketId,
    pub kind: Transport,
    pub client: Arc<ClientEnd>,
    pub network: Arc<Network>,
    is_closed: bool,
}

/// Creates a connection.
pub(super) fn connection(socket: SocketId, kind: Transport, network: &Arc<Network>) -> (Arc<ClientEnd>, SidecarEnd) {
    let client: Arc<ClientEnd> = Arc::default();
    let end = SidecarEnd {
        socket,
        kind,
        client: client.clone(),
        network: network.clone(),
        is_closed: false,
    };
    (client, end)
}

impl SidecarEnd {
    fn close(&mut self, code: Option<u16>) {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.network.push(Item::Closed(self.socket, code));
        }
    }
}

impl FrameTransport for SidecarEnd {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Incoming> {
        let mut sent = self.client.0.lock();
        if let Some(frame) = sent.frames.pop_front() {
            return Poll::Ready(match self.kind {
                _ if frame.len() > MAX_FRAME_BYTES => Incoming::Bad(End {
                    code: 1009,
                    reason: "frame too large",
                }),
                Transport::Tcp => native_transport::incoming(frame),
                _ => Sdk.read(frame.into()),
            });
        }
        match &mut sent.closed {
            None => {
                sent.reader = Some(context.waker().clone());
                Poll::Pending
            }
            // The next read is the end.
            Some(code) => Poll::Ready(match code.take() {
                Some(code) => Incoming::Closing(Some(code)),
                None => Incoming::Lost,
            }),
        }
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(true)
    }

    fn start_send(&mut self, text: &str) -> bool {
        self.network.push(Item::Frame(self.socket, text.into()));
        true
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(true)
    }

    fn start_close(&mut self, end: End) {
        self.close(Some(end.code).filter(|code| PROTOCOL_ERRORS.contains(code)));
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// The end of the task, or of its process.
impl Drop for SidecarEnd {
    fn drop(&mut self) {
        self.close(None);
    }
}
