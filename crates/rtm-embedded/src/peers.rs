//! Peer messages (rtm-api 3.2).
//!
//! Decided here: a user may send to itself. A message to a user whose link is lost is held, and its
//! sender waits for the peer's acknowledgement until the message's timeout. The message is
//! delivered after the recovery in any case.

use rtm::{Message, PeerMessageErr, RtmEvent, RtmReply, UserId};

use crate::client::Held;
use crate::context::{Ask, ClientId, Step};
use crate::limits::MESSAGE_TIMEOUT;
use crate::service::RtmService;
use crate::timers::{Timer, TimerId};

impl RtmService {
    pub(super) fn send_to_peer(&mut self, step: &mut Step<'_>, ask: Ask, peer: UserId, message: Message) {
        let Some(session) = self.clients.session(ask.client) else {
            return;
        };
        let from = session.user.clone();
        let to = self.users.get(&peer).copied();
        let Some((to, receiver)) = to.and_then(|to| Some((to, self.clients.session_mut(to)?))) else {
            self.store_offline(step.now, peer, from, message);
            return step.reply(ask, RtmReply::HasPeerReceived(false));
        };
        let event = RtmEvent::MessageFromPeer {
            peer_id: from,
            message,
            server_received_ts: step.now.as_millis(),
            is_offline_message: false,
        };
        let Some(outage) = &mut receiver.outage else {
            step.reply(ask, RtmReply::HasPeerReceived(true));
            return step.event(to, event);
        };
        let timer = self.timers.set(step.now + MESSAGE_TIMEOUT, Timer::PeerTimeout(ask));
        outage.hold(Held {
            event,
            sender: Some(timer),
        });
    }

    pub(super) fn peer_timed_out(&mut self, step: &mut Step<'_>, ask: Ask) {
        if self.clients.get(ask.client).is_some() {
            step.fail(ask, PeerMessageErr::Timeout);
        }
    }

    /// Answers the sender of a held message, unless its call has timed out.
    pub(super) fn acknowledge(&mut self, step: &mut Step<'_>, sender: Option<TimerId>, received: bool) {
        if let Some(Timer::PeerTimeout(ask)) = sender.and_then(|timer| self.timers.cancel(timer))
            && self.clients.get(ask.client).is_some()
        {
            step.reply(ask, RtmReply::HasPeerReceived(received));
        }
    }

    /// Sends the instance an event that is transported as a peer message: at once, or after the
    /// recovery of its link.
    pub(super) fn signal(&mut self, step: &mut Step<'_>, client: ClientId, event: RtmEvent) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        match &mut session.outage {
            None => step.event(client, event),
            Some(outage) => {
                outage.hold(Held { event, sender: None });
            }
        }
    }
}
