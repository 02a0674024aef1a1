//! Queue of the frames for one connection, with detection of slow clients.
//!
//! The number of queued frames does not identify a slow client: any burst fills a queue before the first write. The
//! criterion is the data that the connection does not take (`[limits] outbound_bytes`, `write_stall`). So a filler
//! waits for the writer above `outbound_bytes`, and the writer applies the criterion when the connection is blocked.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use protocol::memory_budget::{Memory, MemoryUse, MemoryUser};
use runtime::histogram::Histogram;

use super::run_queue;
use super::transport::{FrameTransport, SharedTransport};

/// Bytes of a frame beside its text.
const FRAME_BYTES: usize = 32;
/// Bytes that may wait for one connection while [`Memory`] is full.
const SMALL_SHARE: usize = 64 * 1024;

/// Limits for a blocked connection.
#[derive(Clone, Copy, Debug)]
pub struct SlowClientLimits {
    /// Longest time without progress.
    pub stall: Duration,
    /// Largest number of bytes that wait without progress.
    pub bytes: usize,
}

/// Reason of a close by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The session has queued its last frames; they are written before the close.
    Finished,
    /// The login was refused and the refusal is queued. Clients of some builds close by themselves.
    Refused,
    /// The session has ended, or has another connection.
    Over,
    /// The connection takes nothing, or too little.
    Slow,
}

impl Closing {
    /// Returns true if queued frames are written before the close.
    fn is_orderly(self) -> bool {
        matches!(self, Self::Finished | Self::Refused)
    }
}

/// Check of the progress of a connection, by bytes and time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    taken: u64,
    since: Instant,
}

impl Pace {
    /// Starts the check of a connection that is blocked after `taken` bytes.
    pub fn new(now: Instant, taken: u64) -> Self {
        Self { taken, since: now }
    }

    /// Checks the progress with `waiting` queued bytes. Returns the time of the next check.
    ///
    /// # Errors
    /// Returns [`Closing::Slow`] for a slow client.
    pub fn judge(
        &mut self,
        now: Instant,
        taken: u64,
        waiting: usize,
        patience: SlowClientLimits,
    ) -> Result<Instant, Closing> {
        if taken != self.taken {
            *self = Self::new(now, taken);
        }
        let until = self.since + patience.stall;
        if now >= until || waiting > patience.bytes {
            Err(Closing::Slow)
        } else {
            Ok(until)
        }
    }
}

/// Queue of frames between the fillers and the writer of one connection.
///
/// Within a [run](super::run_queue) the filler writes its frames, as far as the connection takes them. The connection's
/// task writes the rest.
pub struct Outbound {
    patience: SlowClientLimits,
    memory: Arc<Memory>,
    /// Time of frames in the queue.
    wait: Histogram,
    queue: Mutex<Queue>,
    /// Transport for the frames; `None` before the connection is served and after its end.
    transport: OnceLock<Weak<Mutex<dyn FrameTransport>>>,
    /// Waker of the writer.
    writer: AtomicWaker,
    /// Waker of the session that waits for room.
    filler: AtomicWaker,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<String>,
    bytes: usize,
    held: MemoryUse,
    /// Set while the connection's task waits for progress.
    blocked: bool,
    /// Set while the transport's buffer holds unsent bytes.
    unflushed: bool,
    /// Set while the run of a thread has to write the queue.
    in_run: bool,
    closing: Option<Closing>,
    sample: Sample,
}

/// Measurement of one of some frames.
#[derive(Debug, Default)]
struct Sample {
    pushed: u32,
    popped: u32,
    /// Number and time of the measured frame in the queue.
    running: Option<(u32, Instant)>,
}

/// Result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All queued frames were taken.
    All,
    /// All queued frames were taken, and the connection has to be closed.
    Close(Closing),
    /// The connection is lost.
    Lost,
}

