//! Output of the terminal client: data to the standard output, everything else to the other.

use std::fmt::Display;
use std::io::{self, IsTerminal};

use serde_json::json;

use crate::cli::messages::message;
use crate::cli::output::{Data, stdout_is_terminal};
use protocol::client::{CallHelp, Output, json_words};
use text_files::BadLine;

const NAME: &str = "36";
const GOOD: &str = "32";
const BAD: &str = "31";

/// Printer of client outputs.
pub(super) struct Printer {
    json: bool,
    color: bool,
    talks: bool,
    data: Data,
}

impl Printer {
    pub fn new(json: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            color: stdout_is_terminal() && !no_color,
            talks: io::stdin().is_terminal(),
            data: Data::new(),
        }
    }

    /// Returns true after a write error or a closed pipe.
    pub fn closed(&self) -> bool {
        self.data.is_over()
    }

    /// Flushes; a closed pipe counts as success.
    pub fn finish(self) -> io::Result<()> {
        self.data.finish()
    }

    /// Prints an event, an answer or an unknown frame.
    pub fn output(&mut self, output: &Output) {
        let line = if self.json {
            as_json(output)
        } else {
            self.as_text(output)
        };
        if let Some(line) = line {
            self.data.line(line);
        }
    }

    /// Prints a message for interactive use only.
    pub fn notice(&self, text: &str) {
        if self.talks {
            message(text);
        }
    }

    pub fn error(&self, error: &dyn Display) {
        message(format_args!(
            "error: {error}\n\nhint: `help` lists the calls and their arguments"
        ));
    }

    /// Reports an invalid input line, which is not run.
    pub fn refused(&self, line: usize, bad: BadLine) {
        message(format_args!("error: input line {line} skipped: {bad}"));
    }

    pub fn help(&self, calls: &[CallHelp]) {
        for call in calls {
            let args = call.args.iter().map(|arg| match arg.carried {
                true => format!(" {}:{}", arg.name, arg.ty.name()),
                false => format!(" [{}:{}]", arg.name, arg.ty.name()),
            });
            message(format_args!("  {}{}", call.name, args.collect::<String>()));
        }
        message("  arguments in [ ] are not sent on this wire; trailing arguments are optional");
        message("  FUNCTION {json}, [\"frame\",…], wait SECONDS, help, quit");
    }

    fn as_text(&self, output: &Output) -> Option<String> {
        Some(match output {
            Output::Event(emitted) => format!("{}{}", self.paint(NAME, &emitted.name), json_words(&emitted.args)),
            Output::Reply(reply) => match &reply.result {
                Ok(value) => format!("{} {value}", self.paint(GOOD, "ok")),
                Err(reason) => format!("{} {}", self.paint(BAD, "failed"), json!(&**reason)),
            },
            Output::Unknown(frame) => frame.to_string(),
            _ => return None,
        })
    }

    fn paint(&self, color: &str, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{color}m{text}\x1b[0m"),
            false => text.into(),
        }
    }
}

fn as_json(output: &Output) -> Option<String> {
    let value = match output {
        Output::Event(emitted) => {
            let args: serde_json::Map<_, _> = emitted
                .args
                .iter()
                .map(|(name, v)| (name.to_string(), json!(v)))
                .collect();
            json!({ "event": &*emitted.name, "args": args })
        }
        Output::Reply(reply) => match &reply.result {
            Ok(value) => json!({ "call": &*reply.call, "id": reply.id, "ok": value }),
            Err(reason) => json!({ "call": &*reply.call, "id": reply.id, "failed": &**reason }),
        },
        Output::Unknown(frame) => json!({ "frame": &**frame }),
        _ => return None,
    };
    Some(value.to_string())
}
