//! Changes of steps and of the answer.

use rtm::CallKind;
use tables::condition::Condition;
use tables::row::RowKind;

use crate::mutate::tree::Tree;
use crate::mutate::walk::{Walk, after};

impl Walk<'_> {
    /// Every `[[row.do]]`.
    pub fn steps(&mut self, steps: &Tree) {
        self.each_item(steps, |walk, at, step| {
            let sure = settled(&steps.items()[..at], step);
            walk.step(step, sure);
            walk.remove();
            if let Some(next) = steps.items().get(at + 1)
                && !never_both(step, next)
            {
                walk.swap();
            }
        });
    }

    fn step(&mut self, tree: &Tree, sure: Option<&str>) {
        let kind = tree.get("rtm").and_then(Tree::text).and_then(CallKind::parse);
        self.facts(tree, sure);
        self.at_key(tree, "rtm", |walk, name| walk.rtm(name, tree.get("args")));
        self.at_key(tree, "row", |walk, name| {
            let rows = walk.pool.tables.rows.iter();
            let calls: Vec<&str> = rows
                .filter(|row| matches!(row.kind, RowKind::Call(_)))
                .map(|row| &*row.id)
                .collect();
            walk.others(name, after(&calls, name.text().unwrap_or_default(), 2));
        });
        self.at_key(tree, "outcome", |walk, name| walk.other_outcomes(name));
        self.at_key(tree, "args", |walk, args| walk.value(args));
        self.at_key(tree, "as", |walk, name| {
            walk.value(name);
            walk.remove();
        });
        self.at_key(tree, "expect", |walk, expect| {
            walk.at_key(expect, "at", |walk, at| {
                walk.value(at);
                walk.remove();
            });
            walk.at_key(expect, "is", |walk, is| walk.value(is));
            walk.at_key(expect, "exists", |walk, exists| walk.value(exists));
            walk.at_key(expect, "else", |walk, name| walk.other_outcomes(name));
            walk.remove();
        });
        self.at_key(tree, "value", |walk, value| {
            walk.value(value);
            walk.remove();
        });
        let members: Vec<&str> = kind
            .iter()
            .flat_map(|kind| kind.errors())
            .flat_map(|of| of.members())
            .map(|member| member.name())
            .collect();
        self.at_key(tree, "errors", |walk, errors| {
            walk.each_entry(errors, |walk, name, to| {
                walk.other_outcomes(to);
                if to.text() != Some("continue") {
                    walk.others(to, ["continue"]);
                }
                walk.member(name, &members);
            });
        });
        self.at_key(tree, "wait", |walk, waits| {
            walk.each_entry(waits, |walk, name, time| {
                walk.time(time);
                walk.member(name, &members);
            });
        });
        self.at_key(tree, "gather", |walk, gather| {
            walk.at_key(gather, "arg", |walk, arg| walk.value(arg));
            walk.at_key(gather, "from", |walk, from| walk.value(from));
            walk.at_key(gather, "max", |walk, max| walk.number(max));
            walk.at_key(gather, "every", |walk, every| walk.time(every));
            walk.remove();
        });
        self.at_key(tree, "lane", |walk, lane| {
            walk.value(lane);
            walk.remove();
        });
        self.at_key(tree, "together", |walk, together| walk.value(together));
        self.at_key(tree, "via", |walk, via| {
            walk.value(via);
            walk.remove();
        });
    }

    /// `[row.answer]`.
    pub fn answer(&mut self, tree: &Tree, last_only: bool) {
        self.at_key(tree, "at", |walk, at| {
            let same = |other: &&str| last_only && at.text() != Some("accepted") && *other != "accepted";
            let others = ["accepted", "first", "done"];
            walk.others(at, others.into_iter().filter(|other| !same(other)));
        });
        self.at_key(tree, "emit", |walk, names| {
            walk.each_item(names, |walk, at, name| {
                walk.other_outcomes(name);
                walk.remove();
                if at + 1 < names.items().len() {
                    walk.swap();
                }
            });
        });
        self.at_key(tree, "fields", |walk, fields| walk.value(fields));
        self.remove();
    }

    /// The facts of a step or an outcome: each negated, each replaced, each removed unless it is `sure`.
    pub fn facts(&mut self, tree: &Tree, sure: Option<&str>) {
        self.at_key(tree, "if", |walk, facts| {
            walk.each_item(facts, |walk, _, condition| {
                let text = condition.text().unwrap_or_default();
                let (sign, plain) = text.strip_prefix('!').map_or(("", text), |plain| ("!", plain));
                let names: Vec<&str> = Condition::NAMES.iter().map(|(name, _)| *name).collect();
                let other = after(&names, plain, 1).into_iter().map(|name| format!("{sign}{name}"));
                for to in other.chain([opposite(text)]) {
                    walk.set(condition, Tree::Text(to));
                }
                if sure != Some(text) {
                    walk.remove();
                }
            });
        });
    }

    /// Another RTM call: those that take the given arguments, or any other one.
    pub fn rtm(&mut self, name: &Tree, args: Option<&Tree>) {
        let text = name.text().unwrap_or_default();
        let given: Vec<&str> = args
            .iter()
            .flat_map(|args| args.entries())
            .map(|(name, _)| &**name)
            .collect();
        let takes = |kind: &&CallKind| given.iter().all(|arg| kind.fields().iter().any(|f| f.name == *arg));
        let alike = CallKind::ALL.iter().filter(takes).map(|kind| kind.name());
        let alike: Vec<&str> = alike.filter(|name| *name != text).collect();
        if alike.is_empty() {
            let names: Vec<&str> = CallKind::ALL.iter().map(|kind| kind.name()).collect();
            return self.others(name, after(&names, text, 1));
        }
        self.others(name, alike);
    }

    fn other_outcomes(&mut self, name: &Tree) {
        let outcomes = self.outcomes.clone();
        if outcomes.len() < 2 {
            self.value(name);
        }
        self.others(name, outcomes.iter().map(|other| &**other));
    }

    /// An entry for a member of an error enum: for another one, or removed.
    fn member(&mut self, name: &str, members: &[&str]) {
        if name != "any" {
            for other in after(members, name, 1) {
                self.rename(other);
            }
        }
        self.remove();
    }
}

