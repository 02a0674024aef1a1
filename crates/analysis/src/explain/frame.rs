//! Frame to explain (signaling-wire 2.1).

use rtm::value::{Text, Value};
use tables::Tables;
use tables::diagnostics::suggest;
use tables::profile::Transport;
use tables::wire::{Function, RowCall, Target, Wire};

const EXAMPLE: &str = r#"["call2",["function",1,{"line":"…"}]] or ["login",{"account":"…"}]"#;

const LINES: &str = r#"call function 1 0 {"line":"…"}, or login {"account":"…"}"#;

const REQUEST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"…","params":{…}}"#;

/// Decoded frame.
pub(super) struct Frame<'w> {
    pub function: &'w Function,
    /// Call number; a login has none.
    pub id: Option<i64>,
    pub args: Value,
}

/// Frame error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    #[error("not JSON: {0}")]
    NotJson(String),
    /// Not a line of the native wire.
    #[error("not a line of the {family} wire: {why}")]
    NotALine { family: Text, why: &'static str },
    /// Not a JSON-RPC request.
    #[error("not a request: expected {expected}, got {got}")]
    NotARequest { expected: &'static str, got: String },
    /// Not a frame.
    #[error("not a frame: expected {expected}, got {got}")]
    NotAFrame { expected: &'static str, got: String },
    /// A frame that no row handles.
    #[error("no row handles the frame `{0}`; only `login` and `call2` enter rows")]
    NoRow(Text),
    /// A function that the wire tables lack.
    #[error("the {family} wire has no function `{name}`; clients get `unknown func {name}`")]
    NoFunction {
        family: Text,
        name: Text,
        /// Similar name.
        close: Option<Text>,
        /// Known functions.
        known: Vec<Text>,
    },
}

impl ExplainError {
    /// Returns the hint for the error.
    pub fn hint(&self) -> String {
        match self {
            Self::NotARequest { .. } => format!("write {REQUEST}"),
            Self::NotALine { .. } => format!("write {LINES}"),
            Self::NotJson(_) | Self::NotAFrame { .. } | Self::NoRow(_) => format!("write {EXAMPLE}"),
            Self::NoFunction { close: Some(close), .. } => format!("did you mean `{close}`?"),
            Self::NoFunction { known, .. } => format!("functions of this wire: {}", known.join(", ")),
        }
    }
}

impl<'w> Frame<'w> {
    /// Parses a frame and finds its function.
    pub fn read(text: &str, tables: &Tables, wire: &'w Wire) -> Result<Self, ExplainError> {
        let mut profiles = tables.profiles.iter();
        let is_native = profiles.any(|profile| profile.family == wire.family && profile.transport == Transport::Tcp);
        let frame = match is_native && !text.trim_start().starts_with('[') {
            true => line(text.trim(), wire)?,
            false => Value::from_json(text).map_err(|e| ExplainError::NotJson(e.to_string()))?,
        };
        if wire.documented {
            return Self::request(&frame, tables, wire);
        }
        let Some([name, arg]) = frame.as_list() else {
            return Err(not(r#"["name",argument]"#, &frame));
        };
        let Some(name) = name.as_text() else {
            return Err(not("a frame's name (text)", name));
        };
        match &**name {
            "login" => Ok(Self {
                function: &wire.login,
                id: None,
                args: object(arg)?,
            }),
            "call2" => Self::call(arg, wire),
            _ => Err(ExplainError::NoRow(name.clone())),
        }
    }

    /// Parses a JSON-RPC request.
    fn request(frame: &Value, tables: &Tables, wire: &'w Wire) -> Result<Self, ExplainError> {
        let no = |expected, got: &Value| ExplainError::NotARequest {
            expected,
            got: got.to_json(),
        };
        let Some(method) = frame.get("method").and_then(Value::as_text) else {
            return Err(no("an object with a method", frame));
        };
        let Some((_, function)) = wire.find(method, &Value::Null) else {
            return Err(no_function(wire, method));
        };
        let args = match (frame.get("params"), &function.target) {
            (Some(params @ Value::Map(_)), _) => params.clone(),
            (None | Some(Value::Null), _) => Value::Map(Vec::new()),
            (Some(Value::List(values)), Target::Row(RowCall { sig, .. })) => {
                let names = tables.signatures[*sig].args.iter().map(|(name, _)| name.clone());
                Value::Map(names.zip(values.iter().cloned()).collect())
            }
            (Some(other), _) => return Err(no("params (array or object)", other)),
        };
        let is_login =
            matches!((&function.target, &wire.login.target), (Target::Row(a), Target::Row(b)) if a.row == b.row);
        let id = frame.get("id").and_then(Value::as_int).filter(|_| !is_login);
        Ok(Self { function, id, args })
    }

    fn call(arg: &Value, wire: &'w Wire) -> Result<Self, ExplainError> {
        let Some([Value::Text(name), Value::Int(id), args]) = arg.as_list() else {
            return Err(not(r#"["function",number,{…}]"#, arg));
        };
        let args = object(args)?;
        let Some((_, function)) = wire.find(name, &args) else {
            return Err(no_function(wire, name));
        };
        Ok(Self {
            function,
            id: Some(*id),
            args,
        })
    }
}

/// Converts a native client's line to a frame (signaling-wire 10).
fn line(text: &str, wire: &Wire) -> Result<Value, ExplainError> {
    let not = |why| ExplainError::NotALine {
        family: wire.family.clone(),
        why,
    };
    let json = |text: &str| Value::from_json(text).map_err(|_| not("its last part is not JSON"));
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    match name {
        "login" => Ok(Value::List(vec!["login".into(), json(rest)?])),
        "call" => {
            let mut words = rest.splitn(4, ' ');
            let mut word = || words.next().ok_or(not("`call` needs a function, a number, 0 and JSON"));
            let (function, id, _, args) = (word()?, word()?, word()?, word()?);
            let id: i64 = id.parse().map_err(|_| not("the call number is invalid"))?;
            let call = vec![function.into(), id.into(), json(args)?];
            Ok(Value::List(vec!["call2".into(), Value::List(call)]))
        }
        _ => Err(not("only `login` and `call` enter rows")),
    }
}

fn no_function(wire: &Wire, name: &Text) -> ExplainError {
    let known: Vec<Text> = wire.functions.iter().map(|f| f.name.clone()).collect();
    ExplainError::NoFunction {
        family: wire.family.clone(),
        name: name.clone(),
        close: suggest(name, known.iter().map(|k| &**k)).map(Into::into),
        known,
    }
}

fn object(value: &Value) -> Result<Value, ExplainError> {
    match value {
        Value::Map(_) => Ok(value.clone()),
        _ => Err(not("an object of arguments", value)),
    }
}

fn not(expected: &'static str, got: &Value) -> ExplainError {
    ExplainError::NotAFrame {
        expected,
        got: got.to_json(),
    }
}
