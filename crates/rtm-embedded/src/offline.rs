//! The store of messages to offline peers (rtm-api 3.2): 200 per receiver, for 7 days, if it is
//! enabled.

use std::collections::VecDeque;

use foldhash::HashMap;

use rtm::time::Time;
use rtm::{Message, RtmEvent, UserId};

use crate::context::Ctx;
use crate::ids::ClientId;
use crate::limits::{OFFLINE_AGE, OFFLINE_MESSAGES, OFFLINE_RECEIVERS};
use crate::timers::{Timer, TimerId};

/// Messages by receiver.
#[derive(Debug, Default)]
pub(super) struct OfflineStore(HashMap<UserId, Mailbox>);

impl OfflineStore {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Stores a message, if the service stores any.
    pub(super) fn store(&mut self, ctx: &mut Ctx<'_>, to: UserId, from: UserId, message: Message) {
        let store = &mut self.0;
        if !ctx.config.offline_messages || (store.len() >= OFFLINE_RECEIVERS && !store.contains_key(&to)) {
            return;
        }
        let at = ctx.now;
        let stored = Stored { at, from, message };
        match store.get_mut(&to) {
            Some(mailbox) => {
                if mailbox.messages.len() >= OFFLINE_MESSAGES {
                    mailbox.messages.pop_front();
                }
                mailbox.messages.push_back(stored);
            }
            None => {
                let timer = ctx.set_timer_in(OFFLINE_AGE, Timer::OfflineStore(to.clone()));
                let messages = VecDeque::from([stored]);
                store.insert(to, Mailbox { messages, timer });
            }
        }
    }

    /// Sends the stored messages to a user that has logged in.
    pub(super) fn deliver(&mut self, ctx: &mut Ctx<'_>, user: &UserId, client: ClientId) {
        let Some(mailbox) = self.0.remove(user) else {
            return;
        };
        ctx.cancel(mailbox.timer);
        for Stored { at, from, message } in mailbox.messages {
            let event = RtmEvent::MessageFromPeer {
                peer_id: from,
                message,
                server_received_ts: at.as_millis(),
                is_offline_message: true,
            };
            ctx.event(client, event);
        }
    }

    /// Drops expired messages.
    pub(super) fn timer(&mut self, ctx: &mut Ctx<'_>, user: &UserId) {
        let Some(mailbox) = self.0.get_mut(user) else {
            return;
        };
        let is_over = |m: &Stored| ctx.now.since(m.at) >= OFFLINE_AGE;
        while mailbox.messages.front().is_some_and(is_over) {
            mailbox.messages.pop_front();
        }
        match mailbox.messages.front() {
            Some(oldest) => {
                mailbox.timer = ctx.set_timer(oldest.at + OFFLINE_AGE, Timer::OfflineStore(user.clone()));
            }
            None => {
                self.0.remove(user);
            }
        }
    }
}

#[derive(Debug)]
struct Mailbox {
    /// Oldest first; never empty.
    messages: VecDeque<Stored>,
    /// Expiry of the oldest message; late if that one has been dropped.
    timer: TimerId,
}

#[derive(Debug)]
struct Stored {
    at: Time,
    from: UserId,
    message: Message,
}
