//! The invitation objects of one instance, by the numbers that its app knows them by.

use std::collections::{BTreeMap, VecDeque};

use rtm::{InvitationApiCall, InvitationId};

use crate::invitations::{End, InvitationKey};
use crate::limits::ENDED_INVITATIONS;

/// The objects of an instance; they outlive a login only as numbers.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    /// Numbered by the app.
    pub(super) local: Side,
    /// Numbered here, from 1.
    pub(super) remote: Side,
    received: u64,
}

impl Handles {
    /// The next number for an incoming invitation.
    pub(super) fn receive(&mut self, key: InvitationKey) -> InvitationId {
        self.received += 1;
        let number = InvitationId(self.received);
        self.remote.open.insert(number, key);
        number
    }
}

/// The objects of one direction.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) open: BTreeMap<InvitationId, InvitationKey>,
    /// The last ones that ended, oldest first.
    ended: VecDeque<(InvitationId, End)>,
}

impl Side {
    /// Refuses a number that has been used.
    pub(super) fn check_unused(&self, number: InvitationId) -> Result<(), InvitationApiCall> {
        if self.open.contains_key(&number) {
            Err(InvitationApiCall::AlreadySent)
        } else if self.how_ended(number).is_some() {
            Err(InvitationApiCall::AlreadyEnd)
        } else {
            Ok(())
        }
    }

    /// The open invitation of that number.
    pub(super) fn find(&self, number: InvitationId) -> Result<InvitationKey, InvitationApiCall> {
        match (self.open.get(&number), self.how_ended(number)) {
            (Some(&key), _) => Ok(key),
            (None, Some(_)) => Err(InvitationApiCall::AlreadyEnd),
            (None, None) => Err(InvitationApiCall::NotStarted),
        }
    }

    /// The same for an accept, which names a second one.
    pub(super) fn find_to_accept(&self, number: InvitationId) -> Result<InvitationKey, InvitationApiCall> {
        match self.how_ended(number) {
            Some(End::Accepted) => Err(InvitationApiCall::AlreadyAccept),
            _ => self.find(number),
        }
    }

    pub(super) fn end(&mut self, number: InvitationId, end: End) {
        self.open.remove(&number);
        if self.ended.len() >= ENDED_INVITATIONS {
            self.ended.pop_front();
        }
        self.ended.push_back((number, end));
    }

    fn how_ended(&self, number: InvitationId) -> Option<End> {
        let mut newest_first = self.ended.iter().rev();
        newest_first.find_map(|&(n, end)| (n == number).then_some(end))
    }
}