impl Outbound {
    /// Creates an empty queue.
    pub fn new(patience: SlowClientLimits, memory: Arc<Memory>, wait: Histogram) -> Arc<Self> {
        let held = memory.holds(MemoryUser::Connections);
        Arc::new(Self {
            patience,
            memory,
            wait,
            queue: Mutex::new(Queue {
                // An idle connection gets one frame at a time.
                frames: VecDeque::with_capacity(1),
                bytes: 0,
                held,
                blocked: false,
                unflushed: false,
                in_run: false,
                closing: None,
                sample: Sample::default(),
            }),
            transport: OnceLock::new(),
            writer: AtomicWaker::new(),
            filler: AtomicWaker::new(),
        })
    }

    /// Returns the current limit of queued bytes.
    pub fn patience(&self) -> SlowClientLimits {
        let bytes = self.patience.bytes;
        SlowClientLimits {
            bytes: if self.memory.is_full() {
                bytes.min(SMALL_SHARE)
            } else {
                bytes
            },
            ..self.patience
        }
    }

    /// Sets the transport for the frames.
    pub fn serve(&self, transport: &SharedTransport) {
        let _ = self.transport.set(Arc::downgrade(transport));
    }

    /// Adds a frame. Returns false if the caller must wait for [`room`](Self::room).
    pub fn push(self: &Arc<Self>, text: String) -> bool {
        let mut queue = self.queue.lock();
        if queue.closing.is_some() {
            return true;
        }
        queue.add(text.len() + FRAME_BYTES);
        queue.frames.push_back(text);
        queue.sample.push();
        if queue.blocked {
            if queue.bytes > self.patience().bytes {
                self.writer.wake();
            }
        } else if !queue.in_run {
            queue.in_run = run_queue::write_later(self);
            if !queue.in_run {
                self.writer.wake();
            }
        }
        queue.bytes <= self.patience.bytes
    }

    /// Writes the queued frames, as far as the connection takes them.
    pub fn poll_write(&self, transport: &mut dyn FrameTransport, context: &mut Context<'_>) -> Poll<Written> {
        loop {
            if !ready!(transport.poll_ready(context)) {
                return Poll::Ready(Written::Lost);
            }
            let Some(frame) = self.next_frame() else { break };
            if !transport.start_send(&frame) {
                return Poll::Ready(Written::Lost);
            }
        }
        if !ready!(transport.poll_flush(context)) {
            return Poll::Ready(Written::Lost);
        }
        let mut queue = self.queue.lock();
        queue.unflushed = false;
        Poll::Ready(match queue.closing {
            Some(closing) => Written::Close(closing),
            None => Written::All,
        })
    }

    /// Closes the connection, either at once or after the queued frames.
    pub fn close(&self, closing: Closing) {
        let mut queue = self.queue.lock();
        if !closing.is_orderly() {
            queue.clear();
        }
        if queue.closing.is_none_or(Closing::is_orderly) {
            queue.closing = Some(closing);
        }
        self.writer.wake();
        self.filler.wake();
    }

    /// Keeps the connection of a refused login open.
    pub fn reopen(&self) {
        self.queue
            .lock()
            .closing
            .take_if(|closing| *closing == Closing::Refused);
    }

