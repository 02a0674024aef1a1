//! The invitations of one instance, by the app's numbers.

use std::collections::{BTreeMap, VecDeque};

use rtm::{InvitationApiCall, InvitationId};

use crate::invitations::{End, InvitationKey};
use crate::limits::ENDED_INVITATIONS;

/// The invitations of an instance; after a login only their numbers remain.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    /// Numbered by the app.
    pub(super) local: Side,
    /// Numbered by the service, from 1.
    pub(super) remote: Side,
    received: u64,
}

impl Handles {
    /// Returns the next number of an incoming invitation.
    pub(super) fn receive(&mut self, key: InvitationKey) -> InvitationId {
        self.received += 1;
        let number = InvitationId(self.received);
        self.remote.pending.insert(number, key);
        number
    }
}

/// The invitations of one direction.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) pending: BTreeMap<InvitationId, InvitationKey>,
    /// The last ended ones, oldest first.
    ended: VecDeque<(InvitationId, End)>,
}

impl Side {
    /// Refuses a number that has been used.
    pub(super) fn check_unused(&self, number: InvitationId) -> Result<(), InvitationApiCall> {
        if self.pending.contains_key(&number) {
            Err(InvitationApiCall::AlreadySent)
        } else if self.ended_as(number).is_some() {
            Err(InvitationApiCall::AlreadyEnd)
        } else {
            Ok(())
        }
    }

    /// Returns the pending invitation of that number.
    pub(super) fn find(&self, number: InvitationId) -> Result<InvitationKey, InvitationApiCall> {
        match (self.pending.get(&number), self.ended_as(number)) {
            (Some(&key), _) => Ok(key),
            (None, Some(_)) => Err(InvitationApiCall::AlreadyEnd),
            (None, None) => Err(InvitationApiCall::NotStarted),
        }
    }

    /// Returns the same for an accept, whose error for a second accept differs.
    pub(super) fn find_to_accept(&self, number: InvitationId) -> Result<InvitationKey, InvitationApiCall> {
        match self.ended_as(number) {
            Some(End::Accepted) => Err(InvitationApiCall::AlreadyAccept),
            _ => self.find(number),
        }
    }

    pub(super) fn end(&mut self, number: InvitationId, end: End) {
        self.pending.remove(&number);
        if self.ended.len() >= ENDED_INVITATIONS {
            self.ended.pop_front();
        }
        self.ended.push_back((number, end));
    }

    fn ended_as(&self, number: InvitationId) -> Option<End> {
        let mut newest_first = self.ended.iter().rev();
        newest_first.find_map(|&(n, end)| (n == number).then_some(end))
    }
}
