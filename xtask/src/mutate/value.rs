//! Changes of values that expressions and literals are.

use tables::duration::parse_duration;
use tables::ty::Ty;

use crate::mutate::tree::Tree;
use crate::mutate::walk::Walk;

/// Members of RTM's objects that a path may name.
const MEMBERS: &[&str] = &["calleeId", "callerId", "channelId", "content", "response"];

impl Walk<'_> {
    /// A value as rows write it: each literal replaced, each path replaced, each part removed.
    pub fn value(&mut self, tree: &Tree) {
        match tree {
            Tree::Text(text) => self.text(tree, text),
            Tree::Plain(plain) => self.plain(tree, plain),
            Tree::List(items) => {
                let many = items.len() > 1;
                self.each_item(tree, |walk, _, item| {
                    walk.value(item);
                    if many {
                        walk.remove();
                    }
                });
            }
            Tree::Table(_) => self.each_entry(tree, |walk, _, entry| {
                walk.value(entry);
                walk.remove();
            }),
        }
    }

    fn plain(&mut self, tree: &Tree, plain: &str) {
        let flipped = match plain {
            "true" => "false",
            "false" => "true",
            _ => return self.number(tree),
        };
        self.set(tree, Tree::Plain(flipped.into()));
    }

    /// A number: one more, one less.
    pub fn number(&mut self, tree: &Tree) {
        let Tree::Plain(plain) = tree else { return };
        let Ok(number) = plain.parse::<i64>() else { return };
        for other in [number + 1, number - 1] {
            self.set(tree, Tree::Plain(other.to_string()));
        }
    }

    /// A time: a moment more, a moment less.
    pub fn time(&mut self, tree: &Tree) {
        let Some(Ok(time)) = tree.text().map(parse_duration) else {
            return;
        };
        for other in [time.as_millis() + 1, time.as_millis() - 1] {
            self.set(tree, Tree::Text(format!("{other}ms")));
        }
    }

    fn text(&mut self, tree: &Tree, text: &str) {
        let paths = paths(text);
        for &(start, end) in &paths {
            for other in self.other_paths(&text[start..end]) {
                self.set(tree, Tree::Text(format!("{}{other}{}", &text[..start], &text[end..])));
            }
        }
        let whole = |(start, end): &(usize, usize)| *start == 1 && *end == text.len();
        if !paths.iter().any(whole) && !text.ends_with(')') {
            self.set(tree, Tree::Text(format!("{text}x")));
        }
    }

    /// Other paths whose values could stand in the same place; any other one if none fits.
    fn other_paths(&self, path: &str) -> Vec<String> {
        let ty = self.type_of(path);
        let alike = |other: Option<Ty>| {
            let pair = ty.zip(other);
            pair.is_some_and(|(a, b)| a.convert(b).is_some() || b.convert(a).is_some())
        };
        let state = path.starts_with("state.");
        let mut all: Vec<String> = Vec::new();
        for (name, _) in &self.vars {
            // A state of the session is no other value for a row that reads it by name.
            if state || !name.starts_with("state.") {
                all.push(name.clone());
            }
            all.extend(MEMBERS.iter().map(|member| format!("{name}.{member}")));
        }
        all.retain(|other| other != path && self.type_of(other).is_some());
        all.sort();
        all.dedup();
        let fitting: Vec<String> = all.iter().filter(|other| alike(self.type_of(other))).cloned().collect();
        if fitting.is_empty() {
            all.truncate(1);
            return all;
        }
        fitting
    }
}

/// The paths in a text, without their `$`.
pub fn paths(text: &str) -> Vec<(usize, usize)> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let starts = text.match_indices('$').map(|(at, _)| at + 1);
    starts
        .map(|start| {
            let len = text[start..].find(|c| !is_path(c)).unwrap_or(text.len() - start);
            (start, start + len)
        })
        .collect()
}
