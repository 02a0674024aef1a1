//! What a person types: documented calls, functions of the wire, frames.

use rtm::value::{Text, Value};
use tables::ty::SigType;

use crate::client::catalog::{BadCall, Book};
use crate::client::shell_words::{Word, split};

/// A line of a terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Nothing.
    Empty,
    /// `help`.
    Help,
    /// `quit`.
    Quit,
    /// `wait SECONDS`, for scripts.
    Wait(u64),
    /// `messageInstantSend bob 0 "hi there"`, or with names: `messageInstantSend account=bob msg="hi there"`.
    Call {
        /// The documented name.
        name: Text,
        /// The arguments, by name.
        args: Vec<(Text, Value)>,
    },
    /// `FUNC {json}`: a function of the wire with its own arguments.
    Function {
        /// The function's name.
        name: Text,
        /// Its arguments.
        args: Vec<(Text, Value)>,
    },
    /// `["name", …]`: a frame as it is.
    Frame(String),
}

/// Why a line means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// A quote is not closed.
    #[error("the quote {0} is not closed")]
    Quote(char),
    /// What looks like JSON is none.
    #[error("not JSON: {0}")]
    Json(String),
    /// Not a time.
    #[error("`wait` takes whole seconds, at most 3600")]
    Wait,
    /// An argument in its place after one by name.
    #[error("`{0}` has no name, after arguments that have")]
    Order(String),
    /// No such call, or not such arguments.
    #[error(transparent)]
    Call(#[from] BadCall),
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// [`BadLine`].
    pub fn read(line: &str, book: &Book) -> Result<Self, BadLine> {
        let line = line.trim();
        if line.starts_with('[') {
            let frame = Value::from_json(line).map_err(|e| BadLine::Json(e.to_string()))?;
            return Ok(Self::Frame(frame.to_json()));
        }
        let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match first {
            "" => Ok(Self::Empty),
            "help" | "?" => Ok(Self::Help),
            "quit" | "exit" => Ok(Self::Quit),
            "wait" => match rest.trim().parse() {
                Ok(seconds @ 0..=3600) => Ok(Self::Wait(seconds)),
                _ => Err(BadLine::Wait),
            },
            name if rest.trim_start().starts_with('{') => {
                let args = Value::from_json(rest).map_err(|e| BadLine::Json(e.to_string()))?;
                Ok(Self::Function {
                    name: name.into(),
                    args: args.as_map().unwrap_or_default().to_vec(),
                })
            }
            name => Ok(Self::Call {
                name: name.into(),
                args: arguments(name, &split(rest).map_err(BadLine::Quote)?, book)?,
            }),
        }
    }
}

fn arguments(call: &str, words: &[Word], book: &Book) -> Result<Vec<(Text, Value)>, BadLine> {
    let signature = book.args(call)?;
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
            None if by_name => return Err(BadLine::Order(word.text.clone())),
            None => match signature.get(at) {
                Some(arg) => (arg, &*word.text),
                None => {
                    let known: Vec<&str> = signature.iter().map(|(arg, _)| &**arg).collect();
                    return Err(BadLine::Call(BadCall::Arg {
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

/// Vocabulary are text; only lists are written as JSON. Whether a text is a number is for the call's types to say.
fn value(text: &str, ty: SigType) -> Value {
    match ty {
        SigType::Accounts | SigType::Ints => Value::from_json(text).unwrap_or_else(|_| text.into()),
        _ => text.into(),
    }
}
