//! What somebody saw, as words.

use std::fmt;

/// One thing that somebody saw: an event with its arguments, a note about them.
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

/// A word as a scenario would write it.
fn shown(word: &str) -> String {
    if word.len() > 400 {
        return format!("({} bytes: {}…)", word.len(), word.chars().take(40).collect::<String>());
    }
    let plain = |c: char| c.is_ascii_graphic() && !"\"'#".contains(c);
    let json = word.starts_with(['{', '[']) && sigbridge::value::Value::from_json(word).is_ok();
    if json || (!word.is_empty() && word.chars().all(plain)) {
        word.into()
    } else if word.contains('\'') {
        sigbridge::value::Value::text(word).to_json()
    } else {
        format!("'{word}'")
    }
}
