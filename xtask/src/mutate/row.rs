//! Changes of a row.

use rtm::{ErrorEnum, EventKind};
use tables::condition::Emulation;
use tables::row::{Row, RowKind};
use tables::ty::{SigType, Ty};

use crate::mutate::step::answers_with_the_last;
use crate::mutate::tree::Tree;
use crate::mutate::walk::{Change, Pool, Walk, after};

/// One type of each kind that values are converted by; the textual ones differ in name only.
const TYPES: &[&str] = &["account", "channel", "text", "int", "flag", "account[]"];

/// Every change of a row.
pub fn changes(pool: &Pool<'_>, row: &Row, tree: &Tree) -> Vec<Change> {
    let mut walk = Walk::new(pool);
    for (name, ty) in &row.slots {
        walk.know(&**name, *ty);
    }
    if tree.get("by").is_some() {
        walk.know("reason", Ty::Sig(SigType::Text));
    }
    if tree
        .get("do")
        .is_some_and(|steps| steps.items().iter().any(|step| step.get("value").is_some()))
    {
        walk.know("value", Ty::Any);
    }
    walk.outcomes = row.outcomes.iter().map(|outcome| outcome.name.to_string()).collect();
    walk.head(row, tree);
    walk.at_key(tree, "params", |walk, params| {
        walk.each_entry(params, |walk, _, ty| {
            walk.ty(ty);
            walk.remove();
        });
    });
    walk.at_key(tree, "let", |walk, let_values| {
        walk.each_entry(let_values, |walk, _, inner| {
            walk.row_let(inner);
            walk.remove();
        });
    });
    walk.at_key(tree, "member", |walk, members| walk.members(tree, members));
    walk.at_key(tree, "do", |walk, steps| walk.steps(steps));
    let last_only = tree.get("do").is_none_or(answers_with_the_last);
    walk.at_key(tree, "answer", |walk, answer| walk.answer(answer, last_only));
    walk.at_key(tree, "outcome", |walk, outcomes| {
        walk.each_entry(outcomes, |walk, _, outcome| {
            walk.outcome(row, outcome);
            walk.remove();
        });
    });
    walk.finish()
}

