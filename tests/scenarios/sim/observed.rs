//! Recorded events as words.

use std::fmt;

/// A recorded event: its name and arguments, or a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The user.
    pub who: String,
    /// The event and its arguments.
    pub words: Vec<String>,
}

impl Observed {
    /// Creates an event.
    pub fn new<W: Into<String>>(who: &str, words: impl IntoIterator<Item = W>) -> Self {
        Self {
            who: who.into(),
            words: words.into_iter().map(Into::into).collect(),
        }
    }

    /// Returns true if it matches the expected event; `any` matches any word, `items(200)` a JSON
    /// list of that length.
    pub fn is(&self, expected: &Observed) -> bool {
        let word = |(got, expected): (&String, &String)| match items(expected) {
            Some(count) => serde_json::from_str::<Vec<serde_json::Value>>(got).is_ok_and(|list| list.len() == count),
            None => got == expected || expected == "any",
        };
        let pairs = self.words.iter().zip(&expected.words);
        self.who == expected.who && self.words.len() == expected.words.len() && pairs.into_iter().all(word)
    }
}

impl fmt::Display for Observed {
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

/// Formats a word in the notation of scenarios.
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
