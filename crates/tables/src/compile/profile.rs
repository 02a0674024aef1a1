//! Compilation of client profiles.

use std::sync::Arc;

use crate::ast::RawProfile;
use crate::compile::Compiler;
use crate::diagnostics::Diag;
use crate::parse_event;
use crate::profile::{Profile, Transport};
use crate::spanned_value::Node;
use crate::wire::Wire;

impl Compiler<'_> {
    /// Compiles the profiles; every transport needs one that matches any client.
    pub(super) fn profiles(&mut self, raw: &[RawProfile], wires: &[Arc<Wire>]) -> Vec<Arc<Profile>> {
        self.number("profile", raw.iter().map(|p| &p.name));
        for profile in raw {
            if !wires.iter().any(|wire| wire.family == profile.family.value) {
                let title = format!("unknown wire family `{}`", profile.family.value);
                let known = wires.iter().map(|wire| &*wire.family);
                self.error(Diag::new(&profile.family.span, title).did_you_mean(&profile.family.value, known));
            }
        }
        for (name, transport) in Transport::NAMES {
            let of = || raw.iter().filter(|p| p.transport == *transport);
            if let Some(last) = of().next_back()
                && of().all(|p| p.identifying_fields.is_some())
            {
                let title = format!("no profile matches every client of the transport {name}");
                self.error(Diag::new(&last.span, title).help("omit `identify` in the last one"));
            }
        }
        let documented_names = |p: &RawProfile| wires.iter().any(|w| w.documented && w.family == p.family.value);
        for profile in raw.iter().filter(|p| documented_names(p)) {
            for words in &profile.farewell {
                if parse_event(&self.signatures, words).is_none() {
                    let title = format!("`{words}` is not an event with its arguments");
                    self.error(Diag::new(&profile.span, title).help("write its name, then its arguments in order"));
                }
            }
        }
        raw.iter().map(|p| Arc::new(self.profile(p, raw))).collect()
    }

    fn profile(&mut self, raw: &RawProfile, all: &[RawProfile]) -> Profile {
        let flagged = raw.flagged.as_ref().and_then(|name| {
            let at = all.iter().position(|p| p.name.value == name.value);
            if at.is_none() {
                let known = all.iter().map(|p| &*p.name.value);
                let title = format!("unknown profile `{}`", name.value);
                self.error(Diag::new(&name.span, title).did_you_mean(&name.value, known));
            }
            at
        });
        let identifying_fields = raw
            .identifying_fields
            .as_ref()
            .and_then(Node::as_map)
            .unwrap_or_default();
        Profile {
            name: raw.name.value.clone(),
            family: raw.family.value.clone(),
            transport: raw.transport,
            builds: raw.builds.clone(),
            identifying_fields: identifying_fields
                .iter()
                .map(|(name, node)| (name.value.clone(), node.to_value()))
                .collect(),
            version: raw.version.clone(),
            flagged,
            grace: raw.grace,
            loses_calls: raw.loses_calls,
            refused_stays: raw.refused_stays,
            notify: raw.notify,
            pong_delay: raw.pong_delay,
            twins: raw.twins,
            loser_close: raw.loser_close,
            idle: raw.idle,
            ping: raw.ping,
            farewell: raw.farewell.clone(),
            repair: raw
                .repair
                .iter()
                .map(|(member, from)| (member.value.clone(), from.value.clone()))
                .collect(),
        }
    }
}
