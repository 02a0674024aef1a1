//! A session's inbox: bounded in bytes, and no fullness of it ends the session.
//!
//! What a client says is read no faster than its session takes it. What RTM tells cannot be held up, since one event goes to
//! many; so while any inbox holds too much, no client is read ([`InboxPressure`]), and all that is left to do is to empty it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use rtm::RtmEvent;
use rtm::upstream::UpstreamEvent;

use crate::server::message::Message;

/// What one client may have said that its session has not taken.
const SAID_BYTES: usize = 256 * 1024;
/// What may wait for one session before no client is read.
const CROWDED_BYTES: usize = 4 * 1024 * 1024;
/// What may wait for one session before messages for it are dropped: whoever sends them is no client of this sidecar.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// How many inboxes hold too much.
#[derive(Debug, Default)]
pub struct InboxPressure {
    inboxes: AtomicUsize,
    relieved: Notify,
}

/// The way into a session's inbox.
#[derive(Clone, Debug)]
pub struct Inbox {
    sender: mpsc::UnboundedSender<(Message, usize)>,
    load: Arc<Load>,
}

/// The same, without keeping the session.
#[derive(Clone, Debug)]
pub struct WeakInbox {
    sender: mpsc::WeakUnboundedSender<(Message, usize)>,
    load: Arc<Load>,
}

/// The other end.
#[derive(Debug)]
pub struct Outlet {
    receiver: mpsc::UnboundedReceiver<(Message, usize)>,
    load: Arc<Load>,
}

/// The session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over;

#[derive(Debug)]
struct Load {
    crowd: Arc<InboxPressure>,
    all: AtomicUsize,
    said: AtomicUsize,
    /// A client's messages were taken.
    taken: Notify,
}

impl InboxPressure {
    async fn gone(&self) {
        loop {
            let relieved = self.relieved.notified();
            if self.inboxes.load(Ordering::Acquire) == 0 {
                return;
            }
            relieved.await;
        }
    }
}

