//! `sigbridge completions` and `sigbridge man`: the command line for shells and for `man`.

use std::fs;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::exit::{Exit, HELP, tell};
use crate::cli::output::Data;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ManArgs {
    /// The folder to write the pages into, one for each command
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints a script that completes the commands and options of `command`.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Exit {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let mut out = Data::new();
    out.with(|out| out.write_all(&script));
    out.end(Exit::Ok)
}

/// Writes the manual pages of `command` and of all commands below it.
pub fn man(args: &ManArgs, command: Command) -> Exit {
    let folder = &args.folder;
    // The pages of two builds of a version are the same.
    let command = command.disable_help_subcommand(true).long_version(Resettable::Reset);
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    match written {
        Ok(()) => Exit::Ok,
        Err(error) => {
            tell(format_args!("cannot write to {}: {error}", folder.display()), None);
            Exit::Failed
        }
    }
}
