//! Peer messages (rtm-api 3.2).
//!
//! Decided here: a user may send to itself. A message to a user whose link is lost is held, and its
//! sender waits for the peer's acknowledgement until the message's timeout. The message is
//! delivered after the recovery in any case.

use rtm::{Message, PeerMessageErr, RtmEvent, RtmReply, UserId};

use crate::client::Held;
use crate::context::{ClientId, Ctx, ReplyTo};
use crate::limits::MESSAGE_TIMEOUT;
use crate::service::RtmService;
use crate::timers::{Timer, TimerId};

impl RtmService {
    pub(super) fn send_to_peer(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, peer: UserId, message: Message) {
        let Some(session) = self.clients.session(reply_to.client) else {
            return;
        };
        let from = session.user.clone();
        let to = self.users.get(&peer).copied();
        let Some((to, receiver)) = to.and_then(|to| Some((to, self.clients.session_mut(to)?))) else {
            self.store_offline(ctx.now, peer, from, message);
            return ctx.reply(reply_to, RtmReply::HasPeerReceived(false));
        };
        let event = RtmEvent::MessageFromPeer {
            peer_id: from,
            message,
            server_received_ts: ctx.now.as_millis(),
            is_offline_message: false,
        };
        let Some(outage) = &mut receiver.outage else {
            ctx.reply(reply_to, RtmReply::HasPeerReceived(true));
            return ctx.event(to, event);
        };
        let timer = self.timers.set(ctx.now + MESSAGE_TIMEOUT, Timer::PeerTimeout(reply_to));
        outage.hold(Held {
            event,
            sender: Some(timer),
        });
    }

    pub(super) fn peer_timed_out(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo) {
        if self.clients.get(reply_to.client).is_some() {
            ctx.fail(reply_to, PeerMessageErr::Timeout);
        }
    }

    /// Answers the sender of a held message, unless its call has timed out.
    pub(super) fn acknowledge(&mut self, ctx: &mut Ctx<'_>, sender: Option<TimerId>, received: bool) {
        if let Some(Timer::PeerTimeout(reply_to)) = sender.and_then(|timer| self.timers.cancel(timer))
            && self.clients.get(reply_to.client).is_some()
        {
            ctx.reply(reply_to, RtmReply::HasPeerReceived(received));
        }
    }

    /// Sends the instance an event that is transported as a peer message: at once, or after the
    /// recovery of its link.
    pub(super) fn signal(&mut self, ctx: &mut Ctx<'_>, client: ClientId, event: RtmEvent) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        match &mut session.outage {
            None => ctx.event(client, event),
            Some(outage) => {
                outage.hold(Held { event, sender: None });
            }
        }
    }
}
