//! Subscriptions to presence of local instances.

use std::collections::{BTreeMap, BTreeSet};

use rtm::{OnlineState, RtmEvent, UserId};

use crate::node::op::{Call, Op, ReplyHandler, fields};
use crate::node::{ForClient as _, Node, Outputs};

impl Node {
    /// Subscribes to users. The operation names those without a local subscription, then all of the instance.
    pub(super) fn follow(&mut self, call: Call, peers: Vec<UserId>) {
        let session = self.clients.get(&call.client).and_then(|client| client.session());
        let Some(session) = session else { return };
        let all: BTreeSet<UserId> = session.following.keys().cloned().chain(peers).collect();
        let mut fresh = Vec::new();
        for user in &all {
            let followers = self.followers.entry(user.clone()).or_default();
            if followers.is_empty() {
                fresh.push(user.as_str().as_bytes().to_vec());
            }
            followers.insert(call.client);
        }
        let mut fields = fields!["follow", fresh.len().to_string()];
        fields.extend(fresh);
        fields.extend(all.iter().map(|user| user.as_str().as_bytes().to_vec()));
        self.push_exclusive(call, fields, ReplyHandler::Follow(all.into_iter().collect()));
    }

    pub(super) fn unfollow(&mut self, call: Call, peers: &[UserId]) {
        let session = self
            .clients
            .get_mut(&call.client)
            .and_then(|client| client.session_mut());
        if let Some(session) = session {
            session.following.retain(|user, _| !peers.contains(user));
        }
        let fields = self.remove_watched(call.client, peers.iter());
        self.push(Op {
            fields,
            call: Some(call),
            handler: ReplyHandler::Status,
        });
    }

    /// Removes subscriptions of the instance.
    pub(super) fn remove_subscriptions<'u>(&mut self, client: u64, users: impl Iterator<Item = &'u UserId>) {
        let fields = self.remove_watched(client, users);
        if fields.len() > 1 {
            self.push(Op {
                fields,
                call: None,
                handler: ReplyHandler::Ignore,
            });
        }
    }

    /// Removes a subscriber of users. Returns the operation for those without a local subscription.
    fn remove_watched<'u>(&mut self, client: u64, users: impl Iterator<Item = &'u UserId>) -> Vec<Vec<u8>> {
        let mut fields = fields!["unfollow"];
        for user in users {
            if let Some(followers) = self.followers.get_mut(user) {
                followers.remove(&client);
                if followers.is_empty() {
                    self.followers.remove(user);
                    fields.push(user.as_str().as_bytes().to_vec());
                }
            }
        }
        fields
    }

    /// Handles a failed subscription. Users that others have subscribed to are watched again.
    pub(super) fn follow_failed(&mut self, client: u64, all: &[UserId]) {
        let session = self.clients.get(&client).and_then(|client| client.session());
        let known: BTreeSet<UserId> = session
            .map(|s| s.following.keys().cloned().collect())
            .unwrap_or_default();
        let lost: Vec<UserId> = all.iter().filter(|user| !known.contains(*user)).cloned().collect();
        for user in &lost {
            if let Some(followers) = self.followers.get_mut(user) {
                followers.remove(&client);
                if followers.is_empty() {
                    self.followers.remove(user);
                }
            }
        }
        let still: Vec<UserId> = lost
            .into_iter()
            .filter(|user| self.followers.contains_key(user))
            .collect();
        if !still.is_empty() {
            self.watch(still);
        }
    }

    /// Watches users for local subscribers.
    pub(super) fn watch(&mut self, users: Vec<UserId>) {
        let mut fields = fields!["follow", users.len().to_string()];
        for _ in 0..2 {
            fields.extend(users.iter().map(|user| user.as_str().as_bytes().to_vec()));
        }
        self.push(Op {
            fields,
            call: None,
            handler: ReplyHandler::Watch(users),
        });
    }

    /// Handles the reply to a subscription: the presence of all its users.
    pub(super) fn followed(&mut self, client: u64, all: Vec<UserId>, states: &[u8], out: &mut Outputs) {
        let session = self.clients.get_mut(&client).and_then(|client| client.session_mut());
        let Some(session) = session else { return };
        session.following = all.into_iter().zip(states.iter().map(|&state| online(state))).collect();
        let status = session
            .following
            .iter()
            .map(|(user, state)| (user.clone(), *state))
            .collect();
        out.push(RtmEvent::PeersOnlineStatusChanged { status }.for_client(client));
    }

    /// Handles presence after a repair. Subscribers get the differences.
    pub(super) fn watched(&mut self, users: Vec<UserId>, states: &[u8], out: &mut Outputs) {
        let mut changes: BTreeMap<u64, Vec<(UserId, OnlineState)>> = BTreeMap::new();
        for (user, state) in users.into_iter().zip(states.iter().map(|&state| online(state))) {
            for &client in self.followers.get(&user).into_iter().flatten() {
                let session = self.clients.get_mut(&client).and_then(|client| client.session_mut());
                let last_state = session.and_then(|session| session.following.get_mut(&user));
                if let Some(last_state) = last_state.filter(|last_state| **last_state != state) {
                    *last_state = state;
                    changes.entry(client).or_default().push((user.clone(), state));
                }
            }
        }
        for (client, status) in changes {
            out.push(RtmEvent::PeersOnlineStatusChanged { status }.for_client(client));
        }
    }

    /// Handles a change of presence.
    pub(super) fn presence_changed(&mut self, user: &UserId, state: &[u8], out: &mut Outputs) {
        let state = online(state.first().copied().unwrap_or_default());
        for &client in self.followers.get(user).into_iter().flatten() {
            let session = self.clients.get_mut(&client).and_then(|client| client.session_mut());
            let last_state = session.and_then(|session| session.following.get_mut(user));
            if let Some(last_state) = last_state.filter(|last_state| **last_state != state) {
                *last_state = state;
                let status = vec![(user.clone(), state)];
                out.push(RtmEvent::PeersOnlineStatusChanged { status }.for_client(client));
            }
        }
    }
}

fn online(state: u8) -> OnlineState {
    if state == b'0' {
        OnlineState::Online
    } else {
        OnlineState::Offline
    }
}
