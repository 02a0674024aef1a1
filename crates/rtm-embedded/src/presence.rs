//! Presence and its subscriptions (rtm-api 3.3).
//!
//! Decided here: after a subscription the event lists all subscribed users, not only the new ones.

use std::collections::{BTreeSet, HashMap, HashSet};

use rtm::{OnlineState, RtmEvent, RtmReply, UserId};

use crate::context::{Ask, ClientId, Step};
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
    pub(super) fn query_peers(&mut self, step: &mut Step<'_>, ask: Ask, peers: Vec<UserId>) {
        let mut seen = HashSet::new();
        let mut online = Vec::with_capacity(peers.len());
        for peer in peers {
            if seen.insert(peer.clone()) {
                let is_online = self.users.contains_key(&peer);
                online.push((peer, is_online));
            }
        }
        step.reply(ask, RtmReply::Online(online));
    }

    pub(super) fn follow(&mut self, step: &mut Step<'_>, ask: Ask, peers: Vec<UserId>) {
        let Some(session) = self.clients.session_mut(ask.client) else {
            return;
        };
        for peer in &peers {
            self.followers.add(peer, ask.client);
        }
        session.following.extend(peers);
        let followed: Vec<_> = session.following.iter().cloned().collect();
        let with_state = |user: UserId| (user.clone(), self.online_state(&user));
        let status = followed.into_iter().map(with_state).collect();
        step.reply(ask, RtmReply::Void);
        step.event(ask.client, RtmEvent::PeersOnlineStatusChanged { status });
    }

    pub(super) fn unfollow(&mut self, step: &mut Step<'_>, ask: Ask, peers: &[UserId]) {
        let Some(session) = self.clients.session_mut(ask.client) else {
            return;
        };
        for peer in peers {
            session.following.remove(peer);
            self.followers.remove(peer, ask.client);
        }
        step.reply(ask, RtmReply::Void);
    }

    pub(super) fn query_followed(&mut self, step: &mut Step<'_>, ask: Ask) {
        if let Some(session) = self.clients.session(ask.client) {
            let followed = session.following.iter().cloned().collect();
            step.reply(ask, RtmReply::UserIds(followed));
        }
    }

    /// Notifies subscribers if a user's presence differs from `before`.
    pub(super) fn presence_changed(&mut self, step: &mut Step<'_>, user: &UserId, before: OnlineState) {
        let state = self.online_state(user);
        let followers = self.followers.0.get(user).filter(|_| state != before);
        for &follower in followers.into_iter().flatten() {
            let Some(session) = self.clients.session_mut(follower) else {
                continue;
            };
            match &mut session.outage {
                None => {
                    let status = vec![(user.clone(), state)];
                    step.event(follower, RtmEvent::PeersOnlineStatusChanged { status });
                }
                Some(outage) => {
                    outage.presence.insert(user.clone(), state);
                }
            }
        }
    }
}
