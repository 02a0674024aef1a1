//! Socket I/O of a link.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use rtm::value::Value;

use crate::Link;
use crate::frame::{Body, Frame};
use crate::reliable_queue::Incoming;

/// `link.ack`.
pub const ACK: &str = "link.ack";

/// Number of objects after which an ack is sent at once.
const ACK_AFTER: u64 = 32;
/// Longest delay of an ack.
const ACK_WITHIN: Duration = Duration::from_millis(200);
/// Coalescing interval between writes.
const GATHER: Duration = Duration::from_millis(1);
/// Number of missed heartbeats after which a link is lost.
const PATIENCE: u32 = 3;

/// Reason for the end of a socket.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The other side closed it, or its process stopped.
    #[error("socket closed")]
    Closed,
    /// No data was received or accepted for three heartbeats.
    #[error("heartbeat timeout")]
    Silent,
    /// It sent an invalid frame.
    #[error("invalid frame: {0}")]
    BadFrame(String),
    /// Objects are missing.
    #[error("sequence gap: expected {}, got {got}", .had + 1)]
    OutOfOrder {
        got: u64,
        /// Last number in order.
        had: u64,
    },
    /// It acknowledged an object that was never sent.
    #[error("ack of unsent number {0}")]
    BadAck(u64),
}

/// Reads and writes until the socket ends; `take` gets each object once, in order.
pub async fn run_socket<S>(
    websocket: WebSocketStream<S>,
    link: &Link,
    heartbeat: Duration,
    take: impl FnMut(Body),
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, stream) = websocket.split();
    tokio::select! {
        ended = read(stream, link, heartbeat, take) => ended,
        ended = write(sink, link, heartbeat) => ended,
    }
}

async fn read<S>(
    mut stream: SplitStream<WebSocketStream<S>>,
    link: &Link,
    heartbeat: Duration,
    mut take: impl FnMut(Body),
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let text = match timeout(heartbeat * PATIENCE, stream.next()).await {
            Err(_) => return Ended::Silent,
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Ok(Message::Binary(_)))) => return Ended::BadFrame("binary".into()),
            Ok(_) => return Ended::Closed,
        };
        let frame = match Frame::parse(&text) {
            Ok(frame) => frame,
            Err(error) => return Ended::BadFrame(error.to_string()),
        };
        if let Err(ended) = take_frame(link, frame, &mut take) {
            return ended;
        }
    }
}

/// Takes a frame: one of the link itself, or the next one in order for `take`.
pub(crate) fn take_frame(link: &Link, frame: Frame, take: impl FnOnce(Body)) -> Result<(), Ended> {
    let Some(seq) = frame.seq else {
        return own(link, &frame.body);
    };
    let (incoming, had, due) = {
        let mut queue = link.queue.lock();
        let had = queue.received();
        (queue.receive(seq), had, queue.unacknowledged() >= ACK_AFTER)
    };
    match incoming {
        Incoming::Next => take(frame.body),
        Incoming::Seen => {}
        Incoming::Gap => return Err(Ended::OutOfOrder { got: seq, had }),
    }
    if due {
        link.changed.notify_one();
    }
    Ok(())
}

/// Handles objects of the link itself; unknown ones may belong to a later version and are ignored.
fn own(link: &Link, body: &Body) -> Result<(), Ended> {
    let Body::Notice { method, params } = body else {
        return Ok(());
    };
    if &**method == ACK {
        let seq = params.get("seq").and_then(Value::as_int);
        let seq = seq.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(u64::MAX);
        if !link.queue.lock().acknowledge(seq) {
            return Err(Ended::BadAck(seq));
        }
        link.changed.notify_one();
    }
    Ok(())
}

async fn write<S>(mut sink: SplitSink<WebSocketStream<S>, Message>, link: &Link, heartbeat: Duration) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut beat = interval(heartbeat);
    let mut soon = interval(ACK_WITHIN);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    soon.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (is_heartbeat, is_ack_due) = tokio::select! {
            () = link.changed.notified() => (false, false),
            _ = beat.tick() => (true, true),
            _ = soon.tick() => (false, true),
        };
        match timeout(heartbeat * PATIENCE, flush(&mut sink, link, is_heartbeat, is_ack_due)).await {
            // Coalesce objects under load: one write per interval, not per object.
            Ok(Ok(true)) => sleep(GATHER).await,
            Ok(Ok(false)) => {}
            Ok(Err(_)) => return Ended::Closed,
            Err(_) => return Ended::Silent,
        }
    }
}

async fn flush<S>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    link: &Link,
    is_heartbeat: bool,
    is_ack_due: bool,
) -> Result<bool, tokio_tungstenite::tungstenite::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut wrote = false;
    while let Some(text) = link.next() {
        sink.feed(Message::Text(text)).await?;
        wrote = true;
    }
    let ack = {
        let mut queue = link.queue.lock();
        let open = queue.unacknowledged();
        // A write carries a due ack.
        let due = open >= ACK_AFTER || open > 0 && (is_ack_due || wrote) || is_heartbeat;
        due.then(|| queue.note_acknowledged())
    };
    if let Some(seq) = ack {
        sink.feed(Message::Text(acknowledgement(seq))).await?;
        wrote = true;
    }
    if wrote {
        sink.flush().await?;
    }
    Ok(wrote)
}

fn acknowledgement(seq: u64) -> Utf8Bytes {
    format!(r#"{{"jsonrpc":"2.0","method":"{ACK}","params":{{"seq":{seq}}}}}"#).into()
}

impl Link {
    fn next(&self) -> Option<Utf8Bytes> {
        self.queue.lock().next()
    }
}
