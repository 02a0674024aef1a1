//! The invitation objects of one instance, by the numbers that its app knows them by.

use std::collections::{BTreeMap, VecDeque};

use rtm::{InvitationApiCall, InvitationId};

use crate::invitations::End;
use crate::limits::ENDED_INVITATIONS;

/// The objects of an instance; they outlive a login only as numbers.
#[derive(Debug)]
pub struct Handles<K> {
    /// Numbered by the app.
    pub local: Side<K>,
    /// Numbered here, from 1.
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
    /// The next number for an incoming invitation.
    pub fn receive(&mut self, key: K) -> InvitationId {
        self.received += 1;
        let number = InvitationId(self.received);
        self.remote.open.insert(number, key);
        number
    }
}

/// The objects of one direction.
#[derive(Debug)]
pub struct Side<K> {
    /// What is open, by number.
    pub open: BTreeMap<InvitationId, K>,
    /// The last ones that ended, oldest first.
    ended: VecDeque<(InvitationId, End)>,
}

impl<K> Default for Side<K> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
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
        if self.open.contains_key(&number) {
            Err(InvitationApiCall::AlreadySent)
        } else if self.how_ended(number).is_some() {
            Err(InvitationApiCall::AlreadyEnd)
        } else {
            Ok(())
        }
    }

    /// The open invitation of that number.
    ///
    /// # Errors
    /// `ALREADY_END` or `NOT_STARTED`.
    pub fn find(&self, number: InvitationId) -> Result<K, InvitationApiCall> {
        match (self.open.get(&number), self.how_ended(number)) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(_)) => Err(InvitationApiCall::AlreadyEnd),
            (None, None) => Err(InvitationApiCall::NotStarted),
        }
    }

    /// The same for an accept, which names a second one.
    ///
    /// # Errors
    /// `ALREADY_ACCEPT`, and those of [`find`](Self::find).
    pub fn find_to_accept(&self, number: InvitationId) -> Result<K, InvitationApiCall> {
        match self.how_ended(number) {
            Some(End::Accepted) => Err(InvitationApiCall::AlreadyAccept),
            _ => self.find(number),
        }
    }

    /// Notes that one is over.
    pub fn end(&mut self, number: InvitationId, end: End) {
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
