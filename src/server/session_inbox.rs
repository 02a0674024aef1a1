//! Inbox of a session, bounded in bytes. A full inbox never ends the session.
//!
//! A client is read no faster than its session takes its messages. Events of RTM cannot be delayed, since one event
//! goes to many sessions. So no client is read while any inbox is over its limit ([`InboxPressure`]).
//!
//! A session has no task: it takes its messages in the sender's run ([`run_queue`](super::run_queue)).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::error;

use rtm::RtmEvent;
use rtm::upstream::UpstreamEvent;

use crate::server::message::{Message, TableOffer};
use crate::server::run_queue::{RunQueue, Runnable, schedule};
use crate::server::send_queue::Outbound;

/// Bytes of one client that its session may not have taken yet.
const CLIENT_BYTES: usize = 256 * 1024;
/// Bytes that may wait for one session before the server reads no client.
const CROWDED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that may wait for one session before its messages are dropped. Such an excess does not come from clients of
/// this sidecar.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Number of messages that a session takes in one turn.
const AT_ONCE: usize = 64;

/// Recipient of the messages of an inbox.
pub trait Recipient: Send {
    /// Processes a message.
    fn take(&mut self, message: Message);

    /// Fires the timers that are due.
    fn fire_timers(&mut self);

    /// Uses the offered tables from now on, or returns false: it cannot. Returns `None` if it has to be asked again.
    fn take_tables(&mut self, offer: TableOffer) -> Option<bool>;

    /// Returns the next condition to wait for, after messages or timers.
    fn rest(&mut self) -> Rest;

    /// Ends the recipient, once, with the messages that it has not taken.
    fn finish(&mut self, left: VecDeque<Message>);
}

/// Condition that a recipient waits for.
pub enum Rest {
    /// Messages and timers.
    Ready,
    /// Room in the queue of a connection.
    Full(Arc<Outbound>),
    /// No condition: the recipient has ended.
    Over,
}

/// Counter of the inboxes over their limit.
#[derive(Debug, Default)]
pub struct InboxPressure {
    inboxes: AtomicUsize,
    below_limit: Notify,
}

/// Sender side of a session's inbox.
#[derive(Clone)]
pub struct Inbox(Arc<Cell>);

/// Weak reference to an [`Inbox`].
#[derive(Clone)]
pub struct WeakInbox(Weak<Cell>);

/// Error of an ended session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over;

struct Cell {
    queue: Mutex<Queue>,
    recipient: Mutex<Option<Box<dyn Recipient>>>,
    load: Load,
    runs: Arc<RunQueue>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<(Message, usize)>,
    /// Set while the session runs or is scheduled.
    scheduled: bool,
    timers_are_due: bool,
    has_recipient: bool,
    closed: bool,
}

struct Load {
    pressure: Arc<InboxPressure>,
    all: AtomicUsize,
    sent: AtomicUsize,
    /// Notification that a client's messages were taken.
    taken: Notify,
}

impl InboxPressure {
    async fn below_limit(&self) {
        loop {
            let below_limit = self.below_limit.notified();
            if self.inboxes.load(Ordering::Acquire) == 0 {
                return;
            }
            below_limit.await;
        }
    }
}

