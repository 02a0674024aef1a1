//! Parser and runner of scenarios (format in `tests/scenarios/README.md`).

mod actions;
mod words;

use std::sync::Arc;

use crate::set;
use crate::sim::observed::Observed;
use crate::sim::{Config, Sim};
use agent_link::vocabulary::Vocabulary;

pub use words::split;

/// A parsed scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its title: the first comment.
    pub title: String,
    blocks: Vec<Block>,
}

/// An action and all expected events.
#[derive(Debug)]
struct Block {
    line: usize,
    action: String,
    expected: Vec<(usize, String)>,
}

impl Scenario {
    /// Parses a scenario.
    ///
    /// # Errors
    /// The line, and the error.
    pub fn read(text: &str) -> Result<Self, (usize, String)> {
        let mut title = None;
        let mut blocks: Vec<Block> = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if let Some(comment) = line.strip_prefix('#') {
                title.get_or_insert_with(|| comment.trim().to_owned());
            } else if is_expected(line) {
                let block = blocks.last_mut().ok_or((number, "nothing happened yet".to_owned()))?;
                block.expected.push((number, line.into()));
            } else if !line.is_empty() {
                blocks.push(Block {
                    line: number,
                    action: line.into(),
                    expected: Vec::new(),
                });
            }
        }
        let title = title.ok_or((1, "the first line is `# title`".to_owned()))?;
        Ok(Self { title, blocks })
    }

    /// Runs the scenario.
    ///
    /// # Errors
    /// The first line that does not match, and the reason.
    pub fn run(&self, words: Option<&Arc<Vocabulary>>, records: bool) -> Result<(), (usize, String)> {
        let ends = self.blocks.iter().filter_map(|block| {
            let (verb, name) = block.action.split_once(' ')?;
            matches!(verb, "stop" | "kill").then(|| name.to_owned())
        });
        let mut config = Config {
            words: words.cloned(),
            records,
            alone: ends.collect(),
            ..Config::default()
        };
        let settings = self
            .blocks
            .iter()
            .take_while(|block| block.action.starts_with("set "))
            .count();
        for block in &self.blocks[..settings] {
            actions::set(&mut config, &block.action).map_err(|why| (block.line, why))?;
        }
        let mut sim = Sim::new(set(), config);
        for block in &self.blocks[settings..] {
            actions::act(&mut sim, &block.action).map_err(|why| (block.line, why))?;
            block.check(&mut sim, records)?;
        }
        sim.finish().map_err(|why| (1, why))
    }
}

impl Block {
    /// Compares the expected and the actual events, in order for each user. The order between users
    /// is not defined. Notes and drops are events of recorded sessions only.
    fn check(&self, sim: &mut Sim, records: bool) -> Result<(), (usize, String)> {
        let mut observed = sim.take_observed();
        let expected = self
            .expected
            .iter()
            .filter(|(_, text)| records || times(text).1.starts_with('>'));
        for (line, text) in expected {
            for _ in 0..times(text).0 {
                let expected = expectation(sim, times(text).1).map_err(|why| (*line, why))?;
                let next = observed.iter().position(|observed| observed.who == expected.who);
                match next.map(|at| observed.remove(at)) {
                    Some(got) if got.is(&expected) => {}
                    Some(got) => return Err((*line, format!("expected {expected}\n     saw {got}"))),
                    None => {
                        return Err((
                            *line,
                            format!("expected {expected}\n     saw nothing more{}", others(&observed)),
                        ));
                    }
                }
            }
        }
        match observed.first() {
            None => Ok(()),
            Some(_) => Err((self.line, format!("nothing expects{}", others(&observed)))),
        }
    }
}

fn others(observed: &[Observed]) -> String {
    observed
        .iter()
        .take(12)
        .map(|observed| format!("\n         {observed}"))
        .collect()
}

fn is_expected(line: &str) -> bool {
    let line = times(line).1;
    line.starts_with("> ") || line.starts_with("note ") || line.starts_with("dropped ")
}

/// Splits `60x …` into the count and the rest.
pub(crate) fn times(line: &str) -> (usize, &str) {
    let counted = line
        .split_once("x ")
        .and_then(|(count, rest)| Some((count.parse().ok()?, rest)));
    counted.unwrap_or((1, line))
}

fn expectation(sim: &Sim, line: &str) -> Result<Observed, String> {
    let words = split(&actions::expand(sim, line)?)?;
    match &words[..] {
        [sign, who, what @ ..] if sign == ">" && !what.is_empty() => Ok(Observed::new(who, what.to_vec())),
        [kind, who, what @ ..] => Ok(Observed::new(who, [vec![kind.clone()], what.to_vec()].concat())),
        _ => Err("who saw what?".into()),
    }
}
