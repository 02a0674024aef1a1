//! `sigbridge completions` and `sigbridge man`: the command line for shells and for `man`.

use std::fs;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::exit::{Exit, HELP};
use crate::cli::messages::print_error;
use crate::cli::output::Data;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ManArgs {
    /// Output directory; one page per command
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints a completion script for `command`.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Exit {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let mut out = Data::new();
    out.with(|out| out.write_all(&script));
    out.end(Exit::Ok)
}

/// Writes the man pages of `command` and its subcommands.
pub fn man(args: &ManArgs, command: Command) -> Exit {
    let folder = &args.folder;
    // The pages of two builds of a version are the same.
    let command = command.disable_help_subcommand(true).long_version(Resettable::Reset);
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    match written {
        Ok(()) => Exit::Ok,
        Err(error) => {
            print_error(format_args!("cannot write to {}: {error}", folder.display()), None);
            Exit::Failed
        }
    }
}
