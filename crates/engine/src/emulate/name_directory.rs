//! Names that RTM knows by their hash only (decisions H5).
//!
//! A session whose account is hashed writes it down as the user attribute `_sb.id`. Who sees such a user for the first
//! time asks for it; what the user did waits for the answer, at most a second.

use std::collections::HashMap;
use std::time::Duration;

use rtm::value::Text;
use rtm::{RtmCall, RtmEvent, RtmReply, UserId};

use crate::api::{Effect, TimerKey};
use crate::session::{Session, Step};

/// The attribute that holds the name.
const NAME: &str = "_sb.id";
/// Of a user id: the name is hashed.
const HASHED: &str = "~h.";
/// How long an event waits for a name.
const PATIENCE: Duration = Duration::from_secs(1);
/// Names that are remembered, and events that wait.
const MAX_NAMES: usize = 1_000;
const MAX_WAITING: usize = 1_000;

/// What a session knows of hashed names.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// `None`: nobody knows it.
    names: HashMap<Text, Option<Text>>,
    asked: Vec<UserId>,
    waiting: Vec<(UserId, RtmEvent)>,
}

impl Directory {
    /// The account behind a user id, where it is known.
    pub fn account(&self, id: &Text) -> Option<&Text> {
        self.names.get(id)?.as_ref()
    }
}

impl Session {
    /// Writes the session's own name down, where RTM's id does not tell it.
    pub(crate) fn write_name(&mut self, step: &mut Step<'_>) {
        let own = self.context.names.user_id(&self.account);
        if own.starts_with(HASHED) {
            // Lists of members have oneself in them.
            self.directory.names.insert(own, Some(self.account.clone()));
            let attributes = vec![(NAME.into(), self.account.clone())];
            self.send_aside(RtmCall::AddOrUpdateLocalUserAttributes { attributes }, step);
        }
    }

    /// True when an event waits for the name of its user.
    pub(crate) fn waits_for_name(&mut self, event: &RtmEvent, step: &mut Step<'_>) -> bool {
        let Some(user) = user_of(event).filter(|user| user.as_str().starts_with(HASHED)) else {
            return false;
        };
        let known = self.directory.names.contains_key(user.text());
        if known || self.directory.waiting.len() >= MAX_WAITING || self.directory.names.len() >= MAX_NAMES {
            return false;
        }
        let user = user.clone();
        self.directory.waiting.push((user.clone(), event.clone()));
        if !self.directory.asked.contains(&user) {
            self.directory.asked.push(user.clone());
            let keys = vec![NAME.into()];
            self.send_aside(RtmCall::GetUserAttributesByKeys { user_id: user, keys }, step);
            step.out.push(Effect::SetTimer {
                key: TimerKey::Names,
                at: step.now + PATIENCE,
            });
        }
        true
    }

    /// A user's attributes are in: the name is among them, or nobody knows it.
    pub(crate) fn name_told(&mut self, user: &UserId, reply: Option<&RtmReply>, step: &mut Step<'_>) {
        if !self.directory.asked.contains(user) {
            return;
        }
        let name = match reply {
            Some(RtmReply::Attributes(list)) => list
                .iter()
                .find(|(key, _)| &**key == NAME)
                .map(|(_, name)| name.clone()),
            _ => None,
        };
        // Anybody can write that attribute: it is believed only where the name has that hash.
        let name = name.filter(|name| self.context.names.user_id(name) == *user.text());
        self.settle_name(user, name, step);
    }

    /// Names that have not come in time.
    pub(crate) fn names_due(&mut self, step: &mut Step<'_>) {
        for user in self.directory.asked.clone() {
            self.settle_name(&user, None, step);
        }
    }

    fn settle_name(&mut self, user: &UserId, name: Option<Text>, step: &mut Step<'_>) {
        self.directory.asked.retain(|asked| asked != user);
        let known = name.is_some();
        self.directory.names.insert(user.text().clone(), name);
        let (now, later) = std::mem::take(&mut self.directory.waiting)
            .into_iter()
            .partition(|(who, _)| who == user);
        self.directory.waiting = later;
        for (_, event) in Vec::from_iter::<Vec<(UserId, RtmEvent)>>(now) {
            if !known {
                self.note_hashed(&event, step);
            }
            self.rtm_event(event, step);
        }
    }

    fn note_hashed(&self, event: &RtmEvent, step: &mut Step<'_>) {
        let row = self.context.tables.row_on(event.kind());
        self.note_own("ID-HASH", row, None, step);
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
