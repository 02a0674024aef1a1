//! Peer messages (rtm-api 3.2).
//!
//! Decided here: a user may send to itself. A message to a user whose link is lost is held, and its
//! sender waits for the peer's acknowledgement until the message's timeout. The message is
//! delivered after the recovery in any case.

use rtm::{Message, PeerMessageErr, RtmEvent, RtmReply, UserId};

use crate::client::Clients;
use crate::context::Ctx;
use crate::ids::ReplyTo;
use crate::limits::MESSAGE_TIMEOUT;
use crate::offline::OfflineStore;
use crate::outage::Held;
use crate::timers::Timer;

/// Messages between peers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// Messages to users that are not logged in.
    pub(super) offline: OfflineStore,
}

impl Peers {
    pub(super) fn send(
        &mut self,
        clients: &mut Clients,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        peer: UserId,
        message: Message,
    ) {
        let Some(session) = clients.session(reply_to.client) else {
            return;
        };
        let from = session.user.clone();
        let to = clients.of_user(&peer);
        let Some((to, receiver)) = to.and_then(|to| Some((to, clients.session_mut(to)?))) else {
            self.offline.store(ctx, peer, from, message);
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
        let timer = ctx.set_timer_in(MESSAGE_TIMEOUT, Timer::PeerTimeout(reply_to));
        outage.hold(Held {
            event,
            sender: Some(timer),
        });
    }

    /// Handles the timeout of the peer's acknowledgement.
    pub(super) fn timed_out(clients: &Clients, ctx: &mut Ctx<'_>, reply_to: ReplyTo) {
        if clients.get(reply_to.client).is_some() {
            ctx.fail(reply_to, PeerMessageErr::Timeout);
        }
    }
}
