//! `sigbridge config`: the keys of the config.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::config::{Config, Entry, example, json_schema, reference};

use crate::cli::Exit;
use crate::cli::config::load_or_default;
use crate::cli::exit::{Error, HELP, exit_of};
use crate::cli::output::{Data, data};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every key with its default, as a config file
    #[command(after_help = HELP)]
    Default,
    /// Print the JSON Schema of config files, for editors
    #[command(after_help = HELP)]
    Schema,
    /// Check a config file, the environment variables, and the files that they name
    #[command(after_help = HELP)]
    Check(FileArgs),
    /// Print the values in use and where each is set, without secrets
    #[command(after_help = HELP)]
    Show(ShowArgs),
    /// Print the configuration reference as Markdown
    #[command(after_help = HELP)]
    Doc,
}

#[derive(Debug, Args)]
struct FileArgs {
    /// Config file [default: none, environment variables only]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Print only keys that are set
    #[arg(long)]
    set: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ConfigArgs) -> Exit {
    match &args.command {
        Command::Default => data(&example(), Exit::Ok),
        Command::Schema => data(&json_schema(), Exit::Ok),
        Command::Doc => data(&reference(), Exit::Ok),
        Command::Check(args) => exit_of(load_or_default(args.config.as_deref()).map(|_| Exit::Ok)),
        Command::Show(args) => exit_of(show(args)),
    }
}

fn show(args: &ShowArgs) -> Result<Exit, Error> {
    let config = load_or_default(args.file.config.as_deref())?;
    let entries = config.entries().into_iter();
    let entries: Vec<(Entry, String)> = entries
        .map(|entry| {
            let source = origin(&config, &entry);
            (entry, source)
        })
        .filter(|(_, source)| !args.set || source != "default")
        .collect();
    let mut out = Data::new();
    if args.json {
        let shown = entries.iter().map(|(entry, source)| {
            json!({
                "key": entry.name,
                "value": entry.shown.value,
                "source": source,
                "change": entry.shown.change.name(),
                "secret": entry.shown.is_secret,
            })
        });
        out.line(format_args!("{:#}", Json::from(shown.collect::<Vec<_>>())));
    } else {
        for (entry, source) in &entries {
            let value = entry.shown.value.as_deref().unwrap_or("-");
            out.line(format_args!("{} = {value}  # {source}", entry.name));
        }
    }
    Ok(out.end(Exit::Ok))
}

/// Returns the file with the line of a key, its environment variable, or `default`.
fn origin(config: &Config, entry: &Entry) -> String {
    match config.given.place(&entry.name) {
        None if ["app.", "uid.", "sunset."]
            .iter()
            .any(|section| entry.name.starts_with(section)) =>
        {
            "file".to_owned()
        }
        None => "default".to_owned(),
        Some(place) => {
            let name = &place.source().name;
            match name.strip_prefix("environment variable ") {
                Some(variable) => variable.to_owned(),
                None => format!("{name}:{}", place.position().0),
            }
        }
    }
}