    /// Waits until the queue is within its limit, or the connection is being closed.
    pub async fn room(&self) {
        poll_fn(|context| {
            self.filler.register(context.waker());
            let queue = self.queue.lock();
            if queue.bytes <= self.patience.bytes || queue.closing.is_some() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Waits until the connection's task has frames to write or has to close.
    pub async fn work(&self) {
        poll_fn(|context| self.poll_work(context)).await;
    }

    /// As [`work`](Self::work).
    pub fn poll_work(&self, context: &mut Context<'_>) -> Poll<()> {
        self.writer.register(context.waker());
        let queue = self.queue.lock();
        let waits = !queue.frames.is_empty() && !queue.in_run;
        if waits || queue.unflushed || queue.closing.is_some() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn next_frame(&self) -> Option<String> {
        let mut queue = self.queue.lock();
        let frame = queue.frames.pop_front()?;
        if let Some(since) = queue.sample.pop() {
            self.wait.took(since.elapsed());
        }
        let was_full = queue.bytes > self.patience.bytes;
        queue.remove(frame.len() + FRAME_BYTES);
        if was_full && queue.bytes <= self.patience.bytes {
            self.filler.wake();
        }
        Some(frame)
    }

    /// Waits, while the connection is blocked, until its client is slow or another reason closes it. `taken` returns
    /// the number of bytes that the connection has taken.
    pub async fn blocked(&self, taken: impl Fn() -> u64) -> Closing {
        let _blocked = Blocked::begin(&self.queue);
        let mut pace = Pace::new(Instant::now(), taken());
        let mut look = pin!(sleep(Duration::ZERO));
        poll_fn(|context| {
            self.writer.register(context.waker());
            loop {
                let (waiting, closing) = {
                    let queue = self.queue.lock();
                    (queue.bytes, queue.closing)
                };
                // The last frames of the session still have to be written.
                if let Some(closing) = closing.filter(|closing| !closing.is_orderly()) {
                    return Poll::Ready(closing);
                }
                match pace.judge(Instant::now(), taken(), waiting, self.patience()) {
                    Ok(until) => look.as_mut().reset(until),
                    Err(closing) => return Poll::Ready(closing),
                }
                if look.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

impl run_queue::Writable for Outbound {
    fn write(&self) {
        {
            let mut queue = self.queue.lock();
            queue.in_run = false;
            if queue.blocked || queue.unflushed || queue.closing.is_some() {
                // The connection's task writes already.
                return self.writer.wake();
            }
        }
        let transport = self.transport.get().and_then(Weak::upgrade);
        let transport = transport.as_ref().and_then(|transport| transport.try_lock());
        let Some(mut transport) = transport else {
            return self.writer.wake();
        };
        let written = self.poll_write(&mut *transport, &mut Context::from_waker(Waker::noop()));
        if written != Poll::Ready(Written::All) {
            self.queue.lock().unflushed = true;
            self.writer.wake();
        }
    }
}

impl Sample {
    /// One of so many frames is measured.
    const EVERY: u32 = 32;

    fn push(&mut self) {
        if self.running.is_none() && self.pushed.is_multiple_of(Self::EVERY) {
            self.running = Some((self.pushed, Instant::now()));
        }
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// Returns the time at which the frame was pushed, if it is measured.
    fn pop(&mut self) -> Option<Instant> {
        let number = self.popped;
        self.popped = self.popped.wrapping_add(1);
        let (_, since) = self.running.take_if(|(measured, _)| *measured == number)?;
        Some(since)
    }
}

impl Queue {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.held.set(self.bytes);
    }

    fn remove(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.held.set(self.bytes);
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.sample = Sample::default();
        self.remove(self.bytes);
    }
}

/// Guard that marks a blocked writer.
struct Blocked<'o>(&'o Mutex<Queue>);

impl<'o> Blocked<'o> {
    fn begin(queue: &'o Mutex<Queue>) -> Self {
        queue.lock().blocked = true;
        Self(queue)
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.lock().blocked = false;
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: SlowClientLimits = SlowClientLimits {
        stall: Duration::from_secs(10),
        bytes: 1_000,
    };

    fn outbound() -> Arc<Outbound> {
        Outbound::new(PATIENCE, Memory::new(1 << 20), Histogram::short())
    }

    fn frame(bytes: usize) -> String {
        "x".repeat(bytes - FRAME_BYTES)
    }

    /// Checks the progress after each of `steps`: seconds, bytes taken, bytes queued.
    fn check(steps: &[(u64, u64, usize)], expected: Result<u64, Closing>) {
        let start = Instant::now();
        let mut pace = Pace::new(start, 0);
        let at = |secs| start + Duration::from_secs(secs);
        let judged = steps
            .iter()
            .map(|(secs, taken, waiting)| pace.judge(at(*secs), *taken, *waiting, PATIENCE))
            .last();
        assert_eq!(judged, Some(expected.map(at)), "{steps:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_slow_by_time_or_by_bytes() {
        check(&[(0, 0, 1_000)], Ok(10));
        check(&[(9, 0, 1_000)], Ok(10));
        check(&[(10, 0, 1)], Err(Closing::Slow));
        check(&[(9, 1, 1_000)], Ok(19));
        check(&[(9, 1, 1_000), (18, 2, 1_000), (27, 3, 1_000)], Ok(37));
        check(&[(9, 1, 1_000), (19, 1, 1_000)], Err(Closing::Slow));
        check(&[(0, 0, 1_001)], Err(Closing::Slow));
        check(&[(0, 5, 1_001)], Err(Closing::Slow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_written_in_order_and_no_frame_is_lost() {
        let outbound = outbound();
        let writer = tokio::spawn({
            let outbound = outbound.clone();
            async move {
                let mut lengths = Vec::new();
                loop {
                    outbound.work().await;
                    while let Some(text) = outbound.next_frame() {
                        lengths.push(text.len());
                        tokio::task::yield_now().await;
                    }
                    if outbound.queue.lock().closing.is_some() {
                        return lengths;
                    }
                }
            }
        });
        for n in 0..500 {
            if !outbound.push("x".repeat(n)) {
                outbound.room().await;
            }
        }
        outbound.close(Closing::Finished);
        assert_eq!(writer.await.unwrap(), (0..500).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_some_frames_is_measured() {
        let outbound = outbound();
        for _ in 0..2 * Sample::EVERY {
            outbound.push("x".into());
            assert!(outbound.next_frame().is_some());
        }
        assert_eq!(outbound.wait.count(), 2);
        outbound.push("x".into());
        outbound.push("y".into());
        outbound.close(Closing::Over);
        assert_eq!(outbound.wait.count(), 2, "frames that are thrown away");
    }

    #[tokio::test(start_paused = true)]
    async fn queued_frames_are_judged_only_while_the_connection_is_blocked() {
        let outbound = outbound();
        assert!(outbound.push(frame(1_000)));
        assert!(!outbound.push(frame(1_000)), "the queue is over its limit");
        assert!(outbound.next_frame().is_some());
        outbound.room().await;
        let blocked = tokio::spawn({
            let outbound = outbound.clone();
            async move { outbound.blocked(|| 0).await }
        });
        tokio::task::yield_now().await;
        outbound.push(frame(1_000));
        assert_eq!(blocked.await.unwrap(), Closing::Slow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_takes_nothing_is_closed_in_time() {
        let outbound = outbound();
        outbound.push(frame(100));
        let start = Instant::now();
        assert_eq!(outbound.blocked(|| 0).await, Closing::Slow);
        assert_eq!(start.elapsed(), PATIENCE.stall);
        // A connection that takes single bytes stays open until another reason closes it.
        let blocked = tokio::spawn({
            let (outbound, start) = (outbound.clone(), Instant::now());
            async move { outbound.blocked(|| start.elapsed().as_secs() / 9).await }
        });
        tokio::time::sleep(PATIENCE.stall * 9).await;
        outbound.close(Closing::Finished);
        tokio::time::sleep(PATIENCE.stall).await;
        assert!(!blocked.is_finished(), "the last frames still have to be written");
        outbound.close(Closing::Over);
        assert_eq!(blocked.await.unwrap(), Closing::Over);
    }

    #[tokio::test(start_paused = true)]
    async fn with_the_memory_full_less_may_wait() {
        let memory = Memory::new(SMALL_SHARE);
        let patience = SlowClientLimits {
            bytes: 1 << 20,
            ..PATIENCE
        };
        let outbound = Outbound::new(patience, memory.clone(), Histogram::short());
        let blocked = tokio::spawn({
            let outbound = outbound.clone();
            async move { outbound.blocked(|| 0).await }
        });
        outbound.push(frame(SMALL_SHARE));
        tokio::task::yield_now().await;
        assert!(!blocked.is_finished());
        outbound.push(frame(SMALL_SHARE));
        assert_eq!(blocked.await.unwrap(), Closing::Slow);
        outbound.close(Closing::Slow);
        assert_eq!(memory.of(MemoryUser::Connections), 0);
    }

    #[test]
    fn queued_frames_precede_the_close() {
        let outbound = outbound();
        outbound.push("bye".into());
        outbound.close(Closing::Finished);
        outbound.push("more".into());
        let closing = || outbound.queue.lock().closing;
        assert_eq!(outbound.next_frame(), Some("bye".into()));
        assert_eq!((outbound.next_frame(), closing()), (None, Some(Closing::Finished)));
        outbound.close(Closing::Slow);
        outbound.close(Closing::Over);
        assert_eq!(closing(), Some(Closing::Slow));
    }
}