impl Walk<'_> {
    /// Row keys that are values of their own.
    fn head(&mut self, row: &Row, tree: &Tree) {
        self.at_key(tree, "call", |walk, calls| {
            walk.each_item(calls, |walk, _, name| {
                walk.signature(name);
                walk.remove();
            });
        });
        self.at_key(tree, "on", |walk, name| {
            let RowKind::Event(event) = row.kind else { return };
            let names: Vec<&str> = EventKind::ALL.iter().map(|e| e.name()).collect();
            let alike = |e: &&EventKind| field_names(**e) == field_names(event);
            let alike: Vec<&str> = EventKind::ALL.iter().filter(alike).map(|e| e.name()).collect();
            walk.others(name, alike);
            walk.others(name, after(&names, event.name(), 1));
        });
        self.at_key(tree, "by", |walk, name| {
            let names: Vec<&str> = ErrorEnum::ALL.iter().map(|e| e.name()).collect();
            walk.others(name, after(&names, name.text().unwrap_or_default(), 1));
            walk.remove();
        });
        self.at_key(tree, "emulation", |walk, name| {
            walk.others(name, Emulation::NAMES.iter().map(|(name, _)| *name));
            walk.remove();
        });
        self.at_key(tree, "fail", |walk, name| {
            walk.class(name);
            walk.remove();
        });
        for (lane, other) in [("serial", "after"), ("after", "serial")] {
            self.at_key(tree, lane, |walk, _| {
                walk.rename(other);
                walk.remove();
            });
        }
        self.at_key(tree, "limit", |walk, _| walk.remove());
        let tables = self.pool.tables;
        let noted = |name: &str| {
            let noted = row.outcomes.iter().filter_map(|outcome| outcome.code);
            let paged = |code: usize| row.pages.iter().any(|page| page.codes.contains(&code));
            noted
                .into_iter()
                .any(|code| &**tables.code_name(code) == name && !paged(code))
        };
        self.at_key(tree, "code", |walk, list| {
            walk.each_item(list, |walk, _, code| {
                if code.text().is_some_and(noted) {
                    walk.code(code);
                    walk.remove();
                }
            });
        });
    }

    fn row_let(&mut self, tree: &Tree) {
        self.at_key(tree, "from", |walk, from| {
            let path = Tree::Text(format!("${}", from.text().unwrap_or_default()));
            let mut inner = Walk::new(walk.pool);
            inner.vars.clone_from(&walk.vars);
            inner.value(&path);
            let others = inner.finish().into_iter().filter_map(|change| match change.edit {
                crate::mutate::tree::Edit::Set(Tree::Text(text)) => Some(text[1..].to_owned()),
                _ => None,
            });
            for other in others {
                walk.set(from, Tree::Text(other));
            }
        });
        self.at_key(tree, "json", |walk, json| {
            walk.value(json);
            walk.remove();
        });
        self.at_key(tree, "as", |walk, ty| walk.ty(ty));
        self.at_key(tree, "else", |walk, otherwise| {
            walk.value(otherwise);
            walk.remove();
        });
        self.at_key(tree, "clamp", |walk, bounds| {
            walk.each_item(bounds, |walk, _, bound| walk.number(bound));
            walk.remove();
        });
        self.at_key(tree, "positive", |walk, positive| walk.value(positive));
    }

    fn members(&mut self, row: &Tree, members: &Tree) {
        let of = row.get("by").and_then(Tree::text).and_then(ErrorEnum::parse);
        let names: Vec<&str> = of.iter().flat_map(|of| of.members()).map(|m| m.name()).collect();
        self.each_entry(members, |walk, name, member| {
            walk.at_key(member, "reason", |walk, reason| walk.declared_reason(reason));
            for other in after(&names, name, 1) {
                walk.rename(other);
            }
            walk.remove();
        });
    }

    fn ty(&mut self, ty: &Tree) {
        // Nothing is converted on its way to anything.
        if ty.text() != Some("any") {
            self.others(ty, TYPES.iter().copied());
        }
    }

    /// Another call or event of the Signaling side: those with the same arguments, and one more.
    pub fn signature(&mut self, name: &Tree) {
        let text = name.text().unwrap_or_default();
        let signatures = &self.pool.tables.signatures;
        let Some(own) = signatures.iter().find(|s| &*s.name == text) else {
            return self.value(name);
        };
        let alike = signatures.iter().filter(|s| s.args == own.args).map(|s| &*s.name);
        let names: Vec<&str> = signatures.iter().map(|s| &*s.name).collect();
        let next = after(&names, text, 1)
            .into_iter()
            .filter(|name| alike.clone().all(|a| a != *name));
        self.others(name, alike.clone().chain(next).collect::<Vec<_>>());
    }

    /// Another class of failures.
    pub fn class(&mut self, name: &Tree) {
        let tables = self.pool.tables;
        self.others(name, tables.fails.iter().map(|class| &*class.name));
    }

    /// Another limitation code.
    pub fn code(&mut self, name: &Tree) {
        let names: Vec<&str> = self.pool.tables.codes.iter().map(|code| &*code.name).collect();
        self.others(name, after(&names, name.text().unwrap_or_default(), 1));
    }

    /// Another reason.
    pub fn declared_reason(&mut self, reason: &Tree) {
        let names: Vec<&str> = self.pool.reasons.iter().map(|reason| &**reason).collect();
        self.others(reason, after(&names, reason.text().unwrap_or_default(), 2));
    }
}

fn field_names(event: EventKind) -> Vec<&'static str> {
    event.fields().iter().map(|field| field.name).collect()
}
