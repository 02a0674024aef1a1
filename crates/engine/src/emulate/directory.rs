//! Names that RTM contains only as a hash (decisions H5).
//!
//! A session with a hashed account stores its name in the user attribute `_sb.id`. Other sessions
//! fetch it when they first see the user; the user's events wait for it, at most a second.

use foldhash::HashMap;
use std::time::Duration;

use rtm::value::Text;
use rtm::{RtmCall, RtmEvent, RtmReply, UserId};

use crate::api::TimerKey;
use crate::context::{Ctx, Env};
use crate::requests::Requests;

/// The attribute that holds the name.
const NAME: &str = "_sb.id";
/// Prefix of a user id with a hashed name.
const HASHED: &str = "~h.";
/// Maximum delay of an event that waits for a name.
const PATIENCE: Duration = Duration::from_secs(1);
/// Maximum number of stored names, and of waiting events.
const MAX_NAMES: usize = 1_000;
const MAX_WAITING: usize = 1_000;

/// The hashed names that a session has resolved.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// `None`: the name is unknown.
    names: HashMap<Text, Option<Text>>,
    requested: Vec<UserId>,
    waiting: Vec<(UserId, RtmEvent)>,
}

/// The events that waited for a name.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The events, in order.
    pub events: Vec<RtmEvent>,
    /// The name was found.
    pub is_known: bool,
}

impl Directory {
    /// Returns true if events wait for a name.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns the account of a user id, if it is known.
    pub fn account(&self, id: &Text) -> Option<&Text> {
        self.names.get(id)?.as_ref()
    }

    /// Stores the session's own name in RTM, if its id is a hash.
    pub(crate) fn write_own(&mut self, requests: &mut Requests, ctx: &mut Ctx<'_>) {
        let account = &ctx.env.account;
        let own = ctx.env.names.user_id(account);
        if own.starts_with(HASHED) {
            // Member lists contain the session's own user.
            self.names.insert(own, Some(account.clone()));
            let attributes = vec![(NAME.into(), account.clone())];
            requests.send_aside(RtmCall::AddOrUpdateLocalUserAttributes { attributes }, ctx);
        }
    }

    /// Holds back an event that needs its user's name; returns true if it did.
    pub(crate) fn holds_back(&mut self, event: &RtmEvent, requests: &mut Requests, ctx: &mut Ctx<'_>) -> bool {
        let Some(user) = user_of(event).filter(|user| user.as_str().starts_with(HASHED)) else {
            return false;
        };
        let is_known = self.names.contains_key(user.text());
        if is_known || self.waiting.len() >= MAX_WAITING || self.names.len() >= MAX_NAMES {
            return false;
        }
        let user = user.clone();
        self.waiting.push((user.clone(), event.clone()));
        if !self.requested.contains(&user) {
            self.requested.push(user.clone());
            let keys = vec![NAME.into()];
            requests.send_aside(RtmCall::GetUserAttributesByKeys { user_id: user, keys }, ctx);
            ctx.set_timer_in(TimerKey::Names, PATIENCE);
        }
        true
    }

    /// Handles a user's attributes, with or without the name.
    pub(crate) fn replied(&mut self, user: &UserId, reply: Option<&RtmReply>, env: &Env) -> Option<Resolved> {
        if !self.requested.contains(user) {
            return None;
        }
        let name = match reply {
            Some(RtmReply::Attributes(list)) => list.iter().find(|(key, _)| &**key == NAME),
            _ => None,
        };
        // Any user can write that attribute: the name is accepted only if its hash matches.
        let name = name.filter(|(_, name)| env.names.user_id(name) == *user.text());
        Some(self.settle(user, name.map(|(_, name)| name.clone())))
    }

    /// Returns the users whose names are requested.
    pub fn requested(&self) -> Vec<UserId> {
        self.requested.clone()
    }

    /// Ends the request of a name; returns the events that waited for it.
    pub fn settle(&mut self, user: &UserId, name: Option<Text>) -> Resolved {
        self.requested.retain(|requested| requested != user);
        let is_known = name.is_some();
        self.names.insert(user.text().clone(), name);
        let now = self.waiting.extract_if(.., |(who, _)| who == user);
        Resolved {
            events: now.map(|(_, event)| event).collect(),
            is_known,
        }
    }
}

fn user_of(event: &RtmEvent) -> Option<&UserId> {
    match event {
        RtmEvent::MessageFromPeer { peer_id, .. } => Some(peer_id),
        RtmEvent::MemberJoined { member_id, .. }
        | RtmEvent::MemberLeft { member_id, .. }
        | RtmEvent::ChannelMessage { member_id, .. } => Some(member_id),
        RtmEvent::RemoteInvitationReceived { invitation }
        | RtmEvent::RemoteInvitationCanceled { invitation, .. }
        | RtmEvent::RemoteInvitationFailure { invitation, .. } => Some(&invitation.caller_id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::{calls, env, run};
    use rtm::{ChannelId, RtmReply};

    const LONG: &str = "an-account-that-is-longer-than-an-id-of-rtm-may-be-so-it-is-hashed-there";

    fn joins(user: &UserId) -> RtmEvent {
        RtmEvent::MemberJoined {
            channel_id: ChannelId::new("r").unwrap(),
            member_id: user.clone(),
        }
    }

    #[test]
    fn an_event_waits_for_the_name_of_its_user() {
        let env = env("alice");
        let user = UserId::new(env.names.user_id(&LONG.into())).unwrap();
        let (mut directory, mut requests) = (Directory::default(), Requests::default());
        let mut holds = |user: &UserId| run(&env, 1, |ctx| directory.holds_back(&joins(user), &mut requests, ctx));
        assert!(!holds(&UserId::new("bob").unwrap()).0, "its id is its name");
        assert_eq!(calls(&holds(&user).1), ["getUserAttributesByKeys"]);
        assert_eq!(calls(&holds(&user).1), [] as [&str; 0], "the name is requested once");
        let attributes = |name: &str| RtmReply::Attributes(vec![(NAME.into(), name.into())]);
        let resolved = directory.replied(&user, Some(&attributes(LONG)), &env).unwrap();
        assert!(resolved.is_known && resolved.events == [joins(&user), joins(&user)]);
        assert_eq!(directory.account(user.text()), Some(&LONG.into()));
        assert!(directory.replied(&user, None, &env).is_none(), "no query waits");
    }

    #[test]
    fn a_name_with_another_hash_is_not_accepted() {
        let env = env("alice");
        let user = UserId::new(env.names.user_id(&LONG.into())).unwrap();
        let (mut directory, mut requests) = (Directory::default(), Requests::default());
        run(&env, 1, |ctx| directory.holds_back(&joins(&user), &mut requests, ctx));
        let reply = RtmReply::Attributes(vec![(NAME.into(), "bob".into())]);
        let resolved = directory.replied(&user, Some(&reply), &env).unwrap();
        assert!(!resolved.is_known && resolved.events == [joins(&user)]);
        assert_eq!(directory.account(user.text()), None);
    }

    #[test]
    fn only_a_hashed_name_is_written() {
        for (account, expected) in [("alice", 0), (LONG, 1)] {
            let env = env(account);
            let (mut directory, mut requests) = (Directory::default(), Requests::default());
            let ((), effects) = run(&env, 1, |ctx| directory.write_own(&mut requests, ctx));
            assert_eq!(calls(&effects).len(), expected, "{account}");
        }
    }
}
