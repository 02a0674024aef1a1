//! Compilation of platform vocabularies.

use rtm::value::Text;
use rtm::{CallKind, ErrorEnum, EventKind};

use crate::ast::RawPlatform;
use crate::compile::Compiler;
use crate::diagnostics::Diag;
use crate::platform::Platform;

impl Compiler<'_> {
    /// Compiles a platform's names, and checks that they are unique in both directions.
    pub fn platform(&mut self, name: &Text, raw: &RawPlatform) -> Platform {
        let mut platform = Platform {
            name: name.clone(),
            calls: Vec::new(),
            events: Vec::new(),
            errors: Vec::new(),
            lacks: raw.lacks.iter().filter_map(|name| self.call_kind(name)).collect(),
        };
        for (canonical, own) in &raw.calls {
            let kind = self.call_kind(canonical);
            platform.calls.extend(kind.map(|kind| (kind, own.value.clone())));
        }
        for (canonical, own) in &raw.events {
            match EventKind::parse(&canonical.value) {
                Some(kind) => platform.events.push((kind, own.value.clone())),
                None => {
                    let names = EventKind::ALL.iter().map(|e| e.name());
                    let title = format!("RTM has no event `{}`", canonical.value);
                    self.error(Diag::new(&canonical.span, title).did_you_mean(&canonical.value, names));
                }
            }
        }
        for (name, members) in &raw.errors {
            let Some(of) = ErrorEnum::parse(&name.value) else {
                let names = ErrorEnum::ALL.iter().map(|e| e.name());
                let title = format!("RTM has no error enum `{}`", name.value);
                self.error(Diag::new(&name.span, title).did_you_mean(&name.value, names));
                continue;
            };
            for (member, own) in members {
                let error = self.error_member(&[of], member);
                platform.errors.extend(error.map(|e| (e, own.value.clone())));
            }
        }
        self.check_unique(raw, &platform);
        platform
    }

    fn check_unique(&mut self, raw: &RawPlatform, platform: &Platform) {
        let calls = CallKind::ALL.iter().map(|&k| (k.name(), platform.call_name(k)));
        let events = EventKind::ALL.iter().map(|&k| (k.name(), platform.event_name(k)));
        for (names, written) in [(calls.collect::<Vec<_>>(), &raw.calls), (events.collect(), &raw.events)] {
            for (i, (canonical, own)) in names.iter().enumerate() {
                if let Some((first, _)) = names[..i].iter().find(|(_, other)| other == own) {
                    let title = format!("`{own}` means both `{first}` and `{canonical}` on {}", platform.name);
                    // One of the two names is written; the other may be the bridge's own.
                    let place = |name: &str| {
                        written
                            .iter()
                            .find(|(n, _)| &*n.value == name)
                            .map(|(_, own)| &own.span)
                    };
                    let span = place(canonical).or_else(|| place(first)).unwrap_or(&raw.span);
                    self.error(Diag::new(span, title));
                }
            }
        }
    }
}
