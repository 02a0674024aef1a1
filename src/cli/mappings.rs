//! `sigbridge mappings`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use analysis::openrpc::document;
use tables::Tables;
use tables::comparison::{Resolved, real_names, resolve};

use crate::cli::Exit;
use crate::cli::check::load_tables;
use crate::cli::exit::HELP;
use crate::cli::messages::print_error;
use crate::cli::output::data;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct MappingsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the comparison pages with their mappings as Markdown
    #[command(after_help = HELP)]
    Table {
        /// Print one platform's page only: ios-macos, web, linux-java, linux-cpp, linux-cpp-2019-08
        #[arg(long)]
        platform: Option<String>,
        /// Mapping tables to use instead of the built-in ones
        #[arg(long, value_name = "DIR")]
        mappings: Option<PathBuf>,
    },
    /// Print the documented API as an OpenRPC document
    #[command(after_help = HELP)]
    Openrpc {
        /// Mapping tables to use instead of the built-in ones
        #[arg(long, value_name = "DIR")]
        mappings: Option<PathBuf>,
    },
}

pub fn run(args: &MappingsArgs) -> Exit {
    let (Command::Table { mappings, .. } | Command::Openrpc { mappings }) = &args.command;
    let tables = match load_tables(mappings.as_ref()) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    let Command::Table { platform, .. } = &args.command else {
        return data(&document(&tables), Exit::Ok);
    };
    let resolved = resolve(&tables);
    if let Some(platform) = platform
        && !resolved.iter().any(|found| found.pair.platform == platform)
    {
        let mut known: Vec<&str> = resolved.iter().map(|found| found.pair.platform).collect();
        known.sort_unstable();
        known.dedup();
        print_error(
            format_args!("unknown platform `{platform}`"),
            Some(&format!("known: {}", known.join(", "))),
        );
        return Exit::Usage;
    }
    let wanted = resolved
        .iter()
        .filter(|found| platform.as_ref().is_none_or(|p| found.pair.platform == p));
    data(&table(&tables, wanted, platform.is_none()), Exit::Ok)
}

fn table<'r>(tables: &Tables, resolved: impl Iterator<Item = &'r Resolved>, all: bool) -> String {
    let mut text = String::new();
    let (head, rule) = if all { (" platform |", "---|") } else { ("", "") };
    text.push_str(&format!(
        "| id |{head} kind | Signaling | RTM | status | emulation | code |\n"
    ));
    text.push_str(&format!("|---|{rule}---|---|---|---|---|---|\n"));
    for found in resolved {
        let row = &tables.rows[found.row];
        let platform = if all {
            format!(" {} |", found.pair.platform)
        } else {
            String::new()
        };
        let codes: Vec<&str> = found.codes.iter().map(|&code| &**tables.code_name(code)).collect();
        text.push_str(&format!(
            "| {} |{platform} {} | {} | {} | {} | {} | {} |\n",
            found.pair.id,
            found.pair.kind,
            cell(&signaling(tables, found)),
            cell(found.pair.rtm),
            found.status.name(),
            row.emulation.map_or("", |emulation| emulation.name()),
            codes.join(" "),
        ));
    }
    text
}

/// Formats the page's spelling, with the real names if they differ.
fn signaling(tables: &Tables, found: &Resolved) -> String {
    let page = found.pair.signaling;
    let real = real_names(tables, &tables.rows[found.row]);
    let spelled = |name: &str| page.split('/').any(|part| part == name);
    if page == "-" || real.is_empty() || real.iter().all(|name| spelled(name)) {
        return page.into();
    }
    let real: Vec<&str> = real.iter().map(|name| &**name).collect();
    format!("{page} ({})", real.join(", "))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
