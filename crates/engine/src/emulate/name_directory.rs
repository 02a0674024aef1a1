//! Names that RTM contains only as a hash (decisions H5).
//!
//! A session with a hashed account stores its name in the user attribute `_sb.id`. Other sessions
//! fetch it when they first see the user; the user's events wait for it, at most a second.

use std::collections::HashMap;
use std::time::Duration;

use rtm::value::Text;
use rtm::{RtmCall, RtmEvent, RtmReply, UserId};

use crate::api::{Effect, TimerKey};
use crate::session::{Ctx, Session};

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

impl Directory {
    /// Returns the account of a user id, if it is known.
    pub fn account(&self, id: &Text) -> Option<&Text> {
        self.names.get(id)?.as_ref()
    }

    /// Returns true if events wait for a name.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl Session {
    /// Stores the session's own name in RTM, if its id is a hash.
    pub(crate) fn write_name(&mut self, ctx: &mut Ctx<'_>) {
        let own = self.context.names.user_id(&self.account);
        if own.starts_with(HASHED) {
            // Member lists contain the session's own user.
            self.directory.names.insert(own, Some(self.account.clone()));
            let attributes = vec![(NAME.into(), self.account.clone())];
            self.send_aside(RtmCall::AddOrUpdateLocalUserAttributes { attributes }, ctx);
        }
    }

    /// Holds back an event that needs its user's name; returns true if it did.
    pub(crate) fn waits_for_name(&mut self, event: &RtmEvent, ctx: &mut Ctx<'_>) -> bool {
        let Some(user) = user_of(event).filter(|user| user.as_str().starts_with(HASHED)) else {
            return false;
        };
        let known = self.directory.names.contains_key(user.text());
        if known || self.directory.waiting.len() >= MAX_WAITING || self.directory.names.len() >= MAX_NAMES {
            return false;
        }
        let user = user.clone();
        self.directory.waiting.push((user.clone(), event.clone()));
        if !self.directory.requested.contains(&user) {
            self.directory.requested.push(user.clone());
            let keys = vec![NAME.into()];
            self.send_aside(RtmCall::GetUserAttributesByKeys { user_id: user, keys }, ctx);
            ctx.out.push(Effect::SetTimer {
                key: TimerKey::Names,
                at: ctx.now + PATIENCE,
            });
        }
        true
    }

    /// Handles a user's attributes, with or without the name.
    pub(crate) fn name_resolved(&mut self, user: &UserId, reply: Option<&RtmReply>, ctx: &mut Ctx<'_>) {
        if !self.directory.requested.contains(user) {
            return;
        }
        let name = match reply {
            Some(RtmReply::Attributes(list)) => list
                .iter()
                .find(|(key, _)| &**key == NAME)
                .map(|(_, name)| name.clone()),
            _ => None,
        };
        // Any user can write that attribute: the name is accepted only if its hash matches.
        let name = name.filter(|name| self.context.names.user_id(name) == *user.text());
        self.settle_name(user, name, ctx);
    }

    /// Handles the timeout of name lookups.
    pub(crate) fn names_timer(&mut self, ctx: &mut Ctx<'_>) {
        for user in self.directory.requested.clone() {
            self.settle_name(&user, None, ctx);
        }
    }

    fn settle_name(&mut self, user: &UserId, name: Option<Text>, ctx: &mut Ctx<'_>) {
        self.directory.requested.retain(|requested| requested != user);
        let known = name.is_some();
        self.directory.names.insert(user.text().clone(), name);
        let (now, later) = std::mem::take(&mut self.directory.waiting)
            .into_iter()
            .partition(|(who, _)| who == user);
        self.directory.waiting = later;
        for (_, event) in Vec::from_iter::<Vec<(UserId, RtmEvent)>>(now) {
            if !known {
                self.note_hashed(&event, ctx);
            }
            self.rtm_event(event, ctx);
        }
    }

    fn note_hashed(&self, event: &RtmEvent, ctx: &mut Ctx<'_>) {
        let row = self.context.tables.row_on(event.kind());
        self.note_own("ID-HASH", row, None, ctx);
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
