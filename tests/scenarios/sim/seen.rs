//! Events of a user, as words.

use std::fmt;

/// One event of a user with its arguments, and notes about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub who: String,
    /// What, and with what.
    pub words: Vec<String>,
}

impl Seen {
    /// Somebody saw something.
    pub fn new<W: Into<String>>(who: &str, words: impl IntoIterator<Item = W>) -> Self {
        Self {
            who: who.into(),
            words: words.into_iter().map(Into::into).collect(),
        }
    }

    /// True when it is what was expected; `any` stands for any word, `items(200)` for a JSON
    /// list of that many.
    pub fn is(&self, expected: &Seen) -> bool {
        let word = |(got, expected): (&String, &String)| match items(expected) {
            Some(count) => serde_json::from_str::<Vec<serde_json::Value>>(got).is_ok_and(|list| list.len() == count),
            None => got == expected || expected == "any",
        };
        let pairs = self.words.iter().zip(&expected.words);
        self.who == expected.who && self.words.len() == expected.words.len() && pairs.into_iter().all(word)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words.first().map(String::as_str) {
            Some("note" | "dropped") => {
                let rest = self.words[1..].iter().map(|word| shown(word)).collect::<Vec<_>>();
                write!(f, "{} {} {}", self.words[0], self.who, rest.join(" "))
            }
            _ => {
                write!(f, "> {}", self.who)?;
                self.words.iter().try_for_each(|word| write!(f, " {}", shown(word)))
            }
        }
    }
}

fn items(word: &str) -> Option<usize> {
    word.strip_prefix("items(")?.strip_suffix(')')?.parse().ok()
}

/// A word as a scenario would write it.
fn shown(word: &str) -> String {
    if word.len() > 400 {
        return format!("({} bytes: {}…)", word.len(), word.chars().take(40).collect::<String>());
    }
    let plain = |c: char| c.is_ascii_graphic() && !"\"'#".contains(c);
    let json = word.starts_with(['{', '[']) && rtm::value::Value::from_json(word).is_ok();
    if json || (!word.is_empty() && word.chars().all(plain)) {
        word.into()
    } else if word.contains('\'') {
        rtm::value::Value::text(word).to_json()
    } else {
        format!("'{word}'")
    }
}
