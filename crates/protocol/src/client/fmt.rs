//! Texts for a terminal.

use std::fmt::Write as _;

use rtm::value::{Text, Value};

/// Returns ` name="text" other=1`: each value as JSON, a space in front of each name.
pub fn json_words(args: &[(Text, Value)]) -> String {
    let mut out = String::new();
    for (name, value) in args {
        write!(out, " {name}={value}").expect("writing to a String");
    }
    out
}
