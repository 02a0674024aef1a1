//! All verbs of a call in all states, from both sides, with all ends of the other side's session:
//! `calls.toml` lists the events of both sides.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::directory;
use crate::script::Scenario;

/// The content of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    /// The scenario lines that lead to a state. `CALLER` and `CALLEE` are the two users.
    states: BTreeMap<String, String>,
    /// The possible ends of the other side's session.
    ends: BTreeMap<String, String>,
    /// The actor's actions.
    verbs: BTreeMap<String, String>,
    #[serde(rename = "cell")]
    cells: Vec<Cell>,
}

/// The expected events of all combinations of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    verb: String,
    state: Vec<String>,
    /// The actor's side.
    side: Vec<String>,
    /// The end of the other side's session; `any` for all.
    other: Vec<String>,
    /// The events of that end; those of its own client are in `ends`.
    #[serde(default)]
    first: String,
    /// The events of the verb.
    #[serde(default)]
    then: String,
    /// The events of the next two minutes.
    #[serde(default)]
    later: String,
}

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'m> {
    verb: &'m str,
    state: &'m str,
    side: &'m str,
    other: &'m str,
}

impl Matrix {
    fn read() -> Self {
        let text = std::fs::read_to_string(directory().join("calls.toml")).expect("readable");
        toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns all combinations.
    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.states.keys().flat_map(move |state| {
            self.verbs.keys().flat_map(move |verb| {
                self.ends.keys().flat_map(move |other| {
                    ["caller", "callee"].map(|side| Place {
                        verb,
                        state,
                        side,
                        other,
                    })
                })
            })
        })
    }

    /// Returns the scenario of a combination.
    fn scenario(&self, place: Place<'_>, cell: &Cell) -> String {
        let (caller, callee) = match place.side {
            "caller" => ("actor", "other"),
            _ => ("other", "actor"),
        };
        let state = self.states[place.state].replace("CALLER", caller);
        let state = state.replace("CALLEE", callee);
        let verb = &self.verbs[place.verb];
        // A session notes the cost of its end before its client gets its own event.
        let (own, end): (Vec<&str>, Vec<&str>) = self.ends[place.other].lines().partition(|line| line.starts_with('>'));
        let (own, end) = (own.join("\n"), end.join("\n"));
        let Cell { first, then, later, .. } = cell;
        format!(
            "# {place:?}\nset grace 5s\ngiven actor other\n{state}\n{end}\n{first}\n{own}\n{verb}\n{then}\nafter 2min\n{later}"
        )
    }
}

impl Cell {
    fn is_of(&self, place: Place<'_>) -> bool {
        let names = |list: &[String], name: &str| list.iter().any(|known| known == name || known == "any");
        self.verb == place.verb
            && names(&self.state, place.state)
            && names(&self.side, place.side)
            && names(&self.other, place.other)
    }
}

#[test]
fn every_verb_in_every_state() {
    let matrix = Matrix::read();
    let mut wrong = Vec::new();
    let mut used = vec![false; matrix.cells.len()];
    for place in matrix.places() {
        let cells = matrix.cells.iter().enumerate().filter(|(_, cell)| cell.is_of(place));
        let cells: Vec<(usize, &Cell)> = cells.collect();
        let [(at, cell)] = cells[..] else {
            wrong.push(format!("{place:?} is in {} cells", cells.len()));
            continue;
        };
        used[at] = true;
        let text = matrix.scenario(place, cell);
        let result = Scenario::read(&text).and_then(|scenario| scenario.run(None, true));
        if let Err((line, why)) = result {
            let line = text.lines().nth(line - 1).unwrap_or_default();
            wrong.push(format!("{place:?}\n    {line}\n    {why}"));
        }
    }
    let unused = used.iter().zip(&matrix.cells).filter(|(used, _)| !**used);
    wrong.extend(unused.map(|(_, cell)| format!("of no combination: {} {:?} {:?}", cell.verb, cell.state, cell.other)));
    assert!(wrong.is_empty(), "{}\n{} are wrong", wrong.join("\n"), wrong.len());
}
