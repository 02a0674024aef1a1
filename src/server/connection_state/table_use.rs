//! Tables of a client: those of its session, or before its login the current ones.

use std::sync::Arc;

use protocol::api::ApiDecoder;
use protocol::decoder::{Decoded, UNKNOWN_FUNCTION};
use protocol::encoder::Encoder;
use rtm::value::Value;
use tables::Tables;
use tables::profile::{Profile, Transport};
use tables::wire::Wire;

use crate::server::connection_state::Client;
use crate::server::message::TableOffer;
use crate::server::table_set::TableSet;

/// Returns the profile and the wire of clients of a transport before their login.
pub(super) fn unrecognised(tables: &Tables, transport: Transport) -> Option<(usize, Arc<Wire>)> {
    profile_of(tables, |p| p.transport == transport && p.identifying_fields.is_empty())
}

fn profile_of(tables: &Tables, is_right: impl Fn(&Profile) -> bool) -> Option<(usize, Arc<Wire>)> {
    let profile = tables.profiles.iter().position(|profile| is_right(profile))?;
    let wire = tables.wire(&tables.profiles[profile].family)?.clone();
    Some((profile, wire))
}

/// Returns the connection's own encoder, or that of its profile.
pub(super) fn encoder_of(own: Option<&ApiDecoder>, set: &TableSet, profile: usize) -> Arc<dyn Encoder> {
    own.map_or_else(|| set.encoders[profile].clone(), ApiDecoder::encoder)
}

impl Client {
    /// Uses the tables of a reload from the next frame on, with the client's session. Returns true if the profile may
    /// have changed. Without a reload this is one comparison.
    pub fn follow_tables(&mut self) -> bool {
        let generation = self.server.sets.generation();
        if generation == self.generation {
            return false;
        }
        if self.use_current_tables() {
            self.generation = generation;
        }
        true
    }

    /// Returns false if a later frame has to try again.
    #[cold]
    fn use_current_tables(&mut self) -> bool {
        let set = self.server.sets.current();
        if Arc::ptr_eq(&self.set, &set) {
            return true;
        }
        let Some((_, session)) = &mut self.session else {
            // The profile of a refused client decides about its end.
            return !self.logged_in && self.adopt(set);
        };
        let before = &self.set.tables.profiles[self.profile];
        let is_same =
            |p: &Profile| p.name == before.name && p.transport == before.transport && p.family == before.family;
        let Some((profile, wire)) = profile_of(&set.tables, is_same) else {
            return true;
        };
        let own = self.own.as_ref().map(|own| own.by(&set.tables));
        let encoder = encoder_of(own.as_ref(), &set, profile);
        let offer = TableOffer {
            socket: self.socket,
            set: set.clone(),
            encoder: encoder.clone(),
        };
        let is_taken = match session.inbox.offer_tables(offer) {
            Some(is_taken) => is_taken,
            None => return false,
        };
        if is_taken {
            session.set = set.clone();
            self.handle.encoder = encoder;
            (self.set, self.profile, self.wire, self.own) = (set, profile, wire, own);
        }
        true
    }

    /// Decodes a message of the documented API.
    pub fn decode(&self, text: &str) -> Decoded {
        let decoded = self.own.as_ref().map(|own| own.decode(text)).unwrap_or_default();
        for bad in &decoded.bad {
            self.server.metrics.bad_frame(bad);
            if *bad == UNKNOWN_FUNCTION {
                self.set.usage.unknown();
            }
        }
        decoded
    }

    /// Uses other tables, before the build is recognised. Returns false if they are in use, or do not have this transport.
    pub(super) fn adopt(&mut self, set: Arc<TableSet>) -> bool {
        if Arc::ptr_eq(&self.set, &set) {
            return false;
        }
        let Some((profile, wire)) = unrecognised(&set.tables, self.transport) else {
            return false;
        };
        self.own = self.own.as_ref().map(|own| own.by(&set.tables));
        (self.set, self.profile, self.wire) = (set, profile, wire);
        self.handle.encoder = encoder_of(self.own.as_ref(), &self.set, self.profile);
        true
    }

    /// Recognises the build by the login.
    pub(super) fn recognise(&mut self, login: &Value) {
        let tables = &self.set.tables;
        let found = tables.profile(self.transport, login);
        let wire = found.and_then(|at| tables.wire(&tables.profiles[at].family));
        if let Some((profile, wire)) = found.zip(wire.cloned()) {
            self.profile = profile;
            self.wire = wire;
            self.handle.encoder = encoder_of(self.own.as_ref(), &self.set, profile);
        }
    }
}
