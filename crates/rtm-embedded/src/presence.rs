//! Presence and its subscriptions (rtm-api 3.3).
//!
//! Decided here: after a subscription the event lists all subscribed users, not only the new ones.

use std::collections::{BTreeSet, HashMap, HashSet};

use rtm::{OnlineState, RtmEvent, RtmReply, UserId};

use crate::context::{ClientId, Ctx, ReplyTo};
use crate::service::RtmService;

/// Subscribers by user.
#[derive(Debug, Default)]
pub(super) struct Followers(HashMap<UserId, BTreeSet<ClientId>>);

impl Followers {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, user: &UserId, client: ClientId) {
        self.0.entry(user.clone()).or_default().insert(client);
    }

    pub(super) fn remove(&mut self, user: &UserId, client: ClientId) {
        if let Some(followers) = self.0.get_mut(user) {
            followers.remove(&client);
            if followers.is_empty() {
                self.0.remove(user);
            }
        }
    }
}

impl RtmService {
    /// Returns the presence of users. Unreachable users are online: the query has no third state.
    pub(super) fn query_peers(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, peers: Vec<UserId>) {
        let mut seen = HashSet::new();
        let mut online = Vec::with_capacity(peers.len());
        for peer in peers {
            if seen.insert(peer.clone()) {
                let is_online = self.users.contains_key(&peer);
                online.push((peer, is_online));
            }
        }
        ctx.reply(reply_to, RtmReply::Online(online));
    }

    pub(super) fn follow(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, peers: Vec<UserId>) {
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return;
        };
        for peer in &peers {
            self.followers.add(peer, reply_to.client);
        }
        session.following.extend(peers);
        let followed: Vec<_> = session.following.iter().cloned().collect();
        let with_state = |user: UserId| (user.clone(), self.online_state(&user));
        let status = followed.into_iter().map(with_state).collect();
        ctx.reply(reply_to, RtmReply::Void);
        ctx.event(reply_to.client, RtmEvent::PeersOnlineStatusChanged { status });
    }

    pub(super) fn unfollow(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, peers: &[UserId]) {
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return;
        };
        for peer in peers {
            session.following.remove(peer);
            self.followers.remove(peer, reply_to.client);
        }
        ctx.reply(reply_to, RtmReply::Void);
    }

    pub(super) fn query_followed(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo) {
        if let Some(session) = self.clients.session(reply_to.client) {
            let followed = session.following.iter().cloned().collect();
            ctx.reply(reply_to, RtmReply::UserIds(followed));
        }
    }

    /// Notifies subscribers if a user's presence differs from `before`.
    pub(super) fn presence_changed(&mut self, ctx: &mut Ctx<'_>, user: &UserId, before: OnlineState) {
        let state = self.online_state(user);
        let followers = self.followers.0.get(user).filter(|_| state != before);
        for &follower in followers.into_iter().flatten() {
            let Some(session) = self.clients.session_mut(follower) else {
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
