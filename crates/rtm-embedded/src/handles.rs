//! The invitations of one instance, by the app's numbers.

use std::collections::{BTreeMap, VecDeque};

use rtm::{InvitationApiCall, InvitationId};

use crate::limits::ENDED_INVITATIONS;

/// The end of an invitation, which determines the error of later calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By an accept on both sides.
    Accepted,
    /// In any other way.
    Other,
}

/// The invitations of an instance; after a login only their numbers remain.
#[derive(Debug)]
pub struct Handles<K> {
    /// Numbered by the app.
    pub local: Side<K>,
    /// Numbered by the service, from 1.
    pub remote: Side<K>,
    received: u64,
}

impl<K> Default for Handles<K> {
    fn default() -> Self {
        Self {
            local: Side::default(),
            remote: Side::default(),
            received: 0,
        }
    }
}

impl<K> Handles<K> {
    /// Returns the next number of an incoming invitation.
    pub fn receive(&mut self, key: K) -> InvitationId {
        self.received += 1;
        let number = InvitationId(self.received);
        self.remote.pending.insert(number, key);
        number
    }
}

/// The invitations of one direction.
#[derive(Debug)]
pub struct Side<K> {
    /// By number.
    pub pending: BTreeMap<InvitationId, K>,
    /// The last ended ones, oldest first.
    ended: VecDeque<(InvitationId, End)>,
}

impl<K> Default for Side<K> {
    fn default() -> Self {
        Self {
            pending: BTreeMap::new(),
            ended: VecDeque::new(),
        }
    }
}

impl<K: Clone> Side<K> {
    /// Refuses a number that has been used.
    ///
    /// # Errors
    /// `ALREADY_SENT` or `ALREADY_END`.
    pub fn check_unused(&self, number: InvitationId) -> Result<(), InvitationApiCall> {
        if self.pending.contains_key(&number) {
            Err(InvitationApiCall::AlreadySent)
        } else if self.ended_as(number).is_some() {
            Err(InvitationApiCall::AlreadyEnd)
        } else {
            Ok(())
        }
    }

    /// Returns the pending invitation of that number.
    ///
    /// # Errors
    /// `ALREADY_END` or `NOT_STARTED`.
    pub fn find(&self, number: InvitationId) -> Result<K, InvitationApiCall> {
        match (self.pending.get(&number), self.ended_as(number)) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(_)) => Err(InvitationApiCall::AlreadyEnd),
            (None, None) => Err(InvitationApiCall::NotStarted),
        }
    }

    /// Returns the same for an accept, whose error for a second accept differs.
    ///
    /// # Errors
    /// `ALREADY_ACCEPT`, and those of [`find`](Self::find).
    pub fn find_to_accept(&self, number: InvitationId) -> Result<K, InvitationApiCall> {
        match self.ended_as(number) {
            Some(End::Accepted) => Err(InvitationApiCall::AlreadyAccept),
            _ => self.find(number),
        }
    }

    /// Ends an invitation.
    pub fn end(&mut self, number: InvitationId, end: End) {
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