fn facts(step: &Tree) -> impl Iterator<Item = &str> {
    step.get("if").into_iter().flat_map(Tree::items).filter_map(Tree::text)
}

fn opposite(condition: &str) -> String {
    condition
        .strip_prefix('!')
        .map_or_else(|| format!("!{condition}"), str::to_owned)
}

/// Facts that stay as they are while a row runs.
fn lasts(condition: &str) -> bool {
    let plain = condition.strip_prefix('!').unwrap_or(condition);
    let fixed = Condition::NAMES
        .iter()
        .find(|(name, _)| *name == plain)
        .map(|(_, condition)| *condition);
    match fixed.or_else(|| CallKind::parse(plain).map(Condition::Can)) {
        Some(condition) => matches!(
            condition,
            Condition::Can(_) | Condition::OneSelf | Condition::OfflineMessages
        ),
        None => true,
    }
}

/// Steps of which exactly one runs.
fn never_both(step: &Tree, next: &Tree) -> bool {
    facts(step).any(|condition| lasts(condition) && facts(next).any(|other| other == opposite(condition)))
}

/// The fact of a step that holds in any case, since a step before ends the row without it.
fn settled<'t>(before: &[Tree], step: &'t Tree) -> Option<&'t str> {
    let ends = |at: usize, condition: &str| {
        let step = &before[at];
        let alone = step.get("outcome").is_some() && facts(step).eq([&*opposite(condition)]);
        alone && (lasts(condition) || at + 1 == before.len())
    };
    facts(step).find(|condition| (0..before.len()).any(|at| ends(at, condition)))
}

/// True when the first result that an answer may be is that of the last step: `first` and `done` are then the same.
pub fn answers_with_the_last(steps: &Tree) -> bool {
    let Some((last, guards)) = steps.items().split_last() else {
        return true;
    };
    let is_call = |step: &Tree| step.get("rtm").is_some() && step.get("expect").is_none();
    is_call(last) && !guards.iter().any(|step| is_call(step) || step.get("row").is_some())
}