impl Load {
    fn add(&self, bytes: usize) {
        let before = self.all.fetch_add(bytes, Ordering::AcqRel);
        if before <= CROWDED_BYTES && before + bytes > CROWDED_BYTES {
            self.pressure.inboxes.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn remove(&self, bytes: usize) {
        let before = self.all.fetch_sub(bytes, Ordering::AcqRel);
        if before > CROWDED_BYTES
            && before - bytes <= CROWDED_BYTES
            && self.pressure.inboxes.fetch_sub(1, Ordering::AcqRel) == 1
        {
            self.pressure.below_limit.notify_waiters();
        }
    }
}

/// Creates an inbox without a recipient.
pub fn inbox(pressure: &Arc<InboxPressure>, runs: &Arc<RunQueue>) -> Inbox {
    Inbox(Arc::new(Cell {
        queue: Mutex::new(Queue {
            // An idle session gets one message at a time.
            messages: VecDeque::with_capacity(1),
            ..Queue::default()
        }),
        recipient: Mutex::new(None),
        load: Load {
            pressure: pressure.clone(),
            all: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            taken: Notify::new(),
        },
        runs: runs.clone(),
    }))
}

impl Inbox {
    /// Sets the recipient, which takes the queued messages.
    pub fn start(&self, recipient: Box<dyn Recipient>) {
        *self.0.recipient.lock() = Some(recipient);
        let mut queue = self.0.queue.lock();
        queue.has_recipient = true;
        let waits = !queue.messages.is_empty() && !std::mem::replace(&mut queue.scheduled, true);
        drop(queue);
        if waits {
            schedule(self.0.clone());
        }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// Returns [`Over`] after the end of the session.
    pub fn send(&self, message: Message) -> Result<(), Over> {
        let (bytes, sent) = (message.bytes(), message.is_from_client());
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return Err(Over);
        }
        self.0.load.add(bytes);
        if sent {
            self.0.load.sent.fetch_add(bytes, Ordering::AcqRel);
        }
        queue.messages.push_back((message, bytes));
        self.0.wake(queue);
        Ok(())
    }

    /// Queues an event of RTM. Returns false if the inbox has no room for it.
    pub fn deliver(&self, event: UpstreamEvent) -> bool {
        let is_message = matches!(
            event,
            UpstreamEvent::Event(RtmEvent::MessageFromPeer { .. } | RtmEvent::ChannelMessage { .. })
        );
        if is_message && self.0.load.all.load(Ordering::Relaxed) > MOST_BYTES {
            return false;
        }
        // An ended session needs no events.
        let _ = self.send(Message::UpstreamEvent(Box::new(event)));
        true
    }

    /// Offers other tables to the session, in the caller's thread. No message may be on its way from the caller. Returns
    /// `None` if the offer has to be repeated, and false if it is in vain.
    pub fn offer_tables(&self, offer: TableOffer) -> Option<bool> {
        self.0.recipient.lock().as_deref_mut()?.take_tables(offer)
    }

    /// Returns true if no message waits.
    pub fn is_empty(&self) -> bool {
        self.0.queue.lock().messages.is_empty()
    }

    /// Schedules the timers of the session.
    pub fn fire_timers(&self) {
        let mut queue = self.0.queue.lock();
        queue.timers_are_due = true;
        self.0.wake(queue);
    }

    /// Returns true if the next messages of a client may be read. An ended session does not block its client.
    pub fn has_room(&self) -> bool {
        let load = &self.0.load;
        let crowded = load.pressure.inboxes.load(Ordering::Acquire) > 0;
        !crowded && (load.sent.load(Ordering::Acquire) < CLIENT_BYTES || self.is_closed())
    }

    /// Waits until the next messages of a client may be read.
    pub async fn room(&self) {
        let load = &self.0.load;
        loop {
            let taken = load.taken.notified();
            if load.sent.load(Ordering::Acquire) < CLIENT_BYTES || self.is_closed() {
                break;
            }
            taken.await;
        }
        load.pressure.below_limit().await;
    }

    /// Reports the end of the session.
    pub fn is_closed(&self) -> bool {
        self.0.queue.lock().closed
    }

    /// Returns a weak reference to the inbox.
    pub fn downgrade(&self) -> WeakInbox {
        WeakInbox(Arc::downgrade(&self.0))
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakInbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakInbox").finish_non_exhaustive()
    }
}

impl WeakInbox {
    /// Returns the inbox if the session still exists.
    pub fn upgrade(&self) -> Option<Inbox> {
        self.0.upgrade().map(Inbox)
    }
}

impl Cell {
    fn wake(self: &Arc<Self>, mut queue: parking_lot::MutexGuard<'_, Queue>) {
        let starts = queue.has_recipient && !queue.closed && !std::mem::replace(&mut queue.scheduled, true);
        drop(queue);
        if starts {
            schedule(self.clone());
        }
    }

    fn taken(&self, message: &Message, bytes: usize) {
        self.load.remove(bytes);
        if message.is_from_client() && self.load.sent.fetch_sub(bytes, Ordering::AcqRel) >= CLIENT_BYTES {
            self.load.taken.notify_waiters();
        }
    }

    /// Processes messages. Returns true if messages may be left.
    fn take_some(self: &Arc<Self>, recipient: &mut dyn Recipient) -> Next {
        for _ in 0..AT_ONCE {
            let (message, timers) = {
                let mut queue = self.queue.lock();
                let message = queue.messages.pop_front();
                let timers = std::mem::take(&mut queue.timers_are_due);
                if message.is_none() && !timers {
                    queue.scheduled = false;
                    return Next::Nothing;
                }
                (message, timers)
            };
            if let Some((message, bytes)) = message {
                self.taken(&message, bytes);
                recipient.take(message);
            }
            if timers {
                recipient.fire_timers();
            }
            match recipient.rest() {
                Rest::Ready => {}
                Rest::Full(out) => return Next::Wait(out),
                Rest::Over => return Next::Finish,
            }
        }
        Next::More
    }

    fn close(&self) -> VecDeque<Message> {
        let left = {
            let mut queue = self.queue.lock();
            queue.closed = true;
            std::mem::take(&mut queue.messages)
        };
        let left = left.into_iter().map(|(message, bytes)| {
            self.taken(&message, bytes);
            message
        });
        let left = left.collect();
        self.load.taken.notify_waiters();
        left
    }
}

enum Next {
    Nothing,
    More,
    Wait(Arc<Outbound>),
    Finish,
}

impl Runnable for Cell {
    fn run(self: Arc<Self>) {
        let mut holder = self.recipient.lock();
        let Some(recipient) = holder.as_deref_mut() else { return };
        // A panic in one session must not affect the other sessions of this run.
        let next = catch_unwind(AssertUnwindSafe(|| {
            let next = self.take_some(recipient);
            if let Next::Finish = next {
                recipient.finish(self.close());
            }
            next
        }));
        match next {
            Ok(Next::Nothing) => {}
            Ok(Next::More) => {
                drop(holder);
                schedule(self);
            }
            Ok(Next::Wait(out)) => {
                drop(holder);
                tokio::spawn(async move {
                    out.room().await;
                    let runs = self.runs.clone();
                    runs.hand_over(self);
                });
            }
            Ok(Next::Finish) => *holder = None,
            Err(_) => {
                error!("a session has ended because of a defect in this program");
                let left = self.close();
                if let Some(mut recipient) = holder.take() {
                    let _ = catch_unwind(AssertUnwindSafe(|| recipient.finish(left)));
                }
            }
        }
    }

    fn run_queue(&self) -> &Arc<RunQueue> {
        &self.runs
    }
}

/// Ends an unreachable session. The end has its own run, because the caller of the drop may hold locks.
impl Drop for Cell {
    fn drop(&mut self) {
        let Some(recipient) = self.recipient.get_mut().take() else {
            return;
        };
        let left = self.close();
        let abandoned = Abandoned {
            recipient: Mutex::new(Some((recipient, left))),
            runs: self.runs.clone(),
        };
        self.runs.hand_over(Arc::new(abandoned));
    }
}

/// Recipient with the messages that it has not taken.
type AbandonedRecipient = (Box<dyn Recipient>, VecDeque<Message>);

struct Abandoned {
    recipient: Mutex<Option<AbandonedRecipient>>,
    runs: Arc<RunQueue>,
}

impl Runnable for Abandoned {
    fn run(self: Arc<Self>) {
        let taken = self.recipient.lock().take();
        if let Some((mut recipient, left)) = taken {
            recipient.finish(left);
        }
    }

    fn run_queue(&self) -> &Arc<RunQueue> {
        &self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::run_queue::enter;
    use engine::Input;
    use protocol::event::{CallRef, SocketId};
    use rtm::UserId;

    fn sent(bytes: usize) -> Message {
        let call = CallRef {
            socket: SocketId(1),
            id: 1,
            function: 0,
        };
        let args = vec!["x".repeat(bytes).as_str().into()];
        Message::Input(Box::new(Input::Call {
            call,
            row: 0,
            args,
            acknowledges: None,
        }))
    }

    fn emitted(bytes: usize) -> UpstreamEvent {
        UpstreamEvent::Event(RtmEvent::MessageFromPeer {
            peer_id: UserId::new("bob").unwrap(),
            message: rtm::Message::Text("x".repeat(bytes).into()),
            server_received_ts: 0,
            is_offline_message: false,
        })
    }

    async fn has_room(inbox: &Inbox) -> bool {
        tokio::select! {
            biased;
            () = inbox.room() => true,
            () = tokio::task::yield_now() => false,
        }
    }

    /// Recipient that counts its messages. It ends after `over_after` messages and panics at message `fails_at`.
    struct Counter {
        counts: Arc<Mutex<(usize, usize)>>,
        over_after: usize,
        fails_at: usize,
    }

    impl Recipient for Counter {
        fn take(&mut self, _: Message) {
            let mut counts = self.counts.lock();
            counts.0 += 1;
            assert!(counts.0 != self.fails_at, "expected failure");
        }

        fn fire_timers(&mut self) {}

        fn take_tables(&mut self, _: TableOffer) -> Option<bool> {
            None
        }

        fn rest(&mut self) -> Rest {
            if self.counts.lock().0 >= self.over_after {
                Rest::Over
            } else {
                Rest::Ready
            }
        }

        fn finish(&mut self, left: VecDeque<Message>) {
            self.counts.lock().1 += 1 + left.len();
        }
    }

    fn counter(over_after: usize, fails_at: usize) -> (Box<Counter>, Arc<Mutex<(usize, usize)>>) {
        let counts = Arc::default();
        let counter = Counter {
            counts: Arc::clone(&counts),
            over_after,
            fails_at,
        };
        (Box::new(counter), counts)
    }

    #[tokio::test]
    async fn a_client_is_read_as_fast_as_its_session_takes() {
        let inbox = inbox(&Arc::default(), &Arc::default());
        for _ in 0..4 {
            assert!(has_room(&inbox).await);
            inbox.send(sent(CLIENT_BYTES / 4)).unwrap();
        }
        assert!(!has_room(&inbox).await);
        let (recipient, counts) = counter(5, 0);
        {
            let _run = enter();
            inbox.start(recipient);
        }
        assert_eq!(*counts.lock(), (4, 0));
        assert!(has_room(&inbox).await);
        {
            let _run = enter();
            inbox.send(sent(CLIENT_BYTES)).unwrap();
            inbox.send(sent(1)).unwrap();
        }
        assert_eq!(*counts.lock(), (5, 2), "ended, with one message left");
        assert!(has_room(&inbox).await, "an ended session does not block its client");
        assert_eq!(inbox.send(sent(1)), Err(Over));
    }

    #[tokio::test]
    async fn while_one_inbox_is_crowded_no_client_is_read() {
        let (pressure, runs) = (Arc::default(), Arc::default());
        let (crowded, other) = (inbox(&pressure, &runs), inbox(&pressure, &runs));
        assert!(crowded.deliver(emitted(CROWDED_BYTES / 2)));
        assert!(has_room(&other).await);
        assert!(crowded.deliver(emitted(CROWDED_BYTES / 2)));
        assert!(!has_room(&other).await);
        assert!(crowded.deliver(emitted(MOST_BYTES)));
        assert!(!crowded.deliver(emitted(1)), "messages over the limit are dropped");
        assert!(
            crowded.deliver(UpstreamEvent::Up(true)),
            "state changes are not dropped"
        );
        {
            let _run = enter();
            crowded.start(counter(2, 0).0);
        }
        assert!(has_room(&other).await, "an ended session does not block other clients");
        crowded.deliver(emitted(2 * CROWDED_BYTES));
        assert!(has_room(&other).await);
    }

    #[test]
    fn a_session_that_fails_ends_alone() {
        let (pressure, runs) = (Arc::default(), Arc::default());
        let (faulty, other) = (inbox(&pressure, &runs), inbox(&pressure, &runs));
        let (recipient, counts) = counter(9, 0);
        other.start(recipient);
        faulty.start(counter(9, 2).0);
        {
            let _run = enter();
            for _ in 0..3 {
                let _ = faulty.send(sent(1));
                let _ = other.send(sent(1));
            }
        }
        assert_eq!(faulty.send(sent(1)), Err(Over));
        assert_eq!(*counts.lock(), (3, 0));
    }

    #[tokio::test]
    async fn a_session_that_nobody_can_reach_ends() {
        let runs: Arc<RunQueue> = Arc::default();
        let inbox = inbox(&Arc::default(), &runs);
        let (recipient, counts) = counter(9, 0);
        inbox.start(recipient);
        drop(inbox);
        assert_eq!(*counts.lock(), (0, 0), "the caller of the drop may hold locks");
        let end = tokio_util::sync::CancellationToken::new();
        let work = tokio::spawn(runs.work(end.clone()));
        while counts.lock().1 == 0 {
            tokio::task::yield_now().await;
        }
        end.cancel();
        work.await.unwrap();
    }
}