impl Load {
    fn add(&self, bytes: usize) {
        let before = self.all.fetch_add(bytes, Ordering::AcqRel);
        if before <= CROWDED_BYTES && before + bytes > CROWDED_BYTES {
            self.crowd.inboxes.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn remove(&self, bytes: usize) {
        let before = self.all.fetch_sub(bytes, Ordering::AcqRel);
        if before > CROWDED_BYTES
            && before - bytes <= CROWDED_BYTES
            && self.crowd.inboxes.fetch_sub(1, Ordering::AcqRel) == 1
        {
            self.crowd.relieved.notify_waiters();
        }
    }
}

/// An inbox of a session that begins, and its other end.
pub fn inbox(crowd: &Arc<InboxPressure>) -> (Inbox, Outlet) {
    let load = Arc::new(Load {
        crowd: crowd.clone(),
        all: AtomicUsize::new(0),
        said: AtomicUsize::new(0),
        taken: Notify::new(),
    });
    #[expect(clippy::disallowed_methods, reason = "it is bounded in bytes, by `Load`")]
    let (sender, receiver) = mpsc::unbounded_channel();
    let inbox = Inbox {
        sender,
        load: load.clone(),
    };
    (inbox, Outlet { receiver, load })
}

impl Inbox {
    /// Puts a message in.
    ///
    /// # Errors
    /// [`Over`].
    pub fn send(&self, message: Message) -> Result<(), Over> {
        let (bytes, said) = (message.bytes(), message.is_said());
        self.load.add(bytes);
        if said {
            self.load.said.fetch_add(bytes, Ordering::AcqRel);
        }
        self.sender.send((message, bytes)).map_err(|_| {
            self.load.remove(bytes);
            Over
        })
    }

    /// Puts in what RTM tells; false when there is no room for it.
    pub fn tell(&self, told: UpstreamEvent) -> bool {
        let is_message = matches!(
            told,
            UpstreamEvent::Event(RtmEvent::MessageFromPeer { .. } | RtmEvent::ChannelMessage { .. })
        );
        if is_message && self.load.all.load(Ordering::Relaxed) > MOST_BYTES {
            return false;
        }
        // A session that is over needs no news.
        let _ = self.send(Message::UpstreamEvent(Box::new(told)));
        true
    }

    /// Waits until a client's next words may be read.
    pub async fn room(&self) {
        loop {
            let taken = self.load.taken.notified();
            if self.load.said.load(Ordering::Acquire) < SAID_BYTES || self.is_closed() {
                break;
            }
            taken.await;
        }
        self.load.crowd.gone().await;
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The same way in, without keeping the session.
    pub fn downgrade(&self) -> WeakInbox {
        WeakInbox {
            sender: self.sender.downgrade(),
            load: self.load.clone(),
        }
    }
}

impl WeakInbox {
    /// The way in, while the session is kept.
    pub fn upgrade(&self) -> Option<Inbox> {
        let sender = self.sender.upgrade()?;
        let load = self.load.clone();
        Some(Inbox { sender, load })
    }
}

impl Outlet {
    /// The next message; none when nobody has a way in.
    pub async fn next(&mut self) -> Option<Message> {
        let (message, bytes) = self.receiver.recv().await?;
        Some(self.taken(message, bytes))
    }

    /// The next message, when there is one.
    pub fn try_next(&mut self) -> Option<Message> {
        let (message, bytes) = self.receiver.try_recv().ok()?;
        Some(self.taken(message, bytes))
    }

    /// Takes nothing more in.
    pub fn close(&mut self) {
        self.receiver.close();
        self.load.taken.notify_waiters();
    }

    fn taken(&self, message: Message, bytes: usize) -> Message {
        self.load.remove(bytes);
        if message.is_said() && self.load.said.fetch_sub(bytes, Ordering::AcqRel) >= SAID_BYTES {
            self.load.taken.notify_waiters();
        }
        message
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.close();
        while self.try_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Input;
    use protocol::event::{CallRef, SocketId};
    use rtm::UserId;

    fn said(bytes: usize) -> Message {
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

    fn told(bytes: usize) -> UpstreamEvent {
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

    #[tokio::test]
    async fn a_client_is_read_as_fast_as_its_session_takes() {
        let (inbox, mut outlet) = inbox(&Arc::default());
        for _ in 0..4 {
            assert!(has_room(&inbox).await);
            inbox.send(said(SAID_BYTES / 4)).unwrap();
        }
        assert!(!has_room(&inbox).await);
        outlet.next().await;
        assert!(has_room(&inbox).await);
        inbox.send(said(SAID_BYTES)).unwrap();
        outlet.close();
        assert!(
            has_room(&inbox).await,
            "nothing holds up who is to learn that the session is over"
        );
        assert_eq!(inbox.send(said(1)), Err(Over));
    }

    #[tokio::test]
    async fn while_one_inbox_is_crowded_no_client_is_read() {
        let crowd = Arc::default();
        let ((crowded, mut outlet), (other, _kept)) = (inbox(&crowd), inbox(&crowd));
        assert!(crowded.tell(told(CROWDED_BYTES / 2)));
        assert!(has_room(&other).await);
        assert!(crowded.tell(told(CROWDED_BYTES / 2)));
        assert!(!has_room(&other).await);
        outlet.next().await;
        assert!(has_room(&other).await);
        assert!(crowded.tell(told(MOST_BYTES)));
        assert!(!crowded.tell(told(1)), "messages are dropped before memory is");
        assert!(crowded.tell(UpstreamEvent::Up(true)), "what a session must know is not");
        drop(outlet);
        assert!(has_room(&other).await, "a session that is over crowds nobody");
        crowded.tell(told(2 * CROWDED_BYTES));
        assert!(has_room(&other).await);
    }
}
