//! Parser of terminal input: documented calls, wire functions, frames.

use rtm::value::{Text, Value};
use tables::ty::SigType;

use crate::client::catalog::{BadCall, Catalog};
use crate::client::shell_words::{Word, split};

/// An input line.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplInput {
    /// An empty line.
    Empty,
    /// `help`.
    Help,
    /// `quit`.
    Quit,
    /// `wait SECONDS`, for scripts.
    Wait(u64),
    /// `messageInstantSend bob 0 "hi there"`, or with names: `messageInstantSend account=bob msg="hi there"`.
    Call {
        name: Text,
        /// The arguments, by name.
        args: Vec<(Text, Value)>,
    },
    /// `FUNC {json}`: a wire function with its own arguments.
    Function { name: Text, args: Vec<(Text, Value)> },
    /// `["name", …]`: a frame, sent unchanged.
    Frame(String),
}

/// The reason why an input line is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInput {
    /// A quote is not closed.
    #[error("the quote {0} is not closed")]
    Quote(char),
    /// The JSON is invalid.
    #[error("not JSON: {0}")]
    Json(String),
    /// The time is invalid.
    #[error("`wait` takes whole seconds, at most 3600")]
    Wait,
    /// A positional argument follows a named one.
    #[error("`{0}` is positional, but follows named arguments")]
    Positional(String),
    /// The call or its arguments are invalid.
    #[error(transparent)]
    Call(#[from] BadCall),
}

impl ReplInput {
    /// Parses an input line.
    ///
    /// # Errors
    /// [`BadInput`].
    pub fn read(line: &str, catalog: &Catalog) -> Result<Self, BadInput> {
        let line = line.trim();
        if line.starts_with('[') {
            let frame = Value::from_json(line).map_err(|e| BadInput::Json(e.to_string()))?;
            return Ok(Self::Frame(frame.to_json()));
        }
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match first {
            "" => Ok(Self::Empty),
            "help" | "?" => Ok(Self::Help),
            "quit" | "exit" => Ok(Self::Quit),
            "wait" => match rest.trim().parse() {
                Ok(seconds @ 0..=3600) => Ok(Self::Wait(seconds)),
                _ => Err(BadInput::Wait),
            },
            name if rest.trim_start().starts_with('{') => {
                let args = Value::from_json(rest).map_err(|e| BadInput::Json(e.to_string()))?;
                Ok(Self::Function {
                    name: name.into(),
                    args: args.as_map().unwrap_or_default().to_vec(),
                })
            }
            name => Ok(Self::Call {
                name: name.into(),
                args: arguments(name, &split(rest).map_err(BadInput::Quote)?, catalog)?,
            }),
        }
    }
}

fn arguments(call: &str, words: &[Word], catalog: &Catalog) -> Result<Vec<(Text, Value)>, BadInput> {
    let signature = catalog.args(call)?;
    let mut args: Vec<(Text, Value)> = Vec::new();
    let mut by_name = false;
    for (at, word) in words.iter().enumerate() {
        let named = word.named();
        let named = named.and_then(|(name, text)| Some((signature.iter().find(|(arg, _)| &**arg == name)?, text)));
        let ((name, ty), text) = match named {
            Some(named) => {
                by_name = true;
                named
            }
            None if by_name => return Err(BadInput::Positional(word.text.clone())),
            None => match signature.get(at) {
                Some(arg) => (arg, &*word.text),
                None => {
                    let known: Vec<&str> = signature.iter().map(|(arg, _)| &**arg).collect();
                    return Err(BadInput::Call(BadCall::Arg {
                        call: call.into(),
                        arg: word.text.as_str().into(),
                        known: known.join(", "),
                    }));
                }
            },
        };
        args.push((name.clone(), value(text, *ty)));
    }
    Ok(args)
}

/// Returns the value of a word: lists are read as JSON, everything else is text. The call's types
/// decide whether a text is a number.
fn value(text: &str, ty: SigType) -> Value {
    match ty {
        SigType::Accounts | SigType::Ints => Value::from_json(text).unwrap_or_else(|_| text.into()),
        _ => text.into(),
    }
}
