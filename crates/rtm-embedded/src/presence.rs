//! Presence and its subscriptions (rtm-api 3.3).
//!
//! Decided here: after a subscription the event lists all subscribed users, not only the new ones.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashSet, HashSetExt as _};

use rtm::{OnlineState, RtmEvent, RtmReply, UserId};

use crate::client::Clients;
use crate::context::Ctx;
use crate::ids::{ClientId, ReplyTo};

/// The subscriptions of presence: the subscribers by user.
#[derive(Debug, Default)]
pub(super) struct Presence(HashMap<UserId, BTreeSet<ClientId>>);

impl Presence {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the presence of users. Unreachable users are online: the query has no third state.
    pub(super) fn query(clients: &Clients, peers: Vec<UserId>) -> RtmReply {
        let mut seen = HashSet::new();
        let mut online = Vec::with_capacity(peers.len());
        for peer in peers {
            if seen.insert(peer.clone()) {
                let is_online = clients.of_user(&peer).is_some();
                online.push((peer, is_online));
            }
        }
        RtmReply::Online(online)
    }

    pub(super) fn follow(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, reply_to: ReplyTo, peers: Vec<UserId>) {
        let Some(session) = clients.session_mut(reply_to.client) else {
            return;
        };
        for peer in &peers {
            self.0.entry(peer.clone()).or_default().insert(reply_to.client);
        }
        session.following.extend(peers);
        let followed: Vec<_> = session.following.iter().cloned().collect();
        let with_state = |user: UserId| (user.clone(), clients.online_state(&user));
        let status = followed.into_iter().map(with_state).collect();
        ctx.reply(reply_to, RtmReply::Void);
        ctx.event(reply_to.client, RtmEvent::PeersOnlineStatusChanged { status });
    }

    pub(super) fn unfollow(&mut self, clients: &mut Clients, ctx: &mut Ctx<'_>, reply_to: ReplyTo, peers: &[UserId]) {
        let Some(session) = clients.session_mut(reply_to.client) else {
            return;
        };
        for peer in peers {
            session.following.remove(peer);
            self.remove(peer, reply_to.client);
        }
        ctx.reply(reply_to, RtmReply::Void);
    }

    /// Removes a subscription.
    pub(super) fn remove(&mut self, user: &UserId, client: ClientId) {
        if let Some(followers) = self.0.get_mut(user) {
            followers.remove(&client);
            if followers.is_empty() {
                self.0.remove(user);
            }
        }
    }

    /// Notifies subscribers if a user's presence differs from `before`.
    pub(super) fn changed(&self, clients: &mut Clients, ctx: &mut Ctx<'_>, user: &UserId, before: OnlineState) {
        let state = clients.online_state(user);
        let followers = self.0.get(user).filter(|_| state != before);
        for &follower in followers.into_iter().flatten() {
            let Some(session) = clients.session_mut(follower) else {
                continue;
            };
            match &mut session.outage {
                None => {
                    let status = vec![(user.clone(), state)];
                    ctx.event(follower, RtmEvent::PeersOnlineStatusChanged { status });
                }
                Some(outage) => {
                    outage.presence.insert(user.clone(), state);
                }
            }
        }
    }
}
