//! Words of a scenario line.
//!
//! Words are separated by spaces. `'…'` is literal text, `"…"` is text in JSON notation, and `*12`
//! after either repeats it. A word that begins with `{` or `[` is JSON up to its end, used as text.
//! Quotes and JSON may follow other characters in a word: `text="hi there"`.

use rtm::value::Value;

/// Splits a line.
///
/// # Errors
/// A description of the error.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

fn word(mut rest: &str) -> Result<(String, &str), String> {
    let mut word = String::new();
    while let Some(c) = rest.chars().next().filter(|c| !c.is_whitespace()) {
        match c {
            '\'' => {
                let (text, after) = rest[1..].split_once('\'').ok_or("a quote without its end")?;
                rest = repeated(text, after, &mut word)?;
            }
            '"' => {
                let (text, after) = json(rest)?;
                rest = repeated(&text.into_text(), after, &mut word)?;
            }
            '{' | '[' => {
                let (_, after) = json(rest)?;
                word.push_str(&rest[..rest.len() - after.len()]);
                rest = after;
            }
            c => {
                word.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    Ok((word, rest))
}

/// Reads `*n` after a quoted text.
fn repeated<'r>(text: &str, after: &'r str, word: &mut String) -> Result<&'r str, String> {
    let Some(digits) = after.strip_prefix('*') else {
        word.push_str(text);
        return Ok(after);
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let times: usize = digits[..end].parse().map_err(|_| "a number behind `*`")?;
    word.push_str(&text.repeat(times));
    Ok(&digits[end..])
}

/// Splits a text into the JSON value at its start and the rest.
fn json(text: &str) -> Result<(Value, &str), String> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match stream.next() {
        Some(Ok(value)) => Ok((value, &text[stream.byte_offset()..])),
        _ => Err(format!("no JSON: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_json() {
        let check = |line: &str, expected: &[&str]| assert_eq!(split(line).unwrap(), expected, "{line}");
        check("a  bc d", &["a", "bc", "d"]);
        check("'a b' \"c\\\" d\" ''", &["a b", "c\" d", ""]);
        check(
            "{\"a\": [1, 2]} x={\"b\":\"'\"}",
            &["{\"a\": [1, 2]}", "x={\"b\":\"'\"}"],
        );
        check("'ab'*3 text=\"x y\" 'z'*0", &["ababab", "text=x y", ""]);
        for line in ["'a", "\"a", "{a}", "'a'*x"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
