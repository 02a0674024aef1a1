//! Changes of outcomes, and of the number tables of failures.

use tables::row::Row;
use tables::ty::{SigType, Ty};

use crate::mutate::tree::Tree;
use crate::mutate::value::paths;
use crate::mutate::walk::{Change, Pool, Walk, after};

impl Walk<'_> {
    /// One entry of `[row.outcome]`.
    pub fn outcome(&mut self, row: &Row, tree: &Tree) {
        let known = self.vars.len();
        if tree.get("each").is_some() {
            self.know("key", Ty::Sig(SigType::Text));
            self.know("value", Ty::Sig(SigType::Text));
        }
        self.facts(tree, None);
        self.at_key(tree, "event", |walk, name| {
            walk.signature(name);
            walk.remove();
        });
        self.at_key(tree, "fail", |walk, name| {
            walk.class(name);
            walk.remove();
        });
        self.at_key(tree, "rtm", |walk, name| {
            walk.rtm(name, tree.get("args"));
            walk.remove();
        });
        self.at_key(tree, "row", |walk, name| {
            let rows: Vec<&str> = walk
                .pool
                .results
                .iter()
                .map(|id| &**id)
                .filter(|id| *id != &*row.id)
                .collect();
            walk.others(name, after(&rows, name.text().unwrap_or_default(), 2));
            walk.remove();
        });
        self.at_key(tree, "args", |walk, args| walk.value(args));
        self.at_key(tree, "with", |walk, with| {
            walk.each_entry(with, |walk, name, value| {
                if name == "reason" && value.text().is_some_and(|text| !text.contains('$')) {
                    walk.declared_reason(value);
                } else {
                    walk.value(value);
                }
                walk.remove();
            });
        });
        self.at_key(tree, "each", |walk, each| {
            walk.value(each);
            walk.remove();
        });
        self.at_key(tree, "last", |walk, last| {
            walk.number(last);
            walk.remove();
        });
        for key in ["self", "hold"] {
            self.at_key(tree, key, |walk, _| walk.remove());
        }
        self.at_key(tree, "reason", |walk, reason| {
            if reason.text().is_some_and(|text| text.contains('$')) {
                walk.value(reason);
            }
            walk.declared_reason(reason);
            walk.remove();
        });
        self.at_key(tree, "otherwise", |walk, name| {
            let outcomes: Vec<&str> = row.outcomes.iter().map(|o| &*o.name).collect();
            walk.others(name, after(&outcomes, name.text().unwrap_or_default(), 2));
            walk.remove();
        });
        self.at_key(tree, "code", |walk, code| {
            walk.code(code);
            walk.remove();
        });
        self.vars.truncate(known);
    }
}

/// Every change of a class of failures.
pub fn class_changes(pool: &Pool<'_>, tree: &Tree) -> Vec<Change> {
    let mut walk = Walk::new(pool);
    let event = tree.get("event").and_then(Tree::text).unwrap_or_default();
    let signature = pool.tables.signatures.iter().find(|s| &*s.name == event);
    let signature_args: Vec<_> = signature.map(|s| s.args.clone()).unwrap_or_default();
    for (name, value) in tree.get("args").iter().flat_map(|args| args.entries()) {
        let text = value.text().unwrap_or_default();
        let ty = signature_args
            .iter()
            .find(|(arg, _)| **arg == **name)
            .map(|(_, ty)| *ty);
        for (start, end) in paths(text) {
            walk.know(&text[start..end], Ty::Sig(ty.unwrap_or(SigType::Text)));
        }
    }
    walk.know("reason", Ty::Sig(SigType::Text));
    walk.know("ecode", Ty::Sig(SigType::Int));
    walk.at_key(tree, "event", Walk::signature);
    walk.at_key(tree, "args", Walk::value);
    for (family, _) in tree.entries().iter().filter(|(key, _)| key != "event" && key != "args") {
        walk.at_key(tree, family, |walk, codes| {
            walk.at_key(codes, "text", |walk, arg| {
                walk.others(arg, signature_args.iter().map(|(name, _)| &**name));
                walk.remove();
            });
            match codes.get("client") {
                Some(client) => {
                    walk.at_key(codes, "client", |walk, _| walk.numbers(client));
                }
                None => walk.numbers(codes),
            }
            walk.remove();
        });
    }
    walk.finish()
}

impl Walk<'_> {
    fn numbers(&mut self, tree: &Tree) {
        let reasons: Vec<&str> = self.pool.reasons.iter().map(|reason| &**reason).collect();
        let unused: Vec<&str> = reasons.into_iter().filter(|name| tree.get(name).is_none()).collect();
        self.each_entry(tree, |walk, name, number| {
            if name == "text" {
                return;
            }
            walk.number(number);
            if name != "any" {
                for other in after(&unused, name, 1) {
                    walk.rename(other);
                }
            }
            walk.remove();
        });
    }
}
